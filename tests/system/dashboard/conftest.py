"""Re-exports the fixtures of `tests.integration.dashboard.conftest`."""

from tests.integration.dashboard.conftest import (
    chromium_browser,
    populated,
    served,
    site,
    sqlite_served,
    window,
)

__all__ = ["chromium_browser", "populated", "served", "site", "sqlite_served", "window"]
