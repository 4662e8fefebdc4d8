"""docs/logs.md lists exactly the existing events."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGES = ("api", "config", "emailrouter", "router", "smtp")
_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
_NAME = re.compile(r"[a-z_]+(\.[a-z_]+)?")


def _is_event_name(first: ast.expr | None) -> bool:
    return isinstance(first, ast.Constant) and isinstance(first.value, str) and _NAME.fullmatch(first.value) is not None


def calls() -> Iterator[tuple[str, str, ast.expr | None]]:
    """Yields the location, the level and the first argument of every log call."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id in ("log", "_log")
                    and node.func.attr in _LEVELS
                ):
                    where = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield where, node.func.attr, node.args[0] if node.args else None


def test_events_have_literal_names() -> None:
    """Event names are literal, so that they can be searched for in the code and listed in the documentation."""
    assert {where for where, _, first in calls() if not _is_event_name(first)} == set()


def test_document_lists_every_event_with_its_level() -> None:
    text = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8").partition("\n## Logs\n")[2]
    rows = re.findall(r"^\| `([a-z_.]+)` \| ([a-z, ]+) \| .+ \|$", text.partition("\n## ")[0], re.MULTILINE)
    listed = {name: set(levels.split(", ")) for name, levels in rows}
    logged: dict[str, set[str]] = {}
    for _, level, first in calls():
        if isinstance(first, ast.Constant) and _is_event_name(first):
            logged.setdefault(str(first.value), set()).add("error" if level == "exception" else level)
    assert listed == logged
    assert [name for name, _ in rows] == sorted(listed)
