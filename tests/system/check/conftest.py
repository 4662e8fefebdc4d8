"""Makes the fixture of `tests.integration.check.conftest` available to these tests."""

from tests.integration.check.conftest import setup

__all__ = ["setup"]
