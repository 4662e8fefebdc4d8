"""The commands of docs/operations.md: its ```sh blocks, in order, with their headings."""

from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/operations.md"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of commands. `line` is its position in the document."""

    heading: str
    line: int
    text: str


def blocks(document: str) -> list[Block]:
    """Returns all ```sh blocks. Other blocks are not run."""
    found: list[Block] = []
    heading, begun, text = "", 0, list[str]()
    for number, line in enumerate(document.splitlines(), 1):
        if begun and line == "```":
            found.append(Block(heading, begun, "\n".join(text)))
            begun = 0
        elif begun:
            text.append(line)
        elif line == "```sh":
            begun, text = number + 1, []
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
    return found
