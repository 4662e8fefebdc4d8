"""The files of the Debian package agree with the units, settings and pages that they depend on."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

from config.load import load
from tests.support.documents import read_blocks

ROOT = Path(__file__).parents[3]
DEBIAN = ROOT / "packaging" / "debian"
UNITS = sorted(path.name for path in (ROOT / "systemd").iterdir() if path.is_file())


def read(name: str) -> str:
    return (DEBIAN / name).read_text(encoding="utf-8")


@pytest.fixture
def deb(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "packaging")
    return importlib.import_module("deb")


def test_versions_sort_as_releases_do(deb: ModuleType) -> None:
    assert deb.debian_version("1.2.0", "bookworm", 1) == "1.2.0-1~deb12"
    assert deb.debian_version("1.2.0-rc.1", "trixie", 2) == "1.2.0~rc.1-2~deb13"


def test_each_release_has_its_python(deb: ModuleType) -> None:
    assert deb.RELEASES == {"bookworm": (12, "python3.11"), "trixie": (13, "python3.13")}
    assert "@PYTHON@" in read("control.in")


def test_scripts_know_every_unit() -> None:
    postinst, prerm = read("emailrouter.postinst"), read("emailrouter.prerm")
    services = [name for name in UNITS if name.endswith(".service") and "@" not in name]
    found = re.search(r'^SERVICES="(.*)"$', postinst, re.MULTILINE)
    assert found is not None
    assert sorted(found[1].split()) == services
    assert "'emailrouter-smtp@*.service'" in postinst
    assert "'emailrouter-smtp@*.service'" in prerm
    stopped = set(re.findall(r"emailrouter[\w-]*\.(?:service|socket|target)", prerm))
    assert stopped == {name for name in UNITS if "@" not in name}


def test_an_upgrade_stops_nothing() -> None:
    prerm = read("emailrouter.prerm")
    assert re.findall(r"\[ \"\$1\" = (\w+) \]", prerm) == ["remove"]
    assert read("emailrouter.postinst").index("emailrouter migrate") < read("emailrouter.postinst").index(
        "deb-systemd-invoke restart"
    )


def test_command_of_each_service_is_replaced() -> None:
    replaced = re.search(r"s\|\^ExecStart=(\S+)\|ExecStart=/opt/emailrouter/bin/emailrouter\|", read("rules"))
    assert replaced is not None
    for name in UNITS:
        if name.endswith(".service"):
            text = (ROOT / "systemd" / name).read_text(encoding="utf-8")
            assert re.search(rf"^ExecStart={replaced[1]} \w+$", text, re.MULTILINE), name


def test_command_of_root_reads_the_secrets_of_the_units() -> None:
    unit = (ROOT / "systemd" / "emailrouter.service").read_text(encoding="utf-8")
    credentials = re.findall(r"^LoadCredential=(\S+):emailrouter\.", unit, re.MULTILINE)
    command = read("emailrouter.sh")
    for name in credentials:
        assert f"{name}:{name.upper().replace('.', '__')}" in command


def test_directories_have_the_modes_of_the_source_installation() -> None:
    def entries(text: str) -> set[tuple[str, ...]]:
        return {tuple(line.split()) for line in text.splitlines() if not line.startswith("#")}

    source = entries((ROOT / "systemd" / "tmpfiles.d" / "emailrouter.conf").read_text(encoding="utf-8"))
    package = entries(read("emailrouter.tmpfiles.conf"))
    assert package - source == {("z", "/etc/emailrouter/emailrouter.toml", "0640", "root", "emailrouter", "-")}
    assert source <= package


def test_configuration_is_valid_and_becomes_that_of_the_page(tmp_path: Path) -> None:
    text = read("emailrouter.toml")
    config = load(DEBIAN / "emailrouter.toml", {})
    assert (config.smtp.listen, config.api.listen, str(config.server.data_dir)) == (
        "systemd",
        "systemd",
        "/var/lib/emailrouter",
    )
    # The commands of the page uncomment lines that exist.
    (block,) = (block for block in read_blocks("install-deb.md") if block.heading == "Name the host")
    for pattern, replacement in re.findall(r"'s\|(\S.*?)\|(.*?)\|'", block.text):
        text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        assert count == 1, pattern
    (tmp_path / "emailrouter.toml").write_text(text)
    named = load(tmp_path / "emailrouter.toml", {})
    assert (named.server.hostname, named.server.public_url) == ("mx1.example.com", "https://tickets.example.com")


def test_each_override_has_its_reason() -> None:
    reason, tag = "", ""
    for line in read("emailrouter.lintian-overrides").splitlines():
        if line.startswith("#"):
            reason, tag = line, ""
        else:
            # Several overrides of one tag share a reason.
            assert reason
            assert tag in ("", line.split()[1]), line
            tag = line.split()[1]
