"""The page of a password link: opening it changes nothing, one of several submissions sets the password."""

import asyncio
import re
from pathlib import Path

from tests.support.installation.dashboard import anonymous_client, signed_in_client
from tests.support.installation.http import PASSWORD, ServedInstallation, serve_api
from tests.support.smarthost import ScriptedSmarthost
from tests.support.stores import sqlite_store


async def test_an_invited_user_sets_a_password(served: ServedInstallation) -> None:
    admin = await signed_in_client(served, "admin", "ada@people.test")
    form = {"email": "grace@people.test", "name": "Grace", "role": "viewer", "password": ""}
    both = await admin.post("/manage/users/invite", form | {"password": PASSWORD})
    assert (both.status, 'id="e-password"' in both.text) == (400, True)
    shown = await admin.post("/manage/users/invite", form)
    assert (shown.status, shown.headers["Cache-Control"]) == (200, "no-store")
    (path,) = re.findall(r'id="link">http://127\.0\.0\.1:8080(/set-password\?token=[\w-]+)<', shown.text)
    token = path.partition("=")[2]
    assert 'expires <time datetime="2030-01-08T12:00:00Z"' in shown.text
    assert "opens only on this server" in shown.visible_text
    assert (await admin.post("/manage/users/invite", form)).status == 409
    for method in ("HEAD", "GET", "HEAD", "GET"):
        scanned = await anonymous_client(served).request(method, path)
        assert (scanned.status, scanned.headers["Referrer-Policy"]) == (200, "same-origin")
        assert scanned.headers["Cache-Control"] == "no-store"
    assert "grace@people.test" in scanned.visible_text
    clients = [anonymous_client(served) for _ in range(2)]
    weak = await clients[0].post("/set-password", {"token": token, "password": "short"})
    assert (weak.status, 'id="e-password"' in weak.text, token in weak.text) == (400, True, True)
    chosen = {"token": token, "password": "another fine password"}
    answers = await asyncio.gather(*(client.post("/set-password", chosen) for client in clients))
    assert sorted(answer.status for answer in answers) == [303, 404]
    winner = clients[[answer.status for answer in answers].index(303)]
    assert "grace@people.test" in (await winner.get("/account")).visible_text
    target = answers[clients.index(winner)].location
    assert "you are signed in" in (await winner.get(target)).visible_text
    await anonymous_client(served).post_and_follow("/sign-in", {"email": "grace@people.test"} | chosen)


async def test_a_reset_ends_all_sessions_and_invalid_links_look_the_same(served: ServedInstallation) -> None:
    admin = await signed_in_client(served, "admin", "ada@people.test")
    bob = await signed_in_client(served, "agent", "bob@people.test")
    user = await served.services.sessions.sign_in("bob@people.test", PASSWORD, address="")
    url = f"/manage/users/{user.user.id}/password-link"

    async def create_link() -> str:
        (token,) = re.findall(r"token=([\w-]+)<", (await admin.post(url)).text)
        return str(token)

    replaced, used = await create_link(), await create_link()
    assert (await bob.get("/account")).status == 200
    chosen = {"password": "another fine password"}
    assert (await anonymous_client(served).post("/set-password", {"token": used} | chosen)).status == 303
    expired = await create_link()
    assert (await bob.get("/account")).status == 303
    served.clock.advance(days=1)
    pages = set()
    for token in (replaced, used, expired, "x" * 43, ""):
        opened = await anonymous_client(served).get(f"/set-password?token={token}")
        sent = await anonymous_client(served).post("/set-password", {"token": token} | chosen)
        assert (opened.status, sent.status) == (404, 404)
        pages |= {opened.text, sent.text}
    (page,) = pages
    assert "ask an admin of your workspace for a new link" in page
    assert 'href="/sign-in"' in page


async def test_link_is_mailed_and_shown_on_request(tmp_path: Path) -> None:
    async with ScriptedSmarthost() as smarthost, sqlite_store(tmp_path) as store:
        settings = {"outgoing.smarthost": smarthost.url, "server.public_url": "http://tickets.router.test"}
        async with serve_api(store, settings) as served:
            admin = await signed_in_client(served, "admin", "ada@people.test")
            mailed = await admin.post("/manage/users/invite", {"email": "grace@people.test", "role": "viewer"})
            assert "The link was sent to grace@people.test." in mailed.visible_text
            assert "set-password" not in mailed.text
            (path,) = re.findall(r'action="(/manage/users/[^"]+/password-link)"', mailed.text)
            shown = await admin.post(path, {"mail": "false"})
            assert 'id="link">http://tickets.router.test/set-password?token=' in shown.text
            smarthost.answers["rcpt"] = "550 5.1.1 <b>No such user"
            failed = await admin.post(path, {})
            assert "The link was not sent by email: 550 5.1.1 <b>No such user" in failed.visible_text
            assert 'id="link">' in failed.text
    assert len(smarthost.accepted) == 1
