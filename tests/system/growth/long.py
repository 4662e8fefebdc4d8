"""The long form of the cost growth test, with traced memory and random shapes.

`python -m tests.system.growth.long --seconds 900` (`make fuzz`) continues from the state of the last run, in the folder
`--state`. `--table` measures the shapes of `make test` once. The exit code is 1 if a limit is violated.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.system.growth import shapes
from tests.system.growth.inventory import SUBJECTS
from tests.system.growth.measure import Growth, survey
from tests.system.growth.subject import Subject

MAX_STEP_SECONDS = 0.05  # CPU time of a call after which the input size is not doubled again
BATCH = 8  # number of random shapes in one child process


def rank(growth: Growth) -> tuple[bool, float, float]:
    """Returns the sort key by violation, then factor, then last CPU time. The worst result has the largest key."""
    return growth.fault() != "", growth.worst, growth.seconds[-1]


def format_row(growth: Growth) -> str:
    steps = [f"{step * 1000:.1f}" for step in growth.seconds[-3:]]
    factor = f"{growth.worst:.2f}" if growth.worst else "-"
    shape = str(growth.shape).replace("|", "\\|").replace("`", "'")
    cost = growth.seconds[-1] / max(1, growth.sizes[-1]) * 1e9
    times = " / ".join(steps)
    cells = (growth.subject, f"`{shape}`", growth.sizes[-3:][0], times, factor, f"{cost:.0f}", f"{growth.memory:.0f}")
    return f"| {' | '.join(map(str, cells))} |"


def format_table(worst: Sequence[Growth]) -> str:
    head = "| function | worst shape | n | ms at n / 2n / 4n | factor | ns/byte | memory bytes/byte |"
    rows = sorted(worst, key=rank, reverse=True)
    return "\n".join([head, "|---" * 7 + "|", *map(format_row, rows)]) + "\n"


def measure_shapes(subject: Subject, batch_shapes: Sequence[shapes.Shape], worst: dict[str, Growth]) -> int:
    """Measures the shapes, updates the subject's worst result in `worst` and returns the number of violations."""
    violations = 0
    for growth in survey(subject, batch_shapes, until=MAX_STEP_SECONDS):
        if growth.fault():
            violations += 1
            sys.stderr.write(f"fault: {growth.fault()}\n")
        known = worst.get(subject.name, growth)
        most = max(known.memory, growth.memory)
        worst[subject.name] = replace(max(known, growth, key=rank), memory=most)
    return violations


def main() -> int:
    options = argparse.ArgumentParser(description="Measure how cost grows with untrusted input.")
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--table", action="store_true", help="measure the shapes of `make test` once, print a table")
    options.add_argument("--only", default="", help="only subjects whose name contains this")
    options.add_argument("--state", type=Path, default=Path(".fuzz"))
    arguments = options.parse_args()
    subjects = [subject for subject in SUBJECTS if arguments.only in subject.name]
    worst: dict[str, Growth] = {}
    violations = 0
    if arguments.table:
        violations = sum(
            measure_shapes(subject, (*subject.quick_shapes, *subject.regressions), worst) for subject in subjects
        )
        sys.stdout.write(format_table(list(worst.values())))
        return 1 if violations else 0
    arguments.state.mkdir(parents=True, exist_ok=True)
    file = arguments.state / "growth.json"
    batch = json.loads(file.read_text())["batches"] if file.exists() else 0
    start = time.monotonic()
    while time.monotonic() - start < arguments.seconds:
        subject, generator = subjects[batch % len(subjects)], random.Random(batch)
        batch_shapes = [shapes.random_shape(generator, subject.units or shapes.ALPHABET) for _ in range(BATCH)]
        violations += measure_shapes(subject, batch_shapes, worst)
        batch += 1
        file.write_text(json.dumps({"batches": batch}))
    sys.stdout.write(format_table(list(worst.values())))
    sys.stdout.write(f"{batch * BATCH} random shapes (all runs), {violations} violations in this run\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
