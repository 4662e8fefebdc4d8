"""The address to open for the first sign-in."""

import pytest

from config.load import load
from emailrouter.first_login import first_address


@pytest.mark.parametrize(
    ("public_url", "listen", "address"),
    [
        ("", "", "http://127.0.0.1:8080"),
        ("", "127.0.0.1:9090", "http://127.0.0.1:9090"),
        ("http://localhost:8080", "[::1]:9090", "http://[::1]:9090"),
        ("", "0.0.0.0:9090", "http://127.0.0.1:9090"),
        ("", "[::]:9090", "http://[::1]:9090"),
        ("", "192.0.2.7:9090", "http://192.0.2.7:9090"),
        ("", "127.0.0.1:0", "http://127.0.0.1:8080"),  # The system selects the port, which is not known yet.
        ("", "systemd", "http://127.0.0.1:8080"),
        ("https://tickets.example.com", "127.0.0.1:9090", "https://tickets.example.com"),
    ],
)
def test_first_address(public_url: str, listen: str, address: str) -> None:
    environment = {"EMAILROUTER_SERVER__PUBLIC_URL": public_url, "EMAILROUTER_API__LISTEN": listen}
    assert first_address(load(None, {name: value for name, value in environment.items() if value})) == address
