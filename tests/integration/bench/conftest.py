"""A certificate for the tests with TLS."""

from pathlib import Path

import pytest

from bench.installation import write_certificate


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificate(tmp_path_factory.mktemp("bench-tls"))
