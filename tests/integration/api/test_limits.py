"""Rate limits as clients see them."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web

from api.dashboard.change_feed import MAX_STREAMS_PER_USER
from api.dashboard.page import PageRoute
from api.dashboard.views import PAGES
from api.declaration import DeclaredHandler
from api.middleware.rate_limit import AUTOMATIC_REQUESTS, MINUTE_SECONDS, REFRESH_HEADER, rate_limit
from api.request_keys import CALLER
from config.schema import ApiSettings
from router.admin.access.authentication import Caller
from router.model import Actor
from router.ratelimit.failure_throttle import RateLimited
from router.ratelimit.request_limiter import ProcessRateLimiter
from tests.support.clock import FakeClock
from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.stores import Store, sqlite_store

NOON = 1893499200  # start of the test clock, 2030-01-01T12:00:00Z


@pytest.fixture
async def limited(store: Store) -> AsyncIterator[ServedInstallation]:
    async with serve_api(
        store, served_settings(requests_per_minute=5, requests_per_day=12, session_requests_per_minute=8)
    ) as served:
        yield served


async def test_headers_show_the_limit_closest_to_being_reached(limited: ServedInstallation) -> None:
    seen = [await limited.admin.get(path) for path in ("/domains", "/nothing-like-it", "/domains/x", "/domains")]
    counted = [answer for answer in seen if "X-RateLimit-Limit" in answer.headers]
    assert [answer.status for answer in counted] == [200, 404, 200]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in counted] == ["4", "3", "2"]
    assert counted[0].headers["X-RateLimit-Limit"] == "5"
    assert counted[0].headers["X-RateLimit-Reset"] == str(NOON + 60)
    assert "X-RateLimit-Limit" not in (await limited.anonymous.get("/domains")).headers


async def test_minute_and_day_limits(limited: ServedInstallation) -> None:
    agent, _ = await limited.add_client("agent")
    statuses = [(await limited.admin.get("/domains")).status for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    refused = await limited.admin.get("/domains")
    assert (refused.code, refused.headers["X-RateLimit-Remaining"]) == ("rate_limited", "0")
    assert 60 <= int(refused.headers["Retry-After"]) <= 120
    assert (await agent.get("/domains")).status == 200
    limited.clock.advance(int(refused.headers["Retry-After"]))
    assert (await limited.admin.get("/domains")).status == 200
    limited.clock.advance(600)
    statuses = [(await limited.admin.get("/domains")).status for _ in range(6)]
    # The workspace now has 12 accepted requests on this day. Requests that got 429 do not count.
    assert statuses == [200] * 5 + [429]
    limited_response = await agent.get("/domains")
    assert (limited_response.status, limited_response.headers["X-RateLimit-Limit"]) == (429, "12")


async def test_forbidden_requests_count(limited: ServedInstallation) -> None:
    viewer, _ = await limited.add_client("viewer")
    for remaining in ("4", "3"):
        refused = await viewer.post("/domains", {"domain": "example.org"})
        assert (refused.status, refused.headers.get("X-RateLimit-Remaining")) == (403, remaining)


async def test_sessions_of_a_user_share_a_minute_limit_and_have_no_day_limit(
    limited: ServedInstallation,
) -> None:
    statuses = [(await limited.admin.get("/domains")).status for _ in range(6)]
    limited.clock.advance(600)
    statuses += [(await limited.admin.get("/domains")).status for _ in range(6)]
    limited.clock.advance(600)
    statuses += [(await limited.admin.get("/domains")).status for _ in range(3)]
    assert statuses == [200] * 5 + [429] + [200] * 5 + [429] + [200] * 2 + [429]
    limited_response = await limited.admin.get("/domains")
    assert (limited_response.status, limited_response.headers["X-RateLimit-Limit"]) == (429, "12")
    one, two = [{"Cookie": await session_cookie(limited)} for _ in range(2)]
    for _ in range(2):  # 16 accepted requests, although the API key has reached the day limit of 12
        answers = [await limited.anonymous.get("/domains", headers=cookie) for cookie in (one, two) * 5]
        assert [answer.status for answer in answers] == [200] * 8 + [429] * 2
        assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"8"}
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 120
        limited.clock.advance(600)
    keys = (await limited.anonymous.get("/keys", headers=one)).body["keys"]
    revoked = await limited.anonymous.delete(f"/keys/{keys[-1]['id']}", headers=two)
    assert (revoked.status, (await limited.admin.get("/domains")).status) == (204, 401)


async def session_cookie(served: ServedInstallation) -> str:
    login = {"email": served.login.email, "password": served.login.password}
    cookie: str = (await served.anonymous.post("/auth/login", login)).headers["Set-Cookie"].partition(";")[0]
    return cookie


async def test_automatic_requests_of_a_page_are_not_counted(limited: ServedInstallation) -> None:
    cookie = {"Cookie": await session_cookie(limited)}
    for _ in range(6):
        refreshed = await limited.anonymous.get("//tickets", headers=cookie | {REFRESH_HEADER: "1"})
        stream = await limited.anonymous.request("HEAD", "//live", headers=cookie)
        assert (refreshed.status, stream.status) == (200, 200)
        assert refreshed.headers["X-RateLimit-Limit"] == "1200"
    # The refresh header has no effect on other requests.
    for method, path in (("GET", "/domains"), ("POST", "//account/password"), ("GET", "//tickets/1/messages/1/html")):
        answer = await limited.anonymous.request(method, path, headers=cookie | {REFRESH_HEADER: "1"})
        assert answer.headers["X-RateLimit-Limit"] == "8", path


class RequestStub(dict[Any, Any]):
    """The parts of a request that the middleware reads."""

    def __init__(self, method: str, page: PageRoute, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__({CALLER: Caller(Actor("ws_1", "agent", user_id="user_1"), "session:1", is_session=True)})
        self.method = method
        self.headers = headers
        self.match_info = SimpleNamespace(handler=SimpleNamespace(__self__=DeclaredHandler(page)))


async def test_an_hour_of_triage_stays_below_the_limits(tmp_path: Path) -> None:
    clock = FakeClock()
    async with sqlite_store(tmp_path) as store:
        limits = ProcessRateLimiter(store.database, clock)
        middleware = rate_limit(limits, ApiSettings())
        pages = {(page.method, page.path): page for page in PAGES}
        ticket = "/tickets/{id}"
        ticket_requests = [
            RequestStub("GET", pages["GET", "/tickets/unassigned"]),
            RequestStub("GET", pages["GET", f"{ticket}/messages/{{message}}/html"]),
            RequestStub("GET", pages["GET", f"{ticket}/messages/{{message}}/text"]),
        ]
        for action in ("claim", "notes", "status"):
            ticket_requests += [
                RequestStub("GET", pages["GET", ticket]),
                RequestStub("POST", pages["POST", f"{ticket}/{action}"]),
            ]
        streams = [RequestStub("GET", pages["GET", "/live"])] * 5
        refreshes = [RequestStub("GET", pages["GET", ticket], {REFRESH_HEADER: "1"})] * 5
        for _ in range(1200):
            for request in (*ticket_requests, *streams, *refreshes * 3):
                await middleware(cast("web.Request", request), _answer)
            clock.advance(3)
        clock.advance(120)
        assert AUTOMATIC_REQUESTS == MAX_STREAMS_PER_USER * MINUTE_SECONDS, "each page refreshes once a second"
        for _ in range(AUTOMATIC_REQUESTS):
            await middleware(cast("web.Request", refreshes[0]), _answer)
        with pytest.raises(RateLimited):
            await middleware(cast("web.Request", refreshes[0]), _answer)
        await limits.close()


async def _answer(_: web.Request) -> web.StreamResponse:
    return web.Response()


async def test_two_processes_share_the_limits_on_postgresql(store: Store) -> None:
    if store.kind == "sqlite":
        pytest.skip("one host, one process: tests/integration/admin/test_rate_limits.py")
    settings, clock = served_settings(requests_per_minute=5), FakeClock()
    async with (
        serve_api(store, settings, clock=clock) as one,
        serve_api(store, settings, clock=clock, login=one.login) as two,
    ):
        statuses = [(await served.admin.get("/domains")).status for _ in range(4) for served in (one, two)]
        assert statuses == [200] * 5 + [429] * 3
