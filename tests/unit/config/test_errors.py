"""Each invalid input gives one line that contains no secrets."""

import os
import traceback
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.load import ConfigError, load
from config.schema import SETTINGS
from config.setting import Setting

SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("config.load.DEFAULT_PATHS", (Path("emailrouter.toml"),))
    return tmp_path


def error_line(text: str = "", environ: dict[str, str] | None = None) -> str:
    """Loads a file and environment variables. Returns the error, which must be one line without the secret."""
    Path("emailrouter.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(None, environ or {})
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    return line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[smtp]\nmax_recipients = 0", "smtp.max_recipients = 0: must be at least 1"),
        ('[smtp]\nmax_recipients = "5"', 'smtp.max_recipients = "5": must be a whole number'),
        ("[smtp]\nmax_recipients = true", "smtp.max_recipients = true: must be a whole number"),
        ("[smtp]\nmax_recipients = 1.5", "smtp.max_recipients = 1.5: must be a whole number"),
        ("[smtp]\nproxy_protocol = 1", "smtp.proxy_protocol = 1: must be true or false"),
        ("[smtp]\ndnsbl = 'a.example'", 'smtp.dnsbl = "a.example": must be a list'),
        ("[smtp]\ndnsbl = ['ok.example', 'not ok']", 'smtp.dnsbl[1] = "not ok": must be a host name'),
        ("[smtp]\nlisten = ['*:25']", 'smtp.listen = ["*:25"]: must include an address'),
        ("[smtp]\nlisten = []", "smtp.listen = []: must be a list of addresses"),
        ("[smtp]\ncommand_timeout = '5 minutes'", 'smtp.command_timeout = "5 minutes": must be a duration'),
        ("[smtp]\ncommand_timeout = 0", "smtp.command_timeout = 0: must be a duration"),
        ("[smtp]\ncommand_timeout = 2026-01-01", 'smtp.command_timeout = "2026-01-01": must be a duration'),
        ("[smtp]\ntrusted_networks = ['10.0.0.1/8']", 'smtp.trusted_networks[0] = "10.0.0.1/8": must be a network'),
        ("[smtp]\nblocked_senders = ['*@x']", 'smtp.blocked_senders[0] = "*@x": must be an address'),
        ("[smtp]\ntls_cert = ''", 'smtp.tls_cert = "": must be the path'),
        ("[smtp]\ntls_cert = 'c.pem'", 'smtp.tls_cert = "c.pem": must be set together with smtp.tls_key'),
        ("[smtp]\ntls_key = 'k.pem'", 'smtp.tls_key = "k.pem": must be set together with smtp.tls_cert'),
        (
            "[smtp]\nproxy_protocol = true",
            "smtp.proxy_protocol = true: must be set together with smtp.trusted_networks",
        ),
        ("[server]\nlog_format = 'xml'", "server.log_format = \"xml\": must be one of 'auto', 'console' or 'json'"),
        ("[server]\nlog_level = 3", "server.log_level = 3: must be one of 'debug'"),
        ("[server]\nhostname = 'mx_1'", 'server.hostname = "mx_1": must be a host name'),
        ("[server]\npublic_url = 'mail.example'", 'server.public_url = "mail.example": must be an http:// or'),
        ("[server]\nmx_hosts = []", "server.mx_hosts = []: must have at least 1 entry"),
        ("[server]\nmx_hosts = ['mx1.example']", 'server.mx_hosts[0] = "mx1.example": must be a table like'),
        ("[server]\nmx_hosts = [{priority = 1}]", "server.mx_hosts[0].host: is required"),
        (
            "[server]\nmx_hosts = [{host = 'a', priority = 70000}]",
            "server.mx_hosts[0].priority = 70000: must be at most 65535",
        ),
        (
            "[server]\nmx_hosts = [{host = 'a', prio = 1}]",
            "server.mx_hosts[0].prio is not a setting; did you mean server.mx_hosts[0].priority?",
        ),
        ("[database]\nurl = 'mysql://h/db'", 'database.url = "mysql://***": must be sqlite:///file.db'),
        ("[database]\nurl = 'sqlite://mail.db'", 'database.url = "sqlite://mail.db": must have three slashes'),
        ("[api]\nlisten = 8080", 'api.listen = 8080: must be host:port, like "127.0.0.1:2525"'),
        ("[api]\nrequests_per_day = -1", "api.requests_per_day = -1: must be at least 0"),
        ("[dns]\nverification = 'both'", "dns.verification = \"both\": must be one of 'auto', 'mx'"),
        ("[dns]\nnameservers = ['dns.example']", 'dns.nameservers[0] = "dns.example": must be an IP address'),
        ("[delivery]\nper_second = 0", "delivery.per_second = 0: must be greater than 0"),
        ("[delivery]\nper_second = 'fast'", 'delivery.per_second = "fast": must be a number'),
        ("[delivery]\nper_second = nan", "delivery.per_second = NaN: must be a finite number"),
        ("[delivery]\ntimeout = '2m'", 'delivery.lease = "1m": must be longer than delivery.timeout ("2m")'),
        ("[retention]\nraw_messages = 'never'", 'retention.raw_messages = "never": must be a duration'),
        ("[metrics]\nlisten = 'on'", 'metrics.listen = "on": must be host:port'),
    ],
)
def test_invalid_value_in_the_file(text: str, line: str) -> None:
    assert error_line(text).startswith(f"emailrouter.toml: {line}")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[smtp]\nlisen = []", "smtp.lisen is not a setting; did you mean smtp.listen?"),
        (
            "[smtp]\nmax_mesage_bytes = 1",
            "smtp.max_mesage_bytes is not a setting; did you mean smtp.max_message_bytes?",
        ),
        ("[server]\nnameservers = []", "server.nameservers is not a setting; did you mean dns.nameservers?"),
        ("[stmp]\nlisten = []", "[stmp] is not a setting; did you mean [smtp]?"),
        ("[zzz]", "[zzz] is not a setting; did you mean ["),
        ("[smtp]\n'a\nb' = 1".replace("'a\nb'", '"a\\nb"'), "smtp.a\\nb is not a setting; did you mean smtp."),
        ("hostname = 'a'", "hostname is not a setting; did you mean server.hostname?"),
        ("source = 'a'", "source is not a setting; did you mean "),
        ("[source]", "[source] is not a setting; did you mean ["),
        ("smtp = 1", "smtp: must be a section, [smtp]"),
        ("[[smtp]]", "smtp: must be a section, [smtp]"),
    ],
)
def test_unknown_names_in_the_file(text: str, line: str) -> None:
    assert error_line(text).startswith(f"emailrouter.toml: {line}")


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("EMAILROUTER_DATABASE_URL", "EMAILROUTER_DATABASE__URL"),
        ("EMAILROUTER_DATABASE__ULR", "EMAILROUTER_DATABASE__URL"),
        ("EMAILROUTER_SMPT__LISTEN", "EMAILROUTER_SMTP__LISTEN"),
        ("EMAILROUTER_SERVER__SECRETKEY_FILE", "EMAILROUTER_SERVER__SECRET_KEY_FILE"),
        ("EMAILROUTER_smtp__listen", "EMAILROUTER_"),
        ("EMAILROUTER_", "EMAILROUTER_"),
    ],
)
def test_misspelled_variable(variable: str, nearest: str) -> None:
    line = error_line(environ={variable: SECRET})
    assert line.startswith(f"environment: {variable} is not a setting; did you mean {nearest}")


