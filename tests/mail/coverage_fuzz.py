"""The same check as `tests.mail.fuzz`, led by coverage: atheris tries what reaches lines that nothing reached before.

    python -m tests.mail.coverage_fuzz .fuzz/coverage -max_total_time=900 [further options of libFuzzer]

The folder keeps what it found, and the next run goes on from there. atheris is not among the locked requirements: its
wheels are for few Pythons. Install it beside them (`pip install atheris`). A mail that fails is written to `crash-*`;
it is minimised and becomes a mail of tests/corpus.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["router"]):
    from router.channels import slack_message  # noqa: F401 - what is imported here is what is measured
    from router.mail import headers, parse  # noqa: F401
    from tests.mail import fuzz


def one(content: bytes) -> None:
    """Raises for a mail that breaks a promise, or costs more CPU than a mail may: instrumented, so three times that."""
    used = time.process_time()
    fuzz.check(content)
    used = time.process_time() - used
    if used > 3 * fuzz.SLOW_SECONDS:
        raise AssertionError(f"{used:.2f} s")


def main() -> None:
    """The command line: a folder, then libFuzzer's own options."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(f"{Path(sys.argv[0]).name}: FOLDER [-max_total_time=SECONDS]")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for mail in fuzz.CORPUS.glob("*.eml"):
        (folder / mail.name).write_bytes(mail.read_bytes())
    dictionary = folder.parent / "tokens.dict"
    dictionary.write_text("".join(f'"{_quoted(token)}"\n' for token in fuzz.TOKENS if len(token) < 60))
    atheris.Setup([*sys.argv, f"-dict={dictionary}", f"-max_len={fuzz.MOST_OCTETS}", "-timeout=30"], one)
    atheris.Fuzz()


def _quoted(token: bytes) -> str:
    return "".join(f"\\x{octet:02x}" for octet in token)


if __name__ == "__main__":
    main()
