"""Modules, files and headings that documents name or link to exist."""

import re
import subprocess
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

from tests.system.architecture.test_house import SOURCES, name

ROOT = Path(__file__).parents[3]
# Decision records are omitted, because they may name what no longer exists.
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "tests" / "README.md"])
LINKING = sorted(
    path
    for folder in (
        ROOT,
        ROOT / "docs",
        ROOT / "docs" / "decisions",
        ROOT / "docs" / "monitoring",
        ROOT / "bench",
        ROOT / "tests",
    )
    for path in folder.glob("*.md")
)
# In documents other than flow.md, only names in `router` are checked: `smtp.` and `api.` may also begin the name of a
# setting, and `emailrouter.` the name of a systemd unit.
_MODULE = {"flow.md": re.compile(r"`((?:api|config|emailrouter|router|smtp)(?:\.[a-z_]+)+)`")}
_MODULE_OF_THE_CORE = re.compile(r"`(router(?:\.[a-z_]+)+)`")
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#]*)(?:#([^)]*))?\)")
_CORE_NAME = re.compile(r"`(router(?:\.[A-Za-z_]\w*)+)")
_PAGE = re.compile(r"\bdocs/[\w./-]*\w\.(?:md|json|yml)\b")
_NAMING = (".py", ".toml", ".md", ".yml", ".html", ".js", ".1", ".service", ".socket", ".sql", "Makefile")
_FILE = re.compile(r"`((?:api|bench|config|emailrouter|router|smtp|systemd|tests)/[\w./-]*\w\.(?:py|sql|toml|socket))`")


def exists(module: str) -> bool:
    package, _, name = module.rpartition(".")
    if find_spec(package) is None:
        return False
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return hasattr(__import__(package, fromlist=[name]), name)


def resolves(dotted: str) -> bool:
    """Whether a dotted name is a module, or something that a module defines."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: object = import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if part in getattr(found, "__annotations__", {}):
                return True  # possibly an attribute that only instances have
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("path", [path for path in DOCS if path.exists()], ids=lambda path: path.name)
def test_names_in_documents_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    modules = _MODULE.get(path.name, _MODULE_OF_THE_CORE).findall(text)
    assert [name for name in modules if not exists(name)] == []
    assert [name for name in _FILE.findall(text) if not (ROOT / name).exists()] == []


def anchors(text: str) -> set[str]:
    """Returns the anchors of a document's headings, in the form that GitHub gives to a heading of plain text."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", LINKING, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_resolve(path: Path) -> None:
    broken = []
    for file, anchor in _LINK.findall(path.read_text(encoding="utf-8")):
        target = path.parent / file if file else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(f"{file}#{anchor}")
    assert broken == []


def test_pages_that_other_files_name_exist() -> None:
    """Messages, comments, units, the man page and alerts name only existing pages."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    files = [ROOT / name for name in listed.splitlines() if name.endswith(_NAMING)]
    named = {page for file in files if file.exists() for page in _PAGE.findall(file.read_text(encoding="utf-8"))}
    example = "docs/page.md"  # of tests/unit/test_glossary.py
    assert {page for page in named if not (ROOT / page).exists()} == {example}
    assert "docs/tls.md" in named


def test_pictures_are_linked_and_few() -> None:
    linked = {
        file for path in LINKING for file in re.findall(r"images/([\w-]+\.\w+)", path.read_text(encoding="utf-8"))
    }
    pictures = {path.name for path in (ROOT / "docs" / "images").iterdir()}
    assert pictures == linked, "`make pictures` makes the others"
    assert len(pictures) <= 20


# Only names in `router` are checked: `smtp.` and `api.` also begin names of settings.
@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_names_of_the_core_in_docstrings_and_comments_exist(path: Path) -> None:
    mentioned = {match.rstrip(".") for match in _CORE_NAME.findall(path.read_text(encoding="utf-8"))}
    assert [dotted for dotted in sorted(mentioned) if not resolves(dotted)] == []


def test_decisions_have_different_numbers() -> None:
    paths = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    numbers = [path.name.partition("-")[0] for path in paths]
    assert [number for number, next_number in pairwise(numbers) if number == next_number] == []
    titles = [path.read_text(encoding="utf-8").partition(":")[0] for path in paths]
    assert titles == [f"# {number}" for number in numbers]
