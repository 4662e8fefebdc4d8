"""The ```sh blocks of docs/operations.md, in order, with their headings."""

from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/operations.md"


@dataclass(frozen=True, slots=True)
class Block:
    """A block of commands. `line` is the number of its first line in the document."""

    heading: str
    line: int
    text: str


def parse_blocks(document: str) -> list[Block]:
    result: list[Block] = []
    heading, first_line, text = "", 0, list[str]()
    for number, line in enumerate(document.splitlines(), 1):
        if first_line and line == "```":
            result.append(Block(heading, first_line, "\n".join(text)))
            first_line = 0
        elif first_line:
            text.append(line)
        elif line == "```sh":
            first_line, text = number + 1, []
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
    return result
