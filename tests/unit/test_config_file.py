"""`config init` writes a file that loads, is private, and is never overwritten by accident."""

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from config.load import ConfigError, load
from config.reference import render_sample
from emailrouter.cli import config_file
from emailrouter.cli.commands import cli
from router.errors import Refused


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*args: str, answers: str = "") -> Result:
    return CliRunner().invoke(cli, ["config", "init", *args], input=answers)


def test_file_has_the_given_values_and_every_setting() -> None:
    url = "postgresql://mail@db.example.com/mail"
    done = run("--hostname", "mx1.example.com", "--listen", "public", "--database", url)
    assert done.exit_code == 0, done.output
    config = load(Path("emailrouter.toml"), {})
    assert (config.server.hostname, str(config.database.url)) == ("mx1.example.com", url)
    assert [str(address) for address in config.smtp.listen] == ["0.0.0.0:25", "[::]:25"]
    written = Path("emailrouter.toml").read_text(encoding="utf-8")
    assert written.count("\n") > render_sample().count("\n") - 10, "with the descriptions of all settings"
    assert stat.S_IMODE(Path("emailrouter.toml").stat().st_mode) == 0o640
    assert [path.name for path in Path.cwd().iterdir()] == ["emailrouter.toml"]
    for step in ("emailrouter check", "emailrouter migrate", "emailrouter init", "emailrouter serve"):
        assert step in done.output


def test_without_options_nothing_is_asked_and_the_defaults_apply() -> None:
    assert run().exit_code == 0
    assert load(Path("emailrouter.toml"), {}).model_copy(update={"source": None}) == load(
        Path("/dev/null"), {}
    ).model_copy(update={"source": None})


def test_existing_file_is_kept_without_force() -> None:
    Path("emailrouter.toml").write_text("# mine\n", encoding="utf-8")
    assert isinstance(run().exception, Refused)
    assert Path("emailrouter.toml").read_text(encoding="utf-8") == "# mine\n"
    assert run("--force").exit_code == 0
    assert "# mine" not in Path("emailrouter.toml").read_text(encoding="utf-8")


def test_invalid_values_write_nothing() -> None:
    assert "without a password" in run("--database", "postgresql://u:secret@db/x").output
    assert "secret" not in run("--database", "postgresql://u:secret@db/x").output
    for args in (("--hostname", "not a name"), ("--database", "mysql://u@db/x")):
        error = run(*args).exception
        assert isinstance(error, ConfigError)
        assert args[0] in str(error)
    assert list(Path.cwd().iterdir()) == []


def test_terminal_is_asked_for_missing_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_file, "_is_interactive", lambda: True)
    done = run("--config", "here.toml", answers="mx2.example.com\ny\n")
    assert done.exit_code == 0, done.output
    config = load(Path("here.toml"), {})
    assert (config.server.hostname, len(config.smtp.listen)) == ("mx2.example.com", 2)
    assert "emailrouter serve --config here.toml" in done.output
