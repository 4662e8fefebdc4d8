"""Which input rejected forms keep, and which forms can be resubmitted."""

import asyncio
import json
import re
from html import unescape
from pathlib import Path

import pytest

from api.dashboard.refused_form import SECRET_FIELDS, build_refused_form
from router.admin.tickets.notes import NoteService
from router.errors import Unavailable
from tests.support.installation.dashboard import FormClient, PageResponse, signed_in_client
from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.stores import sqlite_store

NOTE = '\n Called back:\n<b>"he" agrees</b> & pays. \N{CJK UNIFIED IDEOGRAPH-6F22}'
TEMPLATES = Path(__file__).parents[3] / "api" / "dashboard" / "templates"


def parse_offered_form(response: PageResponse) -> tuple[str, dict[str, str]]:
    found = re.search(r'<form method="post" action="([^"]+)">(.*?)</form>', response.text, re.DOTALL)
    assert found, response.visible_text
    texts = re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>\n(.*?)</textarea>', found[2], re.DOTALL)
    hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', found[2])
    return unescape(found[1]), {name: unescape(value) for name, value in texts + hidden}


async def test_rate_limited_note_can_be_resubmitted(tmp_path: Path) -> None:
    settings = served_settings(session_requests_per_minute=2)
    async with sqlite_store(tmp_path) as store, serve_api(store, settings) as served:
        await served.create_alias()
        ticket = await served.accept_ticket()
        client = await signed_in_client(served, "agent")
        for _ in range(2):
            await client.get("/account")
        response = await client.post(f"/tickets/{ticket}/notes", {"text": NOTE})
        assert (response.status, "Try again" in response.visible_text) == (429, True)
        assert "<b>" not in parse_offered_form(response)[0] + response.text
        served.clock.advance(int(response.headers["Retry-After"]))
        path, fields = parse_offered_form(response)
        assert fields == {"text": NOTE}
        assert (await client.post(path, fields)).status == 303
        events = (await served.services.tickets.get(served.actor, ticket)).events
        assert NOTE in [json.loads(event.detail).get("text") for event in events if event.type == "ticket.note_added"]
        page = [await client.get("/account?a=b") for _ in range(2)][-1]
        assert (page.status, "Too many requests" in page.visible_text) == (429, True)
        assert 'href="/account?a=b">Try again' in page.text
        # Text from another site is not shown above a dashboard button.
        foreign = await client.post(path, fields, headers={"Origin": "https://evil.test"})
        assert (foreign.status, "agrees" in foreign.text) == (429, False)


