"""A certificate for the generator's STARTTLS."""

from pathlib import Path

import pytest

from bench.installation import write_certificate


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Certificate and key, as files."""
    return write_certificate(tmp_path_factory.mktemp("bench-tls"))
