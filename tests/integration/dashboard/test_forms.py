"""Sign-in, account, ticket actions and response headers over plain HTTP, without JavaScript."""

import re
from pathlib import Path

import pytest

from api.dashboard import redirects
from router.admin.access.sessions import SessionService
from router.admin.tickets import lists
from router.errors import Unavailable
from router.search import scans
from tests.support import mails
from tests.support.clock import FakeClock
from tests.support.installation.dashboard import FormClient, anonymous_client, create_user, signed_in_client
from tests.support.installation.http import PASSWORD, ServedInstallation, serve_api, served_settings
from tests.support.stores import Store, sqlite_store


async def test_sign_in_redirects_to_requested_page(served: ServedInstallation) -> None:
    email, _ = await create_user(served, "agent")
    client = anonymous_client(served)
    sent = await client.get("/tickets?status=open&q=a%20b")
    assert sent.location == "/sign-in?next=%2Ftickets%3Fstatus%3Dopen%26q%3Da%2520b"
    page = await client.get(sent.location)
    wanted = re.search(r'name="next" value="([^"]*)"', page.text)
    assert wanted
    form = {"email": email, "password": PASSWORD, "next": wanted[1].replace("&amp;", "&")}
    response = await client.post("/sign-in", form)
    assert (response.status, response.location) == (303, "/tickets?status=open&q=a%20b")
    assert "HttpOnly" in response.headers["Set-Cookie"]
    assert [cookie.partition("=")[0] for cookie in response.headers.getall("Set-Cookie")] == ["er_session", "er_device"]
    assert (await client.get(response.location)).status == 200
    out = await client.post_and_follow("/sign-out", {})
    assert "You are signed out." in out.visible_text
    assert (await client.get("/tickets")).status == 303


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.test/",
        "//evil.test",
        "/\\evil.test",
        "/\t/evil.test",
        "/a\r\nX: y",
        "javascript:alert(1)",
        "",
        "\\",
    ],
)
async def test_redirect_targets_are_local(sqlite_served: ServedInstallation, elsewhere: str) -> None:
    assert redirects.local_path(elsewhere) == "/"
    email, _ = await create_user(sqlite_served, "viewer")
    response = await anonymous_client(sqlite_served).post(
        "/sign-in", {"email": email, "password": PASSWORD, "next": elsewhere}
    )
    assert (response.status, response.location) == (303, "/")


async def test_wrong_password_keeps_email_address(sqlite_served: ServedInstallation) -> None:
    client = anonymous_client(sqlite_served)
    form = {"email": 'a"<b>@example.org', "password": "never the one", "next": "/tickets/mine"}
    for _ in range(10):
        response = await client.post("/sign-in", form)
        assert response.status == 401
    assert "Incorrect email or password" in response.visible_text
    assert 'value="a&#34;&lt;b&gt;@example.org"' in response.text
    assert "never the one" not in response.text
    assert 'value="/tickets/mine"' in response.text
    throttled = await client.post("/sign-in", form)
    assert throttled.status == 429
    assert int(throttled.headers["Retry-After"]) >= 1


async def test_setup_link_works_once(served: ServedInstallation) -> None:
    client = anonymous_client(served)
    path = f"/welcome?token={served.login.link}"
    assert "Create the first admin account" in (await client.get(path)).visible_text
    form = {"token": served.login.link, "email": "Grace@Example.ORG", "name": "Grace", "password": "short"}
    response = await client.post("/welcome", form)
    assert (response.status, 'id="e-password"' in response.text, 'value="Grace"' in response.text) == (400, True, True)
    response = await client.post_and_follow("/welcome", form | {"password": PASSWORD})
    assert "These steps lead to your first ticket" in response.visible_text
    response = await client.get("/account?note=welcome")
    assert "grace@example.org" in response.visible_text
    assert "You are the first admin" in response.visible_text
    assert (await anonymous_client(served).get(path)).status == 404
    assert (await anonymous_client(served).post("/welcome", form | {"password": PASSWORD})).status == 404
    assert (await served.services.sessions.sign_in("grace@example.org", PASSWORD, address="")).user.role == "admin"
    audit = await served.services.audit.list(served.actor)
    assert [entry.action for entry in audit.items] == ["user.sign_in", "user.sign_in", "user.change"]
    assert PASSWORD not in audit.items[2].detail


