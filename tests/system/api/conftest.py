"""Makes the API fixtures of `tests.integration.api.conftest` available to these tests."""

from tests.integration.api.conftest import served, sqlite_served

__all__ = ["served", "sqlite_served"]
