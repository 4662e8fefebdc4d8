"""The check whether the addresses of clients are visible."""

import pytest

from emailrouter.check.clients import find_gateway

PUBLIC = [f"203.0.{n}.9" for n in range(100)]


@pytest.mark.parametrize(
    ("peers", "expected"),
    [
        (["172.17.0.1"] * 95 + PUBLIC[:5], "172.17.0.1"),
        (["172.17.0.1"] * 94 + PUBLIC[:6], None),
        (["fd00::1"] * 20, "fd00::1"),
        (["100.64.0.1"] * 20, "100.64.0.1"),
        (["172.17.0.1"] * 19, None),
        ([], None),
        # Tests of the program itself, and programs on this host.
        ([""] * 100, None),
        (["127.0.0.1"] * 100, None),
        (["::1"] * 100, None),
        # One busy sender.
        (["8.8.8.8"] * 100, None),
    ],
)
def test_private_address_of_nearly_all_messages(peers: list[str], expected: str | None) -> None:
    assert find_gateway(peers) == expected
