"""The long form of the cost-growth test: longer steps, memory traced, random shapes.

`python -m tests.system.growth.long --seconds 900` (`make fuzz`) tries random shapes on the subjects in turn and goes on
where
the last run stopped: the folder (`--state`, `.fuzz`) keeps how many were tried and the violations that were found.
`--table` measures the shapes of `make test` once and prints, for each subject, its worst shape. Exit code 1 when there
was a fault.
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

MAX_STEP_SECONDS = 0.05  # seconds of the longest step
BATCH = 8  # random shapes of a subject in a row, in one child


def rank(growth: Growth) -> tuple[bool, float, float]:
    """What makes a shape the worst of its subject: a fault, then the factor, then the time of its longest step."""
    return growth.fault() != "", growth.worst, growth.seconds[-1]


def line(growth: Growth) -> str:
    """n is the size two doublings before the longest step."""
    steps = [f"{step * 1000:.1f}" for step in growth.seconds[-3:]]
    factor = f"{growth.worst:.2f}" if growth.worst else "-"
    shape = str(growth.shape).replace("|", "\\|").replace("`", "'")
    cost = growth.seconds[-1] / max(1, growth.sizes[-1]) * 1e9
    times = " / ".join(steps)
    cells = (growth.subject, f"`{shape}`", growth.sizes[-3:][0], times, factor, f"{cost:.0f}", f"{growth.memory:.0f}")
    return f"| {' | '.join(map(str, cells))} |"


def table(worst: Sequence[Growth]) -> str:
    """Markdown, the worst first; the memory is the most of all shapes."""
    head = "| function | worst shape | n | ms at n / 2n / 4n | factor | ns/byte | memory bytes/byte |"
    rows = sorted(worst, key=rank, reverse=True)
    return "\n".join([head, "|---" * 7 + "|", *map(line, rows)]) + "\n"


def measured(subject: Subject, tried: Sequence[shapes.Shape], worst: dict[str, Growth]) -> int:
    """Measures these shapes and returns how many had a fault."""
    violations = 0
    for growth in survey(subject, tried, until=MAX_STEP_SECONDS):
        if growth.fault():
            violations += 1
            sys.stderr.write(f"fault: {growth.fault()}\n")
        known = worst.get(subject.name, growth)
        most = max(known.memory, growth.memory)
        worst[subject.name] = replace(max(known, growth, key=rank), memory=most)
    return violations


def main() -> int:
    """The command line."""
    options = argparse.ArgumentParser(description="Measure how cost grows with what a stranger sends.")
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--table", action="store_true", help="the shapes of `make test` once, as a table")
    options.add_argument("--only", default="", help="subjects with this in their name")
    options.add_argument("--state", type=Path, default=Path(".fuzz"))
    asked = options.parse_args()
    subjects = [subject for subject in SUBJECTS if asked.only in subject.name]
    worst: dict[str, Growth] = {}
    violations = 0
    if asked.table:
        violations = sum(measured(subject, (*subject.few, *subject.regressions), worst) for subject in subjects)
        sys.stdout.write(table(list(worst.values())))
        return 1 if violations else 0
    asked.state.mkdir(parents=True, exist_ok=True)
    file = asked.state / "growth.json"
    batch = json.loads(file.read_text())["batches"] if file.exists() else 0
    began = time.monotonic()
    while time.monotonic() - began < asked.seconds:
        subject, generator = subjects[batch % len(subjects)], random.Random(batch)
        tried = [shapes.random_shape(generator, subject.units or shapes.ALPHABET) for _ in range(BATCH)]
        violations += measured(subject, tried, worst)
        batch += 1
        file.write_text(json.dumps({"batches": batch}))
    sys.stdout.write(table(list(worst.values())))
    sys.stdout.write(f"{batch * BATCH} random shapes (all runs), {violations} faults in this run\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
