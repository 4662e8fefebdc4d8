"""The wheel contains the program, the systemd units, the sample configuration and the man page."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNITS = ROOT / "systemd"
PACKAGES = ("api", "config", "emailrouter", "router", "smtp")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("dist")
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    built = subprocess.run(
        [sys.executable, "-c", build, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return zipfile.ZipFile(folder / built.stdout.split()[-1])


def shared(wheel: zipfile.ZipFile) -> dict[str, str]:
    """Maps the paths of the wheel's data files, below the installation prefix, to their texts."""
    return {
        name.partition(".data/data/")[2]: wheel.read(name).decode()
        for name in wheel.namelist()
        if ".data/data/" in name
    }


def test_wheel_contains_every_unit(wheel: zipfile.ZipFile) -> None:
    carried = shared(wheel)
    units = [path for path in UNITS.iterdir() if path.is_file()]
    assert len(units) >= 8
    for path in units:
        assert carried[f"lib/systemd/system/{path.name}"] == path.read_text()
    for kind in ("sysusers.d", "tmpfiles.d"):
        assert carried[f"lib/{kind}/emailrouter.conf"] == (UNITS / kind / "emailrouter.conf").read_text()


def test_wheel_contains_sample_and_man_page(wheel: zipfile.ZipFile) -> None:
    carried = shared(wheel)
    assert carried["share/doc/emailrouter/emailrouter.toml"] == (ROOT / "emailrouter.toml").read_text()
    assert carried["share/man/man1/emailrouter.1"] == (ROOT / "docs" / "emailrouter.1").read_text()


def test_wheel_contains_only_the_program(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name and ".data/" not in name}
    sources = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == sources
    for suffix in (
        ".sql",
        "api/dashboard/templates/layout.html",
        "api/dashboard/static/app/1-design.css",
        "app.js",
        "icon.svg",
    ):
        assert any(name.endswith(suffix) for name in names), suffix


def test_wheel_has_the_command(wheel: zipfile.ZipFile) -> None:
    (entry,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "emailrouter = emailrouter.cli:main" in wheel.read(entry).decode()
