"""Fixtures of the integration tests: see `tests.support.fixtures`."""

from tests.support.fixtures import (
    dns_server,
    installation,
    no_secrets_logged,
    postgres_server,
    postgres_url,
    slack,
    store,
)

__all__ = [
    "dns_server",
    "installation",
    "no_secrets_logged",
    "postgres_server",
    "postgres_url",
    "slack",
    "store",
]
