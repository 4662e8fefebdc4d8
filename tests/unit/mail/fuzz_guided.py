"""Runs the checks of `tests.unit.mail.fuzz` on messages that libFuzzer chooses by code coverage.

    python -m tests.unit.mail.fuzz_guided -max_total_time=900

Requires atheris, which is not a dependency of the project. Options are those of libFuzzer. The messages are kept in
`.fuzz/guided`. The run stops at the first failure and writes the failing message to `.fuzz`.
"""

from __future__ import annotations

import importlib
import random
import shutil
import sys
import time
from pathlib import Path
from typing import Any

STATE = Path(".fuzz")


def main() -> None:
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["router.mail", "router.channels", "router.search.terms"]):
        fuzz = importlib.import_module("tests.unit.mail.fuzz")
    corpus = STATE / "guided"
    corpus.mkdir(parents=True, exist_ok=True)
    for path in fuzz.CORPUS.glob("*.eml"):
        shutil.copy(path, corpus / path.name)

    def one(content: bytes) -> None:
        used = time.process_time()
        fuzz.check(content)
        used = time.process_time() - used
        # Instrumented code takes longer.
        assert used < 3 * fuzz.SLOW_SECONDS, f"{used:.2f} s"

    def mutate(content: bytes, limit: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(content, limit))
        return bytes(fuzz.mutate_message(rng, [content])[:limit])

    options = [f"-artifact_prefix={STATE}/", "-max_len=20000", "-timeout=30"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
