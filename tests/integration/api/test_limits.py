"""The two limits as clients see them: headers on every authenticated answer, 429 beyond."""

from collections.abc import AsyncIterator

import pytest

from tests.support.clock import FakeClock
from tests.support.installation.http import ServedInstallation, served_settings, serving
from tests.support.stores import Store

NOON = 1893499200  # the test clock's beginning, 2030-01-01T12:00:00Z


@pytest.fixture
async def limited(store: Store) -> AsyncIterator[ServedInstallation]:
    async with serving(store, served_settings(requests_per_minute=5, requests_per_day=12)) as served:
        yield served


async def test_the_headers_are_of_the_nearer_limit(limited: ServedInstallation) -> None:
    seen = [await limited.admin.get(path) for path in ("/domains", "/nothing-like-it", "/domains/x", "/domains")]
    counted = [answer for answer in seen if "X-RateLimit-Limit" in answer.headers]
    assert [answer.status for answer in counted] == [200, 404, 200]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in counted] == ["4", "3", "2"]
    assert counted[0].headers["X-RateLimit-Limit"] == "5"
    assert counted[0].headers["X-RateLimit-Reset"] == str(NOON + 60)
    assert "X-RateLimit-Limit" not in (await limited.nobody.get("/domains")).headers


async def test_beyond_the_minute_and_beyond_the_day(limited: ServedInstallation) -> None:
    agent, _ = await limited.person("agent")
    statuses = [(await limited.admin.get("/domains")).status for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    refused = await limited.admin.get("/domains")
    assert (refused.code, refused.headers["X-RateLimit-Remaining"]) == ("rate_limited", "0")
    assert 60 <= int(refused.headers["Retry-After"]) <= 120
    assert (await agent.get("/domains")).status == 200  # another key
    limited.clock.advance(int(refused.headers["Retry-After"]))
    assert (await limited.admin.get("/domains")).status == 200
    limited.clock.advance(600)
    statuses = [(await limited.admin.get("/domains")).status for _ in range(6)]
    assert statuses == [200] * 5 + [429]  # 12 today, refused ones not counted
    over = await agent.get("/domains")
    assert (over.status, over.headers["X-RateLimit-Limit"]) == (429, "12")


async def test_forbidden_requests_count_too_and_a_session_is_one(limited: ServedInstallation) -> None:
    viewer, _ = await limited.person("viewer")
    for remaining in ("4", "3"):
        refused = await viewer.post("/domains", {"domain": "example.org"})
        assert (refused.status, refused.headers.get("X-RateLimit-Remaining")) == (403, remaining)
    login = {"email": limited.login.email, "password": limited.login.password}
    cookies = [
        (await limited.nobody.post("/auth/login", login)).headers["Set-Cookie"].partition(";")[0] for _ in range(2)
    ]
    one, two = ({"Cookie": cookie} for cookie in cookies)
    assert [(await limited.nobody.get("/domains", headers=one)).status for _ in range(6)] == [200] * 5 + [429]
    assert (await limited.nobody.get("/domains", headers=two)).status == 200


async def test_two_processes_over_one_postgresql_allow_no_more_than_one(store: Store) -> None:
    if store.kind == "sqlite":
        pytest.skip("one host, one process: tests/integration/admin/test_rate_limits.py")
    settings, clock = served_settings(requests_per_minute=5), FakeClock()
    async with (
        serving(store, settings, clock=clock) as one,
        serving(store, settings, clock=clock, login=one.login) as two,
    ):
        statuses = [(await served.admin.get("/domains")).status for _ in range(4) for served in (one, two)]
        assert statuses == [200] * 5 + [429] * 3
