"""Re-exports the fixtures of `tests.integration.check.conftest`."""

from tests.integration.check.conftest import setup

__all__ = ["setup"]