async def test_setup_link_ends_with_password_change(served: ServedInstallation) -> None:
    path = f"/welcome?token={served.login.link}"
    assert (await anonymous_client(served).get("/welcome?token=" + "x" * 43)).status == 404
    await served.services.users.change(served.actor, served.login.user_id, password=PASSWORD)
    assert (await anonymous_client(served).get(path)).status == 404


async def test_setup_link_expires_after_a_week(store: Store) -> None:
    async with serve_api(store, clock=FakeClock()) as served:
        path = f"/welcome?token={served.login.link}"
        served.clock.advance(days=6)
        assert (await anonymous_client(served).get(path)).status == 200
        served.clock.advance(days=1)
        assert (await anonymous_client(served).get(path)).status == 404


async def test_own_password_and_sessions(served: ServedInstallation) -> None:
    here = await signed_in_client(served, "viewer", "ada@people.test")
    there = anonymous_client(served)
    form = {"email": "ada@people.test", "password": PASSWORD}
    await there.post("/sign-in", form)
    page = await here.get("/account")
    (end,) = re.findall(r'action="(/account/sessions/\w+/end)"', page.text)
    assert "Session ended." in (await here.post_and_follow(end, {})).visible_text
    assert (await there.get("/account")).status == 303
    assert (await here.post(end)).status == 404
    await there.post("/sign-in", form)
    wrong = await here.post("/account/password", {"currentPassword": "no", "password": "another password"})
    assert (wrong.status, 'id="e-currentPassword"' in wrong.text) == (400, True)
    short = await here.post("/account/password", {"currentPassword": PASSWORD, "password": "x"})
    assert (short.status, 'id="e-password"' in short.text) == (400, True)
    response = await here.post_and_follow(
        "/account/password", {"currentPassword": PASSWORD, "password": "another password"}
    )
    assert "Password changed." in response.visible_text
    assert (await there.get("/account")).status == 303
    assert (await anonymous_client(served).post("/sign-in", form)).status == 401


async def test_ticket_actions(served: ServedInstallation) -> None:
    await served.create_alias()
    url = f"/tickets/{await served.accept_ticket(mails.with_attachment())}"
    agent = await signed_in_client(served, "agent")
    other = await signed_in_client(served, "agent", "other@people.test")
    viewer = await signed_in_client(served, "viewer")
    assert "Siehe Anhang" in (await agent.get(url)).visible_text
    assert "Ticket assigned to you." in (await agent.post_and_follow(f"{url}/claim", {})).visible_text
    taken = await other.post(f"{url}/claim")
    assert (taken.status, "already assigned to another user" in taken.visible_text) == (409, True)
    refused = await other.post(f"{url}/unclaim")
    assert (refused.status, "is not assigned to you" in refused.visible_text) == (403, True)
    empty = await agent.post(f"{url}/notes", {"text": " "})
    assert (empty.status, 'id="e-text"' in empty.text) == (400, True)
    noted = await agent.post_and_follow(f"{url}/notes", {"text": "<b>Called</b> & back"})
    assert "&lt;b&gt;Called&lt;/b&gt; &amp; back" in noted.text
    assert (await agent.post(f"{url}/status", {"status": "gone"})).status == 400
    assert "Resolved" in (await agent.post_and_follow(f"{url}/status", {"status": "resolved"})).visible_text
    assert (await agent.post(f"{url}/claim")).status == 409
    response = await viewer.get(url)
    assert "set the status to Resolved" in response.visible_text
    assert f'action="{url}' not in response.text, "a viewer sees no action"
    assert (await viewer.post(f"{url}/notes", {"text": "x"})).status == 403
    files = re.findall(r'href="(/api/emails/[^"]+)"', response.text)
    for path in files:
        got = await viewer.get(path)
        assert got.headers["Content-Disposition"].startswith("attachment")
        assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert len(files) == 2