@pytest.mark.parametrize(
    ("variable", "text", "line"),
    [
        ("EMAILROUTER_SMTP__MAX_RECIPIENTS", "many", 'smtp.max_recipients = "many": must be a whole number'),
        ("EMAILROUTER_SMTP__MAX_RECIPIENTS", "", 'smtp.max_recipients = "": must be a whole number'),
        ("EMAILROUTER_SMTP__MAX_RECIPIENTS", "1e3", "smtp.max_recipients = 1000.0: must be a whole number"),
        ("EMAILROUTER_SMTP__PROXY_PROTOCOL", "yes", 'smtp.proxy_protocol = "yes": must be true or false'),
        (
            "EMAILROUTER_SMTP__LISTEN",
            "0.0.0.0:25",
            'smtp.listen = "0.0.0.0:25": must be JSON in the environment, such as ["127.0.0.1:2525"]',
        ),
        ("EMAILROUTER_SMTP__DNSBL", "a,b", 'smtp.dnsbl = "a,b": must be JSON in the environment, such as ["...'),
        ("EMAILROUTER_SMTP__DNSBL", "[" * 100_000, 'smtp.dnsbl = "[[['),
        (
            "EMAILROUTER_SERVER__MX_HOSTS",
            "mx1",
            'server.mx_hosts = "mx1": must be JSON in the environment, '
            'such as [{"host": "mx1.example.com", "priority": 10}]',
        ),
        ("EMAILROUTER_API__LISTEN", "x\ny", 'api.listen = "x\\ny": must be host:port'),
    ],
)
def test_invalid_value_in_the_environment(variable: str, text: str, line: str) -> None:
    line_printed = error_line(environ={variable: text})
    assert line_printed.startswith(f"{variable}: {line}")
    assert len(line_printed) < 400


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[smtp]\nlisten = \n", "emailrouter.toml:2: invalid TOML: "),
        ("[smtp]\nmax_recipients = 1\nmax_recipients = 2\n", "emailrouter.toml:3: invalid TOML: "),
        ("[smtp", "emailrouter.toml"),
        ("x = " + "[" * 100_000, "emailrouter.toml: invalid TOML: "),
    ],
)
def test_toml_syntax(text: str, where: str) -> None:
    assert error_line(text).startswith(where)


