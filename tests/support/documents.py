"""The fenced code blocks of the pages in docs, in order."""

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
_FENCE = re.compile(r"^( *)```(\S*)$")
_NOT_RUN = re.compile(r"^ *\*Not run by the tests: (.+)\*$")


@dataclass(frozen=True, slots=True)
class Block:
    """A code block.

    Attributes:
        heading: The heading that the block belongs to.
        line: The number of the first line of its text in the page.
        language: The word after the fence: `sh`, `toml`, `text`, ...
        not_run: The reason that the line above the block gives for not running it, or `""`.
    """

    page: str
    heading: str
    line: int
    language: str
    text: str
    not_run: str = ""


def count_commands(text: str) -> int:
    """Returns the number of lines that a user enters, without continuation lines and the contents of files."""
    without_files = re.sub(r"<<'EOF'\n.*?\nEOF$", "", text, flags=re.MULTILINE | re.DOTALL)
    return sum(1 for line in without_files.replace("\\\n", "").splitlines() if line and not line.startswith("#"))


def read_blocks(page: str) -> list[Block]:
    return parse_blocks(page, (DOCS / page).read_text(encoding="utf-8"))


def parse_blocks(page: str, document: str) -> list[Block]:
    result: list[Block] = []
    heading, indent, language, first_line, above, text = "", "", "", 0, "", list[str]()
    for number, line in enumerate(document.splitlines(), 1):
        fence = _FENCE.match(line)
        if first_line and line == f"{indent}```":
            reason = _NOT_RUN.match(above)
            result.append(
                Block(page, heading, first_line, language, "\n".join(text), reason[1].rstrip(".") if reason else "")
            )
            first_line, above = 0, ""
        elif first_line:
            text.append(line.removeprefix(indent))
        elif fence:
            indent, language = fence.groups()
            first_line, text = number + 1, []
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
        elif line:
            above = line
    return result
