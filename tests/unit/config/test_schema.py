"""Defaults, names and immutability of the loaded configuration."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.schema import SECTIONS, SETTINGS, Config, DatabaseSettings, MxHost, ServerSettings
from config.secret import DatabaseUrl
from config.smtp import SmtpSettings
from config.values import Address


def test_specified_defaults() -> None:
    config = Config()
    assert config.server.public_url == "http://127.0.0.1:8080"
    assert config.server.mx_hosts == (MxHost(host=config.server.hostname, priority=10),)
    assert config.server.data_dir == Path()
    assert config.server.secret_key is None
    assert config.server.log_format == "auto"
    assert str(config.database.url) == "sqlite:///emailrouter.db"
    smtp = config.smtp
    assert smtp.listen == (Address("127.0.0.1", 2525),)
    assert (smtp.max_message_bytes, smtp.max_recipients, smtp.max_bytes_in_flight) == (52428800, 100, 134217728)
    assert (smtp.max_connections, smtp.max_connections_per_ip) == (1000, 20)
    assert (smtp.command_timeout, smtp.data_timeout) == (timedelta(seconds=300), timedelta(seconds=120))
    assert (smtp.duplicate_window, smtp.proxy_protocol) == (timedelta(days=5), False)
    assert (smtp.errors_per_session, smtp.max_received_headers) == (10, 50)
    assert config.api.listen == Address("127.0.0.1", 8080)
    assert (config.api.requests_per_minute, config.api.requests_per_day) == (100, 10000)
    assert (config.api.session_requests_per_minute, config.api.max_connections_per_ip) == (600, 100)
    assert (config.dns.nameservers, config.dns.verification) == ((), "auto")
    assert config.dns.recheck_interval == timedelta(days=1)
    delivery = config.delivery
    assert (delivery.per_second, delivery.burst, delivery.digest_after) == (1.0, 5, 20)
    assert (delivery.timeout, delivery.max_age) == (timedelta(seconds=10), timedelta(days=3))
    assert delivery.allow_private_networks is False
    assert (config.retention.raw_messages, config.retention.resolved_tickets) == (None, None)
    assert config.metrics.listen is None


def test_specified_sections() -> None:
    names = "server database smtp api dns checks delivery outgoing retention metrics"
    assert list(SECTIONS) == names.split()
    assert [name for name in Config.model_fields if name != "source"] == list(SECTIONS)
    for name, model in SECTIONS.items():
        assert isinstance(getattr(Config(), name), model)
    assert len({known.variable for known in SETTINGS}) == len(SETTINGS)
    # The variable of a key that ends in _file would look like the `_FILE` variable of another key.
    assert not [known.name for known in SETTINGS if known.key.endswith("_file")]


def test_frozen() -> None:
    config = Config()
    with pytest.raises(ValidationError, match="frozen"):
        config.smtp.max_recipients = 5
    with pytest.raises(ValidationError, match="Extra inputs"):
        SmtpSettings(max_recipient=5)  # type: ignore[call-arg]  # misspelled on purpose


def test_data_dir_defaults_to_the_directory_of_the_sqlite_file() -> None:
    beside = Config(database=DatabaseSettings(url=DatabaseUrl("sqlite:////srv/mail/mail.db")))
    assert beside.server.data_dir == Path("/srv/mail")
    assert Config(database=DatabaseSettings(url=DatabaseUrl("postgresql://u@h/db"))).server.data_dir == Path()
    server = ServerSettings(data_dir=Path("/elsewhere"))
    assert Config(server=server, database=beside.database).server.data_dir == Path("/elsewhere")


def test_config_does_not_modify_its_sections() -> None:
    server = ServerSettings()
    Config(server=server, database=DatabaseSettings(url=DatabaseUrl("sqlite:////srv/mail.db")))
    assert server.data_dir == Path()


def test_mx_hosts_follow_the_hostname() -> None:
    assert ServerSettings(hostname="mx7.example.com").mx_hosts == (MxHost(host="mx7.example.com", priority=10),)


def test_dump_uses_the_written_form_of_values() -> None:
    dump = json.loads(Config(smtp=SmtpSettings(listen=(Address("::", 25),))).model_dump_json())
    assert dump["smtp"]["listen"] == ["[::]:25"]
    assert (dump["api"]["listen"], dump["metrics"]["listen"]) == ("127.0.0.1:8080", None)
    assert json.loads(Config(smtp=SmtpSettings(listen="systemd")).model_dump_json())["smtp"]["listen"] == "systemd"
