"""Modules and files that the docs name exist."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# The documents of what is; a decision record may name what is no more.
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "tests" / "README.md"])
# Elsewhere `smtp.` and `api.` begin the keys of settings, `emailrouter.` the names of units.
_MODULE = {"flow.md": re.compile(r"`((?:api|config|emailrouter|router|smtp)(?:\.[a-z_]+)+)`")}
_MODULE_OF_THE_CORE = re.compile(r"`(router(?:\.[a-z_]+)+)`")
_FILE = re.compile(r"`((?:api|bench|config|emailrouter|router|smtp|systemd|tests)/[\w./-]*\w\.(?:py|sql|toml|socket))`")


def exists(module: str) -> bool:
    """Whether there is such a module, or such a name in one."""
    package, _, name = module.rpartition(".")
    if find_spec(package) is None:
        return False
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # `package` is a module
        return hasattr(__import__(package, fromlist=[name]), name)


@pytest.mark.parametrize("path", [path for path in DOCS if path.exists()], ids=lambda path: path.name)
def test_what_a_document_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    modules = _MODULE.get(path.name, _MODULE_OF_THE_CORE).findall(text)
    assert [name for name in modules if not exists(name)] == []
    assert [name for name in _FILE.findall(text) if not (ROOT / name).exists()] == []
