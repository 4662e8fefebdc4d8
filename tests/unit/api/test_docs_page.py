"""The URL in the commands of the API page."""

from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request

from api.docs_page import example_url


@pytest.mark.parametrize(
    ("public_url", "host", "shown"),
    [
        ("http://127.0.0.1:8080", "router.lan:8080", "http://router.lan:8080"),
        ("http://[::1]:8080", "router.lan", "http://router.lan"),
        ("http://127.0.0.1:8080", "a b", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080", "", "http://127.0.0.1:8080"),
        ("https://tickets.example", "other.test", "https://tickets.example"),
        ("https://tickets.example/o'clock", "other.test", "https://tickets.example/o%27clock"),
    ],
)
def test_host_counts_only_with_a_loopback_public_url(public_url: str, host: str, shown: str) -> None:
    request = make_mocked_request("GET", "/api/docs", headers={"Host": host})
    assert example_url(request, public_url, [ip_network("10.0.0.0/8")]) == shown
