"""The sources of settings and their precedence."""

import os
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from config.load import ConfigError, load
from config.schema import Config, MxHost
from config.values import Address


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Enters an empty directory, in which `etc.toml` stands for the configuration file in /etc."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("config.load.DEFAULT_PATHS", (Path("emailrouter.toml"), tmp_path / "etc.toml"))
    return tmp_path


def write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def test_no_file_is_the_defaults() -> None:
    assert load(None, {}) == Config()


def test_first_existing_file_is_read(directory: Path) -> None:
    system = write(directory / "etc.toml", "[smtp]\nmax_recipients = 1")
    assert (load(None, {}).smtp.max_recipients, load(None, {}).source) == (1, system)
    write(Path("emailrouter.toml"), "[smtp]\nmax_recipients = 2")
    assert (load(None, {}).smtp.max_recipients, load(None, {}).source) == (2, Path("emailrouter.toml"))
    named = write(directory / "named.toml", "[smtp]\nmax_recipients = 3")
    assert (load(named, {}).smtp.max_recipients, load(named, {}).source) == (3, named)


@pytest.mark.parametrize("enters", [True, False])
def test_inaccessible_working_directory_is_skipped(
    enters: bool, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test replaces `os.access`, because root can enter any directory."""
    system = write(directory / "etc.toml", "")
    local = write(Path("emailrouter.toml"), "")
    monkeypatch.setattr("config.load.os.access", lambda path, mode: enters or (path, mode) != (Path(), os.X_OK))
    assert load(None, {}).source == (local if enters else system)


def test_named_file_must_exist() -> None:
    write(Path("emailrouter.toml"), "")
    with pytest.raises(ConfigError, match=r"^nowhere\.toml: --config must name an existing file$"):
        load(Path("nowhere.toml"), {})


def test_every_form_in_toml() -> None:
    write(
        Path("emailrouter.toml"),
        """
        [server]
        hostname = "MX1.Example.com"
        mx_hosts = [{host = "mx1.example.com"}, {host = "mx2.example.com", priority = 20}]
        [smtp]
        listen = "systemd"
        command_timeout = 90
        duplicate_window = 0
        trusted_networks = ["10.0.0.0/8", "::1"]
        proxy_protocol = true
        [dns]
        nameservers = ["127.0.0.1:5353"]
        [delivery]
        per_second = 2
        [retention]
        raw_messages = "90d"
        [metrics]
        listen = "[::1]:9100"
        """,
    )
    config = load(None, {})
    assert config.server.mx_hosts == (
        MxHost(host="mx1.example.com", priority=10),
        MxHost(host="mx2.example.com", priority=20),
    )
    assert config.server.hostname == "mx1.example.com"
    assert (config.smtp.listen, config.smtp.command_timeout) == ("systemd", timedelta(seconds=90))
    assert (config.smtp.duplicate_window, config.smtp.proxy_protocol) == (timedelta(), True)
    assert config.smtp.trusted_networks == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert config.dns.nameservers == (Address("127.0.0.1", 5353),)
    assert config.delivery.per_second == 2.0
    assert config.retention.raw_messages == timedelta(days=90)
    assert config.metrics.listen == Address("::1", 9100)


def test_every_form_in_the_environment() -> None:
    config = load(
        None,
        {
            "EMAILROUTER_SERVER__MX_HOSTS": '[{"host": "mx.example.com", "priority": 5}]',
            "EMAILROUTER_DATABASE__URL": "postgresql://u:pw@h/db",
            "EMAILROUTER_SMTP__LISTEN": '["[::]:25"]',
            "EMAILROUTER_SMTP__MAX_RECIPIENTS": "7",
            "EMAILROUTER_SMTP__COMMAND_TIMEOUT": "45",
            "EMAILROUTER_SMTP__TRUSTED_NETWORKS": '["10.0.0.0/8"]',
            "EMAILROUTER_SMTP__PROXY_PROTOCOL": "True",
            "EMAILROUTER_DELIVERY__PER_SECOND": "0.5",
            "EMAILROUTER_RETENTION__RESOLVED_TICKETS": "forever",
            "EMAILROUTER_SERVER__LOG_LEVEL": "debug",
            "HOME": "/root",
            "emailrouter_lower": "is not ours",
        },
    )
    assert config.server.mx_hosts == (MxHost(host="mx.example.com", priority=5),)
    assert config.database.url.reveal() == "postgresql://u:pw@h/db"
    assert config.smtp.listen == (Address("::", 25),)
    assert (config.smtp.max_recipients, config.smtp.proxy_protocol) == (7, True)
    assert config.smtp.command_timeout == timedelta(seconds=45)
    assert config.delivery.per_second == 0.5
    assert config.retention.resolved_tickets is None
    assert config.server.log_level == "debug"


@pytest.mark.parametrize("written", ["systemd", '"systemd"', '["systemd"]'])
def test_systemd_in_the_environment(written: str) -> None:
    assert load(None, {"EMAILROUTER_SMTP__LISTEN": written}).smtp.listen == "systemd"


def test_precedence_is_key_by_key(directory: Path) -> None:
    write(
        Path("emailrouter.toml"),
        "[smtp]\nmax_recipients = 1\nmax_connections = 1\nmax_connections_per_ip = 1",
    )
    credentials = directory / "credentials"
    credentials.mkdir()
    write(credentials / "smtp.max_recipients", "2")
    write(credentials / "smtp.max_connections", "2\n")
    environ = {"CREDENTIALS_DIRECTORY": str(credentials), "EMAILROUTER_SMTP__MAX_RECIPIENTS": "3"}
    smtp = load(None, environ).smtp
    assert (smtp.max_recipients, smtp.max_connections, smtp.max_connections_per_ip) == (3, 2, 1)
    assert smtp.errors_per_session == 10


def test_secret_from_a_file(directory: Path) -> None:
    key = write(directory / "key", "0123456789abcdef-key\n")
    config = load(None, {"EMAILROUTER_SERVER__SECRET_KEY_FILE": str(key)})
    assert config.server.secret_key is not None
    assert config.server.secret_key.reveal() == "0123456789abcdef-key"


def test_only_one_newline_is_removed(directory: Path) -> None:
    key = write(directory / "key", "0123456789abcdef-key\n\n")
    with pytest.raises(ConfigError, match="without whitespace"):
        load(None, {"EMAILROUTER_SERVER__SECRET_KEY_FILE": str(key)})


def test_credentials(directory: Path) -> None:
    write(directory / "server.secret_key", "0123456789abcdef-key\n")
    write(directory / "database.url", "postgresql://u:pw@h/db")
    write(directory / "smtp.listen", '["[::1]:25"]')
    write(directory / "server.pem", "is the unit's own")
    write(directory / "other", "too")
    config = load(None, {"CREDENTIALS_DIRECTORY": str(directory)})
    assert config.server.secret_key is not None
    assert config.database.url.reveal() == "postgresql://u:pw@h/db"
    assert config.smtp.listen == (Address("::1", 25),)


def test_credential_of_a_path_setting_is_the_file_itself(directory: Path) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nnever read here\n"
    key, cert = write(directory / "smtp.tls_key", pem), write(directory / "cert.pem", pem)
    smtp = load(None, {"CREDENTIALS_DIRECTORY": str(directory), "EMAILROUTER_SMTP__TLS_CERT_FILE": str(cert)}).smtp
    assert (smtp.tls_cert, smtp.tls_key) == (cert, key)


def test_data_dir(directory: Path) -> None:
    url = {"EMAILROUTER_DATABASE__URL": "sqlite:////srv/mail.db"}
    state = {"STATE_DIRECTORY": "/var/lib/emailrouter:/var/lib/second"}
    assert load(None, {}).server.data_dir == Path()
    assert load(None, url).server.data_dir == Path("/srv")
    assert load(None, url | state).server.data_dir == Path("/var/lib/emailrouter")
    write(Path("emailrouter.toml"), '[server]\ndata_dir = "given"')
    assert load(None, url | state).server.data_dir == Path("given")


def test_kubernetes_variables_are_ignored() -> None:
    added = {
        "EMAILROUTER_SERVICE_HOST": "10.0.0.1",
        "EMAILROUTER_SERVICE_PORT": "25",
        "EMAILROUTER_SERVICE_PORT_SMTP": "25",
        "EMAILROUTER_SMTP_SERVICE_HOST": "10.0.0.1",
        "EMAILROUTER_PORT": "tcp://10.0.0.1:25",
        "EMAILROUTER_PORT_25_TCP": "tcp://10.0.0.1:25",
        "EMAILROUTER_SMTP_PORT_25_TCP_ADDR": "10.0.0.1",
    }
    assert load(None, added) == Config()
    with pytest.raises(ConfigError, match="EMAILROUTER_PORT is not a setting"):
        load(None, {"EMAILROUTER_PORT": "25"})
