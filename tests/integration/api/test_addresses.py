"""Headers set the client address and scheme only if a trusted proxy sends them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.stores import sqlite_store

CLIENT = "203.0.113.9"
PROXIES = ["127.0.0.0/8", "192.0.2.0/24", "2001:db8:1::/48"]


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[ServedInstallation]:
    async with sqlite_store(tmp_path) as store, serve_api(store, served_settings(trusted_proxies=PROXIES)) as served:
        yield served


async def audited_address(served: ServedInstallation, forwarded: list[str]) -> str:
    """Changes the workspace with these X-Forwarded-For fields; returns the client address in the audit entry."""
    headers = [("X-Forwarded-For", value) for value in forwarded] + [("Authorization", f"Bearer {served.login.key}")]
    async with served.session.patch(f"{served.root}/api/workspace", json={"name": "Acme"}, headers=headers) as response:
        assert response.status == 200
    return str((await served.admin.get("/audit")).body["audit"][0]["address"])


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ([], "127.0.0.1"),
        ([CLIENT], CLIENT),
        ([f" {CLIENT} "], CLIENT),
        ([f"10.0.0.1, {CLIENT}"], CLIENT),  # the client itself sent 10.0.0.1
        ([f"10.0.0.1, {CLIENT}, 192.0.2.7"], CLIENT),
        ([f"10.0.0.1, {CLIENT}", "2001:db8:1::7"], CLIENT),
        ([f"::ffff:{CLIENT}"], CLIENT),
        (["2001:db8:2::1"], "2001:db8:2::1"),
        (["192.0.2.7"], "192.0.2.7"),
        (["unknown"], "127.0.0.1"),
        ([f"{CLIENT}, "], "127.0.0.1"),
        ([f"{CLIENT}, unknown, 192.0.2.7"], "192.0.2.7"),
        ([f"{CLIENT}, " + "192.0.2.7, " * 30 + "192.0.2.7"], "192.0.2.7"),
    ],
)
async def test_address_behind_trusted_proxies(proxied: ServedInstallation, forwarded: list[str], address: str) -> None:
    assert await audited_address(proxied, forwarded) == address


async def test_forwarded_header_of_an_untrusted_peer_is_ignored(sqlite_served: ServedInstallation) -> None:
    assert await audited_address(sqlite_served, [CLIENT]) == "127.0.0.1"


async def test_clients_behind_a_proxy_are_throttled_separately(proxied: ServedInstallation) -> None:
    wrong = {"email": proxied.login.email, "password": "a guess of mine"}
    guesser, other = {"X-Forwarded-For": "198.51.100.1"}, {"X-Forwarded-For": CLIENT}
    statuses = [(await proxied.anonymous.post("/auth/login", wrong, headers=guesser)).status for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    right = wrong | {"password": proxied.login.password}
    assert (await proxied.anonymous.post("/auth/login", right, headers=other)).status == 200


async def is_secure(served: ServedInstallation) -> bool:
    login = {"email": served.login.email, "password": served.login.password}
    answer = await served.anonymous.post("/auth/login", login, headers={"X-Forwarded-Proto": "https"})
    return "Secure" in answer.headers["Set-Cookie"]


async def test_https_reported_by_a_trusted_proxy(proxied: ServedInstallation) -> None:
    assert await is_secure(proxied)


async def test_https_reported_by_an_untrusted_peer_is_ignored(sqlite_served: ServedInstallation) -> None:
    assert not await is_secure(sqlite_served)
