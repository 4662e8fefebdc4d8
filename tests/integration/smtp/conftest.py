"""Runs async tests on both event loops, with the fixtures of `tests.unit.smtp.conftest`."""

from tests.unit.smtp.conftest import ca, pytest_asyncio_loop_factories, tls_client, tls_files

__all__ = ["ca", "pytest_asyncio_loop_factories", "tls_client", "tls_files"]
