"""Access to the messages of tests/corpus."""

from pathlib import Path

CORPUS = Path(__file__).parents[1] / "corpus"


def corpus_mail(name: str) -> bytes:
    return (CORPUS / f"{name}.eml").read_bytes()
