"""The fixtures of `tests.integration.dashboard.conftest`."""

from tests.integration.dashboard.conftest import chrome, furnished, served, shop, sqlite_served, window

__all__ = ["chrome", "furnished", "served", "shop", "sqlite_served", "window"]
