"""Re-exports the fixtures of `tests.support.fixtures` for the system tests."""

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
