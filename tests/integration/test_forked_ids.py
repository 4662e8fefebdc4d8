"""A forked process generates other ids than its parent."""

import subprocess
import sys

# Only the clock differs from a normal fork: parent and child generate their ids in the same millisecond.
FORK = """
import os, time
now = time.time_ns()
time.time_ns = lambda: now
from router import ids
ids.new_id("msg")
child = os.fork()
generated = [ids.new_id("msg") for _ in range(50)]
if child:
    os.waitpid(child, 0)  # Lines of two processes mix if the output is not buffered.
print(" ".join(generated), flush=True)
"""


def test_a_forked_process_generates_other_ids() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=True)
    one, other = (set(line.split()) for line in done.stdout.splitlines())
    assert (len(one), len(other)) == (50, 50)
    assert one.isdisjoint(other)
