"""Makes the fixtures of `tests.integration.dashboard.conftest` available to these tests."""

from tests.integration.dashboard.conftest import (
    chromium_browser,
    populated,
    served,
    site,
    sqlite_served,
    window,
)

__all__ = ["chromium_browser", "populated", "served", "site", "sqlite_served", "window"]
