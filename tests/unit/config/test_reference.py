"""The sample and the documentation are what the schema says, and the sample is the defaults."""

import re
import tomllib
from pathlib import Path

import pytest

from config.load import load
from config.reference import DOCUMENTATION, SAMPLE, render_documentation, render_sample, toml, write
from config.schema import SECTIONS, SETTINGS

ROOT = Path(__file__).resolve().parents[3]


def test_files_are_up_to_date() -> None:
    stale = "run: python -m config.reference"
    assert (ROOT / SAMPLE).read_text(encoding="utf-8") == render_sample(), stale
    assert (ROOT / DOCUMENTATION).read_text(encoding="utf-8") == render_documentation(), stale


def test_sample_means_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("config.load.LOOKUP", (Path("emailrouter.toml"),))
    defaults = load(None, {})
    sample = load(ROOT / SAMPLE, {})
    assert (defaults.source, sample.source) == (None, ROOT / SAMPLE)
    assert sample.model_copy(update={"source": None}) == defaults


def test_sample_has_every_key_once() -> None:
    everything = re.sub(r"^# (\w+ = )", r"\1", render_sample(), flags=re.MULTILINE)
    document = tomllib.loads(everything)
    assert [(section, key) for section, table in document.items() for key in table] == [
        (known.section, known.key) for known in SETTINGS
    ]


def test_sample_is_the_same_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    before = render_sample(), render_documentation()
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    assert (render_sample(), render_documentation()) == before


def test_commented_examples_are_valid(tmp_path: Path) -> None:
    everything = re.sub(r"^# (\w+ = )", r"\1", render_sample(), flags=re.MULTILINE)
    file = tmp_path / "all.toml"
    # The example of a secret must not work: someone would use it.
    file.write_text(re.sub(r"^secret_key.*\n", "", everything, flags=re.MULTILINE), encoding="utf-8")
    config = load(file, {})
    assert config.server.hostname == "mx1.example.com"
    assert config.smtp.tls_key is not None
    file.write_text(everything, encoding="utf-8")
    with pytest.raises(Exception, match=re.escape("server.secret_key = ***: must be")):
        load(file, {})


def test_every_key_is_explained_in_one_line() -> None:
    for known in SETTINGS:
        assert known.prose.endswith("."), known.name
        assert "\n" not in known.prose
        assert len(known.prose) <= 110, known.name
        assert f"`{known.variable}`" in render_documentation()
    assert set(SECTIONS) == {known.section for known in SETTINGS}


def test_rewriting(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    write(tmp_path)
    assert (tmp_path / SAMPLE).read_text(encoding="utf-8") == render_sample()
    assert (tmp_path / DOCUMENTATION).read_text(encoding="utf-8") == render_documentation()


def test_toml_forms() -> None:
    value = {"text": 'a "b" \\ ü', "flag": True, "list": [1, 2.5, "x"], "table": {"k": []}}
    assert tomllib.loads(f"v = {toml(value)}") == {"v": value}
    with pytest.raises(TypeError, match="NoneType"):
        toml(None)
