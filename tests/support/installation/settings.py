"""Settings of a test installation by their documented names (`smtp.max_header_bytes`)."""

from collections.abc import Mapping
from pathlib import Path

from config.schema import Config

HOST = "mx1.host.test"
DOMAIN = "example.org"
# Servers use any free port, webhooks may be on loopback, no name server answers, and free disk space is ignored.
# Senders are not checked: with no name server, each post would wait for the checks.
SETTINGS: Mapping[str, object] = {
    "server.hostname": HOST,
    "smtp.listen": ["127.0.0.1:0"],
    "smtp.min_free_bytes": 0,
    "api.listen": "127.0.0.1:0",
    "dns.nameservers": ["127.0.0.1:9"],
    "checks.enabled": False,
    "delivery.allow_private_networks": True,
}
# No noticeable pacing and no digests. With pacing, deliveries would wait for each other.
UNPACED: Mapping[str, object] = {
    "delivery.per_second": 1000.0,
    "delivery.burst": 1000,
    "delivery.digest_after": 100000,
}


def program_settings(url: str, folder: Path, key: str | None = None) -> dict[str, object]:
    """Returns settings for a started program. key: the secret key; None lets the program create one in `folder`."""
    own = {} if key is None else {"server.secret_key": key}
    return {**SETTINGS, "database.url": url, "server.data_dir": str(folder), **own}


def make_config(settings: Mapping[str, object]) -> Config:
    """Validates settings and adds the defaults. Ignores configuration files and environment variables."""
    document: dict[str, dict[str, object]] = {}
    for key, value in settings.items():
        section, _, name = key.partition(".")
        document.setdefault(section, {})[name] = value
    return Config.model_validate(document)


def split_address(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
