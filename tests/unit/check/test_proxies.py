"""The check of `api.trusted_proxies`."""

import ssl

import pytest

from emailrouter.check.check_context import CheckContext
from emailrouter.check.proxies import trusted_proxies
from router.clock import SystemClock
from router.dns.resolver import DnsResolver
from tests.support.installation.settings import make_config

HTTPS = "https://tickets.example.org"
HTTP = "http://tickets.example.org"
LOCAL = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("public_url", "listen", "networks", "status"),
    [
        (HTTPS, "127.0.0.1:8080", [], "warn"),
        (HTTPS, "127.0.0.1:8080", ["127.0.0.1/32", "::1/128"], "ok"),
        (HTTPS, "127.0.0.1:8080", ["127.0.0.0/8"], "ok"),
        (HTTPS, "127.0.0.1:8080", ["192.0.2.1/32"], "warn"),
        (HTTPS, "localhost:8080", ["127.0.0.1/32"], "ok"),
        (HTTPS, "[::1]:8080", ["127.0.0.1/32"], "warn"),
        (HTTPS, "0.0.0.0:8080", [], "warn"),
        (HTTPS, "0.0.0.0:8080", ["192.0.2.1/32"], "ok"),
        (HTTPS, "systemd", [], "warn"),
        (HTTPS, "systemd", ["192.0.2.1/32"], "ok"),
        (HTTP, "127.0.0.1:8080", [], "warn"),
        (HTTP, "0.0.0.0:8080", [], ""),
        (HTTP, "systemd", [], ""),
        (LOCAL, "127.0.0.1:8080", [], ""),
        ("http://localhost:8080", "127.0.0.1:8080", [], ""),
    ],
)
async def test_missing_trusted_proxy(public_url: str, listen: str, networks: list[str], status: str) -> None:
    settings = {"server.public_url": public_url, "api.listen": listen, "api.trusted_proxies": networks}
    context = CheckContext(make_config(settings), DnsResolver([("192.0.2.53", 53)]), SystemClock(), tls_context=_TRUST)
    lines = await trusted_proxies(context)
    assert [line.status for line in lines] == ([status] if status else [])
    assert all("[api] trusted_proxies" in line.fix for line in lines if line.status == "warn")


_TRUST = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
