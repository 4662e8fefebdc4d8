"""A program for `test_fork_server.py`. Its last argument determines how it ends."""

import json
import os
import random
import signal
import sys
from pathlib import Path

facts = {
    "argv": sys.argv[1:],
    "cwd": str(Path.cwd()),
    "stdin": sys.stdin.read(),
    "named": os.environ.get("EMAILROUTER_SMTP__MAX_RECIPIENTS"),
    "inherited": "PYTEST_CURRENT_TEST" in os.environ,
    "umask": os.umask(0),
    "leads": os.getsid(0) == os.getpid(),
    "encodings": [stream.encoding for stream in (sys.stdin, sys.stdout, sys.stderr)],
    "errors": [stream.errors for stream in (sys.stdin, sys.stdout, sys.stderr)],
    "files": sorted(int(file.name) for file in Path("/proc/self/fd").iterdir())[:4],
    "ignored": sorted(int(number) for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN),
    "interrupt": str(signal.getsignal(signal.SIGINT)),
    "name": __name__,
}
sys.stdout.write(json.dumps(facts))
sys.stderr.write(f"{random.random()}\n")
if sys.argv[-1] == "wait":
    sys.stderr.write(json.dumps({"event": "ready"}) + "\n")
    signal.pause()
elif sys.argv[-1] == "fail":
    raise RuntimeError("a fault")
sys.exit(3)
