"""Re-exports the fixtures and the event loops of `tests.unit.smtp.conftest`."""

from tests.unit.smtp.conftest import ca, pytest_asyncio_loop_factories, tls_client, tls_files

__all__ = ["ca", "pytest_asyncio_loop_factories", "tls_client", "tls_files"]
