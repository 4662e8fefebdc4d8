"""The sample configuration and the documentation match the schema."""

import re
import tomllib
from pathlib import Path

import pytest

from config.load import load
from config.reference import (
    DOCUMENTATION_PATH,
    SAMPLE_PATH,
    format_toml,
    render_documentation,
    render_sample,
    write_files,
)
from config.schema import SECTIONS, SETTINGS

ROOT = Path(__file__).resolve().parents[3]


def test_files_are_up_to_date() -> None:
    stale = "run: python -m config.reference"
    assert (ROOT / SAMPLE_PATH).read_text(encoding="utf-8") == render_sample(), stale
    assert (ROOT / DOCUMENTATION_PATH).read_text(encoding="utf-8") == render_documentation(), stale


def test_sample_loads_to_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("config.load.DEFAULT_PATHS", (Path("emailrouter.toml"),))
    defaults = load(None, {})
    sample = load(ROOT / SAMPLE_PATH, {})
    assert (defaults.source, sample.source) == (None, ROOT / SAMPLE_PATH)
    assert sample.model_copy(update={"source": None}) == defaults


def test_sample_has_every_key_once() -> None:
    everything = re.sub(r"^# (\w+ = )", r"\1", render_sample(), flags=re.MULTILINE)
    document = tomllib.loads(everything)
    assert [(section, key) for section, table in document.items() for key in table] == [
        (setting.section, setting.key) for setting in SETTINGS
    ]


def test_sample_is_the_same_on_every_host(monkeypatch: pytest.MonkeyPatch) -> None:
    before = render_sample(), render_documentation()
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    assert (render_sample(), render_documentation()) == before


def test_commented_examples_are_valid(tmp_path: Path) -> None:
    everything = re.sub(r"^# (\w+ = )", r"\1", render_sample(), flags=re.MULTILINE)
    file = tmp_path / "all.toml"
    # The secret key in the sample is invalid, so that nobody can use it in production.
    file.write_text(re.sub(r"^secret_key.*\n", "", everything, flags=re.MULTILINE), encoding="utf-8")
    config = load(file, {})
    assert config.server.hostname == "mx1.example.com"
    assert config.smtp.tls_key is not None
    file.write_text(everything, encoding="utf-8")
    with pytest.raises(Exception, match=re.escape("server.secret_key = ***: must be")):
        load(file, {})


def test_every_key_has_a_one_line_description() -> None:
    for setting in SETTINGS:
        assert setting.description.endswith("."), setting.name
        assert "\n" not in setting.description
        assert len(setting.description) <= 110, setting.name
        assert f"`{setting.variable}`" in render_documentation()
    assert set(SECTIONS) == {setting.section for setting in SETTINGS}


def test_write_files(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    write_files(tmp_path)
    assert (tmp_path / SAMPLE_PATH).read_text(encoding="utf-8") == render_sample()
    assert (tmp_path / DOCUMENTATION_PATH).read_text(encoding="utf-8") == render_documentation()


def test_format_toml() -> None:
    value = {"text": 'a "b" \\ ü', "flag": True, "list": [1, 2.5, "x"], "table": {"k": []}}
    assert tomllib.loads(f"v = {format_toml(value)}") == {"v": value}
    with pytest.raises(TypeError, match="NoneType"):
        format_toml(None)
