"""Both event loops for every test of the door, and certificates for STARTTLS, made once for a run."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import trustme
import uvloop
from hypothesis import settings

from tests.support.smtp_doubles import HOSTNAME

# The readers against their references for longer than a test run has time:
# `pytest --hypothesis-profile=long --timeout=0 tests/unit/smtp/test_data.py tests/unit/smtp/test_lines.py`
settings.register_profile("long", max_examples=200_000, deadline=None, database=None)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The door works on both loops; what differs is start_tls, half-closed sockets and pausing."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """The authority that the tests' clients trust."""
    return trustme.CA()


@pytest.fixture(scope="session")
def tls_files(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Certificate chain and key of the server, as files."""
    return write_certificate(ca, tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def tls_client(ca: trustme.CA) -> ssl.SSLContext:
    """A client's context that checks the certificate, but not whether the name is the one of loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    ca.configure_trust(context)
    return context


def write_certificate(ca: trustme.CA, folder: Path) -> tuple[Path, Path]:
    """A new certificate for the server's name in `chain.pem` and `key.pem` of a folder."""
    issued = ca.issue_cert(HOSTNAME)
    chain, key = folder / "chain.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    return chain, key
