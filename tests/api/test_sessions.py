"""Signing in with a password: the cookie, who may send it, and throttling."""

from typing import Any

import pytest

from tests.api.desk import PASSWORD, Desk, Reply, config, served
from tests.support.clock import FakeClock
from tests.support.stores import Store

EMAIL = "grace@example.org"


async def login(desk: Desk, password: str = PASSWORD, email: str = EMAIL, **options: Any) -> Reply:
    return await desk.nobody.post("/auth/login", {"email": email, "password": password}, **options)


@pytest.fixture
async def grace(desk: Desk) -> str:
    made = await desk.admin.post("/users", {"email": EMAIL, "role": "agent", "password": PASSWORD})
    return str(made.body["id"])


def cookie(reply: Reply) -> dict[str, str]:
    return {"Cookie": reply.headers["Set-Cookie"].partition(";")[0]}


async def test_a_session_is_a_cookie_that_ends(desk: Desk, grace: str) -> None:
    signed_in = await login(desk)
    assert signed_in.status == 200
    assert signed_in.body["user"]["id"] == grace
    set_cookie = signed_in.headers["Set-Cookie"]
    assert "HttpOnly" in set_cookie
    assert "SameSite=Lax" in set_cookie
    assert "Secure" not in set_cookie
    headers = cookie(signed_in)
    me = await desk.nobody.get("/auth/me", headers=headers)
    assert (me.body["via"], me.body["user"]["email"], me.body["keyId"]) == ("session", EMAIL, None)
    out = await desk.nobody.post("/auth/logout", headers=headers)
    assert out.status == 204
    assert (await desk.nobody.get("/auth/me", headers=headers)).status == 401
    assert (await desk.nobody.post("/auth/logout", headers=headers)).status == 204


async def test_sessions_end_with_time_with_a_new_password_and_with_the_user(desk: Desk, grace: str) -> None:
    first = cookie(await login(desk))
    await desk.admin.patch(f"/users/{grace}", {"password": PASSWORD + "!"})
    assert (await desk.nobody.get("/auth/me", headers=first)).status == 401
    second = cookie(await login(desk, PASSWORD + "!"))
    desk.clock.advance(days=14)
    assert (await desk.nobody.get("/auth/me", headers=second)).status == 401
    third = cookie(await login(desk, PASSWORD + "!"))
    await desk.admin.patch(f"/users/{grace}", {"disabled": True})
    assert (await desk.nobody.get("/auth/me", headers=third)).status == 401
    assert (await login(desk, PASSWORD + "!")).status == 401


async def test_what_is_wrong_is_not_told(desk: Desk, grace: str) -> None:
    await desk.admin.post("/users", {"email": "keys@example.org"})
    wrong = [
        await login(desk, "not the password"),
        await login(desk, email="nobody@example.org"),
        await login(desk, email="keys@example.org"),
        await login(desk, email="no address"),
        await login(desk, "x" * 3000),
    ]
    assert {(reply.status, reply.octets) for reply in wrong} == {(401, wrong[0].octets)}


async def test_another_sites_page_cannot_use_the_cookie(desk: Desk, grace: str) -> None:
    await desk.alias()
    path = f"/emails/tickets/{await desk.ticket()}/claim"
    headers = cookie(await login(desk))
    host = desk.root.partition("//")[2]
    for foreign in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": desk.root},
    ):
        refused = await desk.nobody.post(path, headers=headers | foreign)
        assert (refused.status, refused.code) == (403, "forbidden")
        assert (await login(desk, headers=foreign)).status == 403
        assert (await desk.nobody.get("/auth/me", headers=headers | foreign)).status == 200
    for own in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": f"http://{host}"}, {}):
        assert (await desk.nobody.post(path, headers=headers | own)).status == 200
    # A key is not sent by browsers on their own.
    assert (await desk.admin.post(path, headers={"Origin": "https://evil.test"})).status == 409


async def test_guessing_is_throttled_for_the_guesser_alone(desk: Desk, grace: str) -> None:
    for _ in range(10):
        assert (await login(desk, "wrong password")).status == 401
    throttled = await login(desk, PASSWORD)
    assert (throttled.status, throttled.code) == (429, "rate_limited")
    assert 1 <= int(throttled.headers["Retry-After"]) <= 1800
    other = await login(desk, "wrong password", email="admin@example.org")
    assert other.status == 401
    # From elsewhere the account is open.
    await desk.services.sessions.login(EMAIL, PASSWORD, address="198.51.100.9")
    desk.clock.advance(1800)
    assert (await login(desk)).status == 200


async def test_behind_https_the_cookie_is_secure(store: Store) -> None:
    settings = config()
    server = settings.server.model_copy(update={"public_url": "https://mail.example.org"})
    async with served(store, settings.model_copy(update={"server": server}), clock=FakeClock()) as desk:
        reply = await desk.nobody.post("/auth/login", {"email": desk.login.email, "password": desk.login.password})
        assert "Secure" in reply.headers["Set-Cookie"]
