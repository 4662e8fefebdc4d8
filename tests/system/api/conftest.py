"""Re-exports the fixtures of `tests.integration.api.conftest`."""

from tests.integration.api.conftest import served, sqlite_served

__all__ = ["served", "sqlite_served"]
