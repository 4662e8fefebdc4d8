"""Rules for the modules of the product and for all files of the repository."""

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from emailrouter import cli
from router.channels import CHANNELS
from tests.system.architecture.sizes import ATTRIBUTES, FILE_LINES, FUNCTION_LINES, oversized

ROOT = Path(__file__).parents[3]
PACKAGES = ("api", "config", "emailrouter", "router", "smtp")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
_SQL = re.compile(r"\b(SELECT .* FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|CREATE TABLE)\b")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        return [p for p in ROOT.rglob("*") if p.is_file() and ".venv" not in p.parts]
    return [path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file()]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_module_has_docstring_and_one_purpose(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith('"""'), "its docstring is its contract"
    assert path.stem not in {"utils", "util", "helpers", "common", "base", "manager", "misc"}


def test_size_limits_of_files_functions_and_classes() -> None:
    assert oversized({name(path): path.read_text(encoding="utf-8") for path in SOURCES}) == {}


def test_exceeded_size_limit_is_found() -> None:
    attributes = "".join(f"        self.a{n}, b = 1, 2\n" for n in range(ATTRIBUTES))
    more = "        self.more += 1\n"
    body = "        x = 1\n" * (FUNCTION_LINES - 1)
    sources = {
        "a/part.py": f"class A:\n    def f(self):\n{attributes}",
        "b.py": f"import a.part\nclass B(a.part.A[int]):\n    def f(self):\n{more}",
        "c.py": f"import dataclasses as d\n@d.dataclass(slots=True)\nclass C:\n    def f(self):\n{attributes}{more}",
        "d.py": f"class D:\n    async def f():\n{body}        y = 1\n    def g():\n{body}",
        "e.py": "\n" * (FILE_LINES + 1),
        "f.py": "\n" * FILE_LINES,
    }
    assert oversized(sources) == {"b.py: B": ATTRIBUTES + 1, "d.py: D.f": FUNCTION_LINES + 1, "e.py": FILE_LINES + 1}


def test_sql_is_only_in_the_store() -> None:
    found = [name(p) for p in SOURCES if "store" not in p.parts and _SQL.search(p.read_text(encoding="utf-8"))]
    assert found == []


def test_environment_is_read_only_at_the_edges() -> None:
    """Only `config` and `emailrouter` read `os.environ`, except in default arguments."""
    allowed = {"config", "emailrouter"}
    found = [
        name(p)
        for p in SOURCES
        if re.search(r"os\.(environ|getenv)\b(?!,)", p.read_text(encoding="utf-8"))
        and p.relative_to(ROOT).parts[0] not in allowed
        and name(p) != "smtp/server.py"  # reads LISTEN_FDS, see sd_listen_fds(3)
    ]
    assert found == []


def test_each_channel_file_is_listed() -> None:
    listed = {type(channel).__module__ for channel in CHANNELS.values()}
    exporting = {
        f"router.channels.{path.stem}"
        for path in (ROOT / "router" / "channels").glob("*.py")
        if re.search(r"^CHANNEL\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert exporting == listed


def test_only_channels_name_their_service() -> None:
    """Texts and templates outside `router/channels` name no type of integration; docstrings and comments may."""
    exempt = {
        "api/examples.py": "copies docs/api.md, whose example is a Slack webhook",
        "router/enumerations.py": "an actor of a ticket event",
    }
    services = re.compile(rf"\b({'|'.join([*CHANNELS, *(each.label for each in CHANNELS.values())])})\b")
    own = ("router/channels/", "emailrouter/demo", "emailrouter/cli/demo")  # the demo has a stand-in for Slack
    sources = [path for path in SOURCES if not name(path).startswith(own)]
    found = {
        name(path)
        for path in sources
        for node in ast.walk(_without_docstrings(ast.parse(path.read_text(encoding="utf-8"))))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and services.search(node.value)
    }
    templates = (ROOT / "api" / "dashboard").rglob("*.html")
    found |= {name(path) for path in templates if services.search(path.read_text(encoding="utf-8"))}
    assert found == set(exempt)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [
                each for each in node.body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
            ]
    return tree


def test_each_command_file_is_listed() -> None:
    exporting = [
        (command.name, path.stem)
        for path in (ROOT / "emailrouter" / "cli").glob("*.py")
        if re.search(r"^COMMANDS\b", path.read_text(encoding="utf-8"), re.MULTILINE)
        for command in import_module(f"emailrouter.cli.{path.stem}").COMMANDS
    ]
    assert sorted(exporting) == sorted(cli.MODULES.items())


def test_smtp_process_does_not_import_http_code() -> None:
    program = "import sys, emailrouter.cli.run, emailrouter.assembly.smtp; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {module.partition(".")[0] for module in shown.stdout.split()}
    assert "smtp" in loaded
    assert not loaded & {"api", "aiohttp", "jinja2"}


def test_no_file_contains_a_package_registry_or_machine_path() -> None:
    # Each string is split, so that this file does not contain it.
    hosts = ["pypi" + ".org", "docker" + ".io", "pythonhosted" + ".org", "npmjs" + ".org", "deb." + "debian.org"]
    paths = ["/ro" + "ot/", "/wo" + "rk/"]
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{name(path)}: {word}" for word in (*hosts, *paths) if word in text]
    assert found == []