async def test_note_survives_errors_and_session_end(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sqlite_served.create_alias()
    ticket = await sqlite_served.accept_ticket()
    client = await signed_in_client(sqlite_served, "agent")
    path = f"/tickets/{ticket}/notes"

    async def raise_unavailable(*_: object) -> None:
        raise Unavailable("an internal host name")

    monkeypatch.setattr(NoteService, "add", raise_unavailable)
    response = await client.post(path, {"text": NOTE})
    assert (response.status, parse_offered_form(response)) == (503, (path, {"text": NOTE}))
    monkeypatch.undo()
    gone = await client.post(path.replace(ticket[-4:], "0000"), {"text": NOTE})
    assert (gone.status, parse_offered_form(gone)[1], "Try again" in gone.visible_text) == (404, {"text": NOTE}, False)
    await end_session(sqlite_served, client)
    over = await client.post(path, {"text": NOTE}, headers={"Referer": f"{client.root}/tickets/{ticket}"})
    assert (over.status, parse_offered_form(over)) == (401, (path, {"text": NOTE}))
    assert f'href="/sign-in?next=%2Ftickets%2F{ticket}"' in over.text
    del client.cookies["er_session"]
    assert (await client.post(path, {"text": NOTE})).status == 303
    client.cookies["er_device"] = "any"
    assert parse_offered_form(await client.post(path, {"text": NOTE})) == (path, {"text": NOTE})
    again = await signed_in_client(sqlite_served, "agent", "again@people.test")
    assert (await again.post(*parse_offered_form(over))).status == 303


async def test_repeated_note_is_stored_once(served: ServedInstallation) -> None:
    await served.create_alias()
    ticket = await served.accept_ticket()
    client = await signed_in_client(served, "agent")
    path = f"/tickets/{ticket}/notes"
    page = await client.get(f"/tickets/{ticket}")
    (token,) = re.findall(r'name="submission" value="([^"]+)"', page.text)
    assert token not in (await client.get(f"/tickets/{ticket}")).text
    too_long = await client.post(path, {"text": "x" * 20_001, "submission": token})
    assert (too_long.status, f'value="{token}"' in too_long.text, "x" * 20_001 in too_long.text) == (400, True, True)
    for text in ("Called back.", "Called back.", "Called back twice.", "Called back."):
        response = await client.post(path, {"text": text, "submission": token})
        assert (response.status, response.location) == (303, f"/tickets/{ticket}?note=noted")
    events = (await served.services.tickets.get(served.actor, ticket)).events
    notes = [json.loads(event.detail)["text"] for event in events if event.type == "ticket.note_added"]
    assert notes == ["Called back.", "Called back twice."]


async def test_concurrent_submission_is_rejected(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sqlite_served.create_alias()
    ticket = await sqlite_served.accept_ticket()
    client = await signed_in_client(sqlite_served, "agent")
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def waits(*_: object) -> None:
        begun.set()
        await goes_on.wait()

    monkeypatch.setattr(NoteService, "add", waits)
    form = {"text": NOTE, "submission": "a"}
    first = asyncio.create_task(client.post(f"/tickets/{ticket}/notes", form))
    await begun.wait()
    second = await client.post(f"/tickets/{ticket}/notes", form)
    assert (second.status, "still being processed" in second.visible_text) == (409, True)
    assert 'name="submission" value="a"' in second.text
    goes_on.set()
    assert (await first).status == 303
    assert (await client.post(f"/tickets/{ticket}/notes", form)).status == 303


async def test_incomplete_form_is_not_offered_again(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path) as store, serve_api(store, served_settings(request_timeout="100ms")) as served:
        client = await signed_in_client(served, "agent")
        reader, writer = await asyncio.open_connection(*served.server.address)
        head = f"POST /tickets/ticket_1/notes HTTP/1.1\r\nHost: x\r\nCookie: er_session={client.cookies['er_session']}"
        form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 99"
        writer.write(f"{head}\r\n{form}\r\n\r\ntext=Call".encode())
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"<form" not in answer


async def test_secrets_are_entered_again(sqlite_served: ServedInstallation) -> None:
    client = await signed_in_client(sqlite_served)
    await end_session(sqlite_served, client)
    fields = {"name": "Help desk", "webhookUrl": "https://hooks.slack.test/services/T0/B0/secret"}
    response = await client.post("/manage/integrations", fields)
    assert (response.status, "secret" in response.text) == (401, False)
    assert parse_offered_form(response)[1] == {"name": "Help desk"}
    assert 'type="password" id="f-webhookUrl" name="webhookUrl"' in response.text


async def test_invalid_bodies_redirect_to_sign_in(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await signed_in_client(sqlite_served)
    await end_session(sqlite_served, client)
    for body in (b"text=%00", b"text=\xff", b"text=" + b"x" * 300_000):
        response = await client.request(
            "POST",
            "/tickets/ticket_1/notes",
            data=body,
            headers={"Origin": client.root, "Content-Type": "application/x-www-form-urlencoded"},
        )
        assert (response.status, response.location[:14]) == (303, "/sign-in?next="), body[:9]
    monkeypatch.setattr("api.dashboard.refused_form.MAX_CONCURRENT_READS", 0)
    assert (await client.post("/tickets/ticket_1/notes", {"text": "x"})).status == 303


def test_every_secret_field_of_a_template_is_listed() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES.glob("*.html"))
    secret = re.findall(r'f\.text\("(\w+)"[^\n]*(?:type="password"|secret=true)', source)
    assert len(secret) >= 6
    assert set(secret) == set(SECRET_FIELDS)


def test_shown_fields_and_retryable_statuses() -> None:
    found = build_refused_form(
        "/x?a=b", {"text": "Called.", "name": "Two words", "domainId": "dom_1", "password": "p w"}, 409
    )
    assert (found.action, found.can_retry, found.has_input) == ("/x?a=b", False, True)
    assert (found.text_fields, found.hidden_fields) == ({"text": "Called.", "name": "Two words"}, {"domainId": "dom_1"})
    assert found.secret_labels == {"password": "Password"}
    assert [build_refused_form("/", {}, status).can_retry for status in (401, 403, 404, 429, 500, 503)] == [
        True,
        False,
        False,
        True,
        True,
        True,
    ]
    assert not build_refused_form("/", {"status": "", "password": "x", "submission": "y"}, 401).has_input


async def end_session(served: ServedInstallation, client: FormClient) -> None:
    await served.services.sessions.sign_out(client.cookies["er_session"])
