"""Replies and uploads over HTTP."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from router.errors import Unavailable
from tests.support import mails
from tests.support.installation import DOMAIN
from tests.support.installation.http import ApiClient, ApiReply, ServedInstallation, serve_api, served_settings
from tests.support.stores import sqlite_store

MAX_BYTES = 2_000_000
PATH = "/emails/tickets/1/replies"
FILES = (("parts.txt", b"Springs"), ("Br\u00fccke.bin", bytes(range(256)) * 2000))


@pytest.fixture
async def sending(tmp_path: Path) -> AsyncIterator[ServedInstallation]:
    settings = served_settings() | {
        "outgoing.smarthost": "smtp://127.0.0.1:2525",
        "outgoing.max_message_bytes": MAX_BYTES,
    }
    async with sqlite_store(tmp_path) as store, serve_api(store, settings) as served:
        await served.create_alias()
        await served.execute("UPDATE domains SET sending = 'active'")
        await served.accept_ticket(mails.plain(from_="Ann <ann@customer.test>"))
        yield served


async def send_form(
    client: ApiClient, path: str, reply: object = None, files: tuple[tuple[str, bytes], ...] = FILES, key: str = ""
) -> ApiReply:
    form = aiohttp.FormData(quote_fields=False)  # as browsers do
    for name, data in files[:1]:
        form.add_field("file", io.BytesIO(data), filename=name, content_type="text/plain")
    if reply is not None:
        form.add_field("reply", reply if isinstance(reply, str) else json.dumps(reply))
    for name, data in files[1:]:
        form.add_field("file", io.BytesIO(data), filename=name, content_type="application/x-parts")
    return await client.post(path, data=form, headers={"Idempotency-Key": key} if key else {})


async def test_a_form_sends_a_reply_with_its_files_once(sending: ServedInstallation) -> None:
    agent, _ = await sending.add_client("agent")
    reply = {"text": "See the list.", "undoSeconds": 0, "status": None}
    first, second = await asyncio.gather(*(send_form(agent, PATH, reply, key="one") for _ in range(2)))
    again = await send_form(agent, PATH, reply, key="one")
    created = next(each for each in (first, second) if each.status == 202)
    assert (again.status, again.body) == (202, created.body)
    assert await sending.count_rows("replies") == 1
    assert await sending.count_rows("uploads") == len(FILES)
    other = await send_form(agent, PATH, {**reply, "text": "Another."}, key="one")
    assert (other.status, other.code) == (409, "idempotency_mismatch")
    assert await sending.count_rows("uploads") == len(FILES)
    messages = (await agent.get("/emails/tickets/1/messages")).body["messages"]
    sent = messages[0]
    assert (sent["direction"], sent["kind"], sent["replyId"], sent["newSender"]) == (
        "outbound",
        "mail",
        created.body["id"],
        False,
    )
    assert [file["filename"] for file in sent["attachments"]] == [name for name, _ in FILES]
    for n, (_, data) in enumerate(FILES, start=1):
        assert (await agent.get(f"/emails/messages/{sent['id']}/attachments/{n}")).content == data


async def test_a_refused_form_leaves_no_files(sending: ServedInstallation) -> None:
    agent, _ = await sending.add_client("agent")
    viewer, _ = await sending.add_client("viewer")
    large = (("large.bin", b"x" * (MAX_BYTES + 1)),)
    many = tuple((f"{n}.txt", b"x") for n in range(21))
    for answer, expected in (
        (await send_form(viewer, PATH, {"text": "Hello"}), (403, "forbidden")),
        (await send_form(agent, PATH, {"text": " "}), (400, "invalid_request")),
        (await send_form(agent, PATH, "{"), (400, "invalid_request")),
        (await send_form(agent, PATH), (400, "invalid_request")),
        (await send_form(agent, PATH, {"text": "Hello"}, many), (400, "invalid_request")),
        (await send_form(agent, PATH, {"text": "Hello", "to": [f"support@{DOMAIN}"]}), (400, "invalid_recipient")),
        (await send_form(agent, PATH, {"text": "Hello"}, large), (413, "payload_too_large")),
        (await send_form(agent, "/uploads", None, large), (413, "payload_too_large")),
        (await send_form(agent, "/uploads", None, FILES), (400, "invalid_request")),
        (await send_form(agent, "/uploads", {}, ()), (415, "unsupported_media_type")),
        (await send_form(agent, "/uploads", {"text": "Hello"}, FILES[:1]), (400, "invalid_request")),
        (await agent.post("/uploads"), (415, "unsupported_media_type")),
        (await send_form(agent, "/templates", {"name": "Hello"}), (403, "forbidden")),
        (await send_form(sending.admin, "/templates", {"name": "Hello"}), (415, "unsupported_media_type")),
    ):
        assert answer.status == expected[0], (expected, answer.content)
        assert answer.code == expected[1]
    assert await sending.count_rows("uploads") == 0
    assert await sending.count_rows("upload_chunks") == 0


async def test_errors_say_what_a_program_needs(sending: ServedInstallation) -> None:
    agent, _ = await sending.add_client("agent")
    shown = (await agent.get("/emails/tickets/1/messages")).body["messages"][0]["id"]
    reference = {"In-Reply-To": "<one@customer.test>"}
    await sending.execute("UPDATE ticket_messages SET rfc_message_id = 'one@customer.test'")
    sending.clock.advance(1)
    newer = await sending.accept_message(mails.plain(from_="ann@customer.test", headers=reference))
    refused = await agent.post(PATH, {"text": "Hello", "ifLastMessageId": shown})
    assert (refused.status, refused.code) == (409, "newer_message")
    assert refused.body["error"]["lastMessageId"] == newer
    await sending.execute("UPDATE domains SET sending = 'pending'")
    refused = await agent.post(PATH, {"text": "Hello"})
    assert (refused.status, refused.code) == (409, "sending_not_set_up")
    assert "DKIM" in refused.body["error"]["fix"]


async def test_an_uploaded_file_and_a_draft_with_it(sending: ServedInstallation) -> None:
    agent, _ = await sending.add_client("agent")
    uploaded = await send_form(agent, "/uploads", None, FILES[:1], key="file")
    assert (uploaded.status, uploaded.body["size"]) == (201, len(FILES[0][1]))
    assert (await send_form(agent, "/uploads", None, FILES[:1], key="file")).body == uploaded.body
    upload_id = uploaded.body["uploadId"]
    draft = {"kind": "reply", "text": "See", "to": ["ann@"], "attachments": [upload_id, "upl_gone"]}
    saved = await agent.request("PUT", "/emails/tickets/1/draft", draft)
    assert saved.body["attachments"] == [uploaded.body]
    reply = (await agent.post(PATH, {"text": "See the list.", "attachments": [upload_id]})).body
    assert (await agent.get("/emails/tickets/1/draft?kind=reply")).body["text"] == "See"  # a key has other drafts
    assert (await agent.delete(f"/replies/{reply['id']}")).body == {"id": reply["id"], "state": "canceled"}
    refused = await agent.delete(f"/replies/{reply['id']}")
    assert (refused.status, refused.code) == (409, "already_sent")
    assert [each["state"] for each in (await agent.get("/replies?state=canceled")).body["replies"]] == ["canceled"]


async def test_a_reply_is_not_sent_again_if_the_database_fails_after_its_commit(
    sending: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error would release the key: the client would send the reply again."""
    agent, _ = await sending.add_client("agent")
    database = sending.database
    fetch_one = database.fetch_one

    async def fail(query: str, **values: object) -> object:
        if query == "reply_by_id":
            raise Unavailable("the connection was lost")
        return await fetch_one(query, **values)

    monkeypatch.setattr(database, "fetch_one", fail)
    answers = [await agent.post(PATH, json={"text": "Hello."}, headers={"Idempotency-Key": "one"}) for _ in range(2)]
    assert [each.status for each in answers] == [202, 202]
    assert await sending.count_rows("replies") == 1