async def test_ticket_search_and_pagination(served: ServedInstallation) -> None:
    await served.create_alias()
    for number in range(52):
        await served.accept_ticket(mails.plain(subject=f"Order {number:02}"))
    client = await signed_in_client(served, "viewer")
    first = await client.get("/tickets/unassigned")
    second = await client.get(first.next_path)
    shown = [re.findall(r"Order \d\d", page.text) for page in (first, second)]
    assert [len(found) for found in shown] == [40, 12]
    assert sorted(shown[0] + shown[1]) == [f"Order {number:02}" for number in range(52)]
    await served.core.contents.parse_missing(60)
    found = await client.get("/tickets?q=order+07")
    assert re.findall(r"Order \d\d", found.text) == ["Order 07"]
    assert "No tickets match" in (await client.get("/tickets?q=nothing+has+this")).visible_text
    assert (await client.get("/tickets?status=gone")).status == 400
    assert (await client.get("/tickets?cursor=gone")).status == 400


async def test_a_search_that_ends_early_can_be_continued(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = sqlite_served
    await served.create_alias()
    await served.accept_ticket(mails.plain(subject="A kettle"))
    for _ in range(60):
        await served.accept_ticket(mails.plain(subject="A door"))
    while "kettle" not in str(await served.execute("SELECT words FROM ticket_search")):
        await served.core.contents.parse_missing(60)
    monkeypatch.setattr(scans, "FIRST_SCAN_PAGES", 1)
    monkeypatch.setattr(lists, "SEARCH_BUDGET", 1)
    client = await signed_in_client(served, "viewer")
    first = await client.get("/tickets?q=kettle")
    assert "No tickets match so far" in first.visible_text
    last = await client.get(first.next_path)
    assert "A kettle" in last.visible_text
    assert "Continue searching" not in last.visible_text


async def test_headers(sqlite_served: ServedInstallation) -> None:
    client = await signed_in_client(sqlite_served, "viewer")
    for path, status in (("/tickets", 200), ("/sign-in", 200), ("/nothing", 404), ("/tickets/1", 404)):
        response = await client.get(path)
        policy = response.headers["Content-Security-Policy"]
        assert (response.status, response.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
        assert policy.startswith("default-src 'none'; script-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert not re.search(r"<script(?! src=\"/static/)|<style|\sstyle=|\son\w+=", response.text)
        assert "Set-Cookie" not in response.headers
        assert "Traceback" not in response.text
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', (await client.get("/tickets")).text):
        file = await client.get(path)
        assert (file.status, "immutable" in file.headers["Cache-Control"]) == (200, True)
        assert (await client.get(re.sub(r"\.\w{12}\.", ".000000000000.", path))).status == 404
    assert (await sqlite_served.anonymous.get("//nothing")).code == "not_found"
    assert (await client.get("/api/nothing")).headers["Content-Type"].startswith("application/json")
    assert (await client.request("DELETE", "/tickets")).status == 405


async def test_oversized_and_malformed_forms(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path) as store, serve_api(store, served_settings(max_body_bytes=4096)) as served:
        await assert_forms_rejected(await signed_in_client(served, "agent"))


async def assert_forms_rejected(client: FormClient) -> None:
    assert (await client.post("/account/password", {"password": "x" * 5000})).status == 413
    json = await client.request("POST", "/account/password", json={"password": "x"}, headers={"Origin": client.root})
    assert json.status == 415
    assert (await client.post("/account/password", {"currentPassword": "\x00"})).status == 400
    assert (await client.post("/account/password", {str(n): "" for n in range(300)})).status == 400


async def test_error_pages_hide_internal_reasons(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await signed_in_client(sqlite_served, "viewer")
    for error, status, words in (
        (Unavailable("an internal host name"), 503, "Service unavailable"),
        (RuntimeError("the inside"), 500, "Something went wrong"),
    ):

        async def fails(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(SessionService, "get_identity", fails)
        response = await client.get("/account")
        assert (response.status, words in response.visible_text, str(error) in response.text) == (status, True, False)
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
