"""Sign-in over REST, and protection against other sites."""

from pathlib import Path
from typing import Any

import pytest

from router.admin.access import sign_in_limits
from router.ratelimit.sliding_window import RateLimit
from tests.support.installation.http import PASSWORD, ApiReply, ServedInstallation, serve_api, served_settings
from tests.support.stores import sqlite_store

EMAIL = "grace@example.org"


async def login(served: ServedInstallation, password: str = PASSWORD, email: str = EMAIL, **options: Any) -> ApiReply:
    return await served.anonymous.post("/auth/login", {"email": email, "password": password}, **options)


@pytest.fixture
def served(sqlite_served: ServedInstallation) -> ServedInstallation:
    return sqlite_served


@pytest.fixture
async def grace(served: ServedInstallation) -> str:
    created = await served.admin.post("/users", {"email": EMAIL, "role": "agent", "password": PASSWORD})
    return str(created.body["id"])


def cookie(reply: ApiReply) -> dict[str, str]:
    return {"Cookie": reply.headers["Set-Cookie"].partition(";")[0]}


async def test_session_cookie_and_its_end(served: ServedInstallation, grace: str) -> None:
    signed_in = await login(served)
    assert signed_in.status == 200
    assert signed_in.body["user"]["id"] == grace
    set_cookie = signed_in.headers["Set-Cookie"]
    assert "HttpOnly" in set_cookie
    assert "SameSite=Lax" in set_cookie
    assert "Secure" not in set_cookie
    headers = cookie(signed_in)
    me = await served.anonymous.get("/auth/me", headers=headers)
    assert (me.body["via"], me.body["user"]["email"], me.body["keyId"]) == ("session", EMAIL, None)
    out = await served.anonymous.post("/auth/logout", headers=headers)
    assert out.status == 204
    assert (await served.anonymous.get("/auth/me", headers=headers)).status == 401
    assert (await served.anonymous.post("/auth/logout", headers=headers)).status == 204


async def test_cookie_of_a_disabled_user_is_rejected(served: ServedInstallation, grace: str) -> None:
    headers = cookie(await login(served))
    await served.admin.patch(f"/users/{grace}", {"disabled": True})
    ended = await served.anonymous.get("/auth/me", headers=headers)
    assert (ended.status, ended.code) == (401, "unauthorized")


async def test_failed_sign_in_does_not_reveal_the_reason(served: ServedInstallation, grace: str) -> None:
    await served.admin.post("/users", {"email": "keys@example.org"})
    wrong = [
        await login(served, "not the password"),
        await login(served, email="nobody@example.org"),
        await login(served, email="keys@example.org"),
        await login(served, email="no address"),
        await login(served, "x" * 3000),
    ]
    assert {(reply.status, reply.content) for reply in wrong} == {(401, wrong[0].content)}


async def test_cross_site_requests_cannot_use_the_cookie(served: ServedInstallation, grace: str) -> None:
    await served.create_alias()
    path = f"/emails/tickets/{await served.accept_ticket()}/claim"
    headers = cookie(await login(served))
    host = served.root.partition("//")[2]
    for foreign in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": served.root},
    ):
        refused = await served.anonymous.post(path, headers=headers | foreign)
        assert (refused.status, refused.code) == (403, "forbidden")
        assert (await login(served, headers=foreign)).status == 403
        assert (await served.anonymous.get("/auth/me", headers=headers | foreign)).status == 200
    for own in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": f"http://{host}"}, {}):
        assert (await served.anonymous.post(path, headers=headers | own)).status == 200
    # Browsers never send an API key on their own.
    assert (await served.admin.post(path, headers={"Origin": "https://evil.test"})).status == 409


async def test_password_guessing_is_throttled(served: ServedInstallation, grace: str) -> None:
    for _ in range(10):
        assert (await login(served, "wrong password")).status == 401
    throttled = await login(served, PASSWORD)
    assert (throttled.status, throttled.code) == (429, "rate_limited")
    assert 1 <= int(throttled.headers["Retry-After"]) <= 1800
    assert (await login(served, "wrong password", email="admin@example.org")).status == 401


async def test_device_cookie_outlives_the_session(
    served: ServedInstallation, grace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_limits, "ACCOUNT_LIMIT", RateLimit(1, 3600))
    signed_in = await login(served)
    session, device = (header.partition(";")[0] for header in signed_in.headers.getall("Set-Cookie"))
    assert device.startswith("er_device=")
    assert all("HttpOnly" in header and "SameSite=Lax" in header for header in signed_in.headers.getall("Set-Cookie"))
    out = await served.anonymous.post("/auth/logout", headers={"Cookie": f"{session}; {device}"})
    assert [header.partition("=")[0] for header in out.headers.getall("Set-Cookie")] == ["er_session"]
    assert (await login(served, "a guess")).status == 401
    assert (await login(served)).status == 429
    known = await login(served, headers={"Cookie": device})
    assert known.status == 200
    body = {"currentPassword": PASSWORD, "password": "another horse battery"}
    changed = await served.anonymous.post("/auth/password", body, headers=cookie(known))
    assert (changed.status, changed.headers["Set-Cookie"].partition("=")[0]) == (204, "er_device")
    device = changed.headers["Set-Cookie"].partition(";")[0]
    assert (await login(served, "another horse battery", headers={"Cookie": device})).status == 200


async def test_cookie_has_the_host_prefix_with_https(tmp_path: Path) -> None:
    settings = {**served_settings(), "server.public_url": "HTTPS://mail.example.org"}
    async with sqlite_store(tmp_path) as store, serve_api(store, settings) as served:
        reply = await login(served, served.login.password, served.login.email)
        set_cookie = reply.headers["Set-Cookie"]
        assert set_cookie.startswith("__Host-er_session=")
        assert {"Secure", "Path=/"} <= set(set_cookie.split("; "))
        assert "Domain" not in set_cookie
        assert reply.headers.getall("Set-Cookie")[1].startswith("__Host-er_device=")
        assert (await served.anonymous.get("/auth/me", headers=cookie(reply))).status == 200
        # A subdomain could have set this cookie.
        planted = {"Cookie": cookie(reply)["Cookie"].removeprefix("__Host-")}
        assert (await served.anonymous.get("/auth/me", headers=planted)).status == 401
        removed = await served.anonymous.post("/auth/logout", headers=cookie(reply))
        assert removed.headers["Set-Cookie"].startswith('__Host-er_session="";')
        scheme = (await served.anonymous.get("/openapi.json")).body["components"]["securitySchemes"]["session"]
        assert scheme["name"] == "__Host-er_session"
        for path in ("//sign-in", "/auth/me", "//static/none", "//healthz"):
            answer = await served.anonymous.get(path)
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000", path


async def test_responses_cannot_be_used_by_other_sites(served: ServedInstallation) -> None:
    for path in ("/auth/me", "/nothing", "/domains", "//healthz", "/openapi.json"):
        answer = await served.admin.get(path)
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'", path
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Strict-Transport-Security" not in answer.headers, "this installation is reached by plain HTTP"
