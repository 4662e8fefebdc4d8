"""Access to the messages of tests/corpus."""

from pathlib import Path

CORPUS = Path(__file__).parents[1] / "corpus"


def corpus_mail(name: str) -> bytes:
    """Returns the raw bytes of tests/corpus/NAME.eml."""
    return (CORPUS / f"{name}.eml").read_bytes()