def test_file_that_is_not_utf8(directory: Path) -> None:
    (directory / "latin.toml").write_bytes(b"[smtp]\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"latin\.toml:2: must be UTF-8 text$"):
        load(directory / "latin.toml", {})


def test_directory_instead_of_a_file(directory: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(directory, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file(directory: Path) -> None:
    (directory / "closed.toml").touch(mode=0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(directory / "closed.toml", {})


def test_both_forms_of_a_variable(directory: Path) -> None:
    variable = "EMAILROUTER_SERVER__SECRET_KEY"
    line = error_line(environ={variable: SECRET, f"{variable}_FILE": str(directory / "key")})
    assert line == f"{variable}_FILE: {variable} is also set; set only one of them"


def test_missing_or_binary_secret_file(directory: Path) -> None:
    variable = "EMAILROUTER_DATABASE__URL_FILE"
    line = error_line(environ={variable: "/nowhere/url"})
    assert line == f"{variable}: database.url = /nowhere/url: cannot be read: No such file or directory"
    (directory / "url").write_bytes(b"\xff")
    assert error_line(environ={variable: str(directory / "url")}).endswith("the file must contain UTF-8 text")
    assert "cannot be read" in error_line(environ={variable: ""})


def test_invalid_credentials(directory: Path) -> None:
    credentials = directory / "credentials"
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert error_line(environ=environ).startswith("CREDENTIALS_DIRECTORY: ")
    credentials.mkdir()
    (credentials / "server.secret-key").write_text(SECRET)
    line = "credential server.secret-key: server.secret-key is not a setting; did you mean server.secret_key?"
    assert error_line(environ=environ) == line
    (credentials / "server.secret-key").rename(credentials / "database.url")
    assert error_line(environ=environ).startswith("credential database.url: database.url = ***: must be sqlite")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("server.secret_key", f"{SECRET} {SECRET}"),
        ("database.url", f"postgresql://u:{SECRET}@h"),
        ("database.url", f"postgresql://u:{SECRET}"),
        ("database.url", f"postgresql://u:x/{SECRET}@h/db"),
        ("database.url", f"mysql://u:{SECRET}@h/db"),
        ("database.url", f"u:{SECRET}@h/db"),
        ("database.url", f"sqlite:///mail.db?key={SECRET}"),
        ("database.password", SECRET),
        ("server.public_url", f"https://u:{SECRET}@h"),
    ],
)
def test_errors_contain_no_secrets(key: str, text: str, directory: Path) -> None:
    section, _, name = key.partition(".")
    assert key in error_line(f"[{section}]\n{name} = '{text}'")
    variable = f"EMAILROUTER_{section}__{name}".upper()
    error_line(environ={variable: text})
    (directory / "secret").write_text(text)
    error_line(environ={f"{variable}_FILE": str(directory / "secret")})


@pytest.mark.parametrize(
    "key", [setting for setting in SETTINGS if not setting.is_file], ids=lambda setting: setting.name
)
def test_errors_do_not_contain_secret_file_content(key: Setting, directory: Path) -> None:
    """The `_FILE` variable of a setting may by mistake name a file that contains a secret."""
    (directory / "secret").write_text(f"\t{SECRET}\n{SECRET}")
    assert key.variable in error_line(environ={f"{key.variable}_FILE": str(directory / "secret")})


@given(st.sampled_from(SETTINGS), st.text(st.characters(exclude_characters="\0")))
@example(next(setting for setting in SETTINGS if setting.name == "smtp.tls_cert"), "\ud800")
def test_any_text_loads_or_raises_one_line(key: Setting, text: str) -> None:
    line = key.name
    try:
        load(Path(os.devnull), {key.variable: text})
    except ConfigError as error:
        line = str(error)
    assert len(line.splitlines()) == 1
    assert key.name in line
