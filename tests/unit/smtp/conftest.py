"""Runs async tests on asyncio and uvloop, and creates certificates for STARTTLS."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import trustme
import uvloop

from tests.support.smtp_doubles import HOSTNAME


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each async test runs on both event loops."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def tls_files(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_certificate(ca, tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def tls_client(ca: trustme.CA) -> ssl.SSLContext:
    """A client context that verifies the certificate, but not the host name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    ca.configure_trust(context)
    return context


def write_certificate(ca: trustme.CA, directory: Path) -> tuple[Path, Path]:
    issued = ca.issue_cert(HOSTNAME)
    chain, key = directory / "chain.pem", directory / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    return chain, key
