"""Each recorded version is migrated, and the program works with its tickets, posts, tags, users and queued deliveries.

A migration that a recording contains is frozen: a change of the schema is a new migration.
"""

import json
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from router.admin.installation.loss_audit import audit_losses
from router.mail.contents import Attachment, Contents
from router.store import migrate
from tests.support import mails, seeds
from tests.support.bounces import FORMS
from tests.support.discord import DiscordMessage, DiscordStandIn, DiscordThread
from tests.support.dns import DnsStandIn
from tests.support.installation import (
    DOMAIN,
    HOST,
    UNPACED,
    Installation,
    closed_store,
    program_installation,
    program_settings,
    split_address,
)
from tests.support.installation.dashboard import FormClient
from tests.support.manual_delivery import shown_state
from tests.support.process import Program, run_cli
from tests.support.slack import SlackStandIn
from tests.support.smarthost import ScriptedSmarthost
from tests.support.waiting import poll_until
from tests.system.upgrade.recorded_replies import ASSIGNED_ID, FIRST_WITH_REPLIES
from tests.system.upgrade.recorded_tickets import DOOR
from tests.system.upgrade.recorded_workspace import THREAD_ID
from tests.system.upgrade.recording import Recording, Row, hash_migrations, list_recordings, load_rows, read_recording

WAITING = {"queued", "sending", "retrying"}
WITH_REPLIES = [file for file in list_recordings() if read_recording(file).version >= FIRST_WITH_REPLIES]
STATUSES = {"general": "active", "night": "active", "broken": "failing", "board": "active"}  # of the integrations


def test_recorded_migrations_are_frozen(recording: Recording) -> None:
    assert hash_migrations(migrate.load_migrations())[: recording.version] == recording.hashes


@pytest.fixture
async def smarthost() -> AsyncIterator[ScriptedSmarthost]:
    async with ScriptedSmarthost() as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgres"])
async def settings(  # noqa: PLR0917 - fixtures
    request: pytest.FixtureRequest,
    recording: Recording,
    tmp_path: Path,
    dns_server: DnsStandIn,
    monkeypatch: pytest.MonkeyPatch,
    smarthost: ScriptedSmarthost,
) -> dict[str, object]:
    """The settings of a program with a database of the recorded version."""
    url = f"sqlite:///{tmp_path / 'emailrouter.db'}"
    if request.param == "postgres":
        url = await request.getfixturevalue("postgres_server").create_database()
    dns_server.set(DOMAIN, "MX", f"10 {HOST}.")
    store = closed_store(url)
    await store.database.open()
    recorded = migrate.load_migrations()[: recording.version]
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "load_migrations", lambda: recorded)
        assert len(await migrate.migrate(store.database)) == recording.version
    await load_rows(store.database, recording)
    await store.database.close()
    own = {**UNPACED, "dns.nameservers": [dns_server.address], "outgoing.smarthost": smarthost.url}
    return {**program_settings(url, tmp_path, recording.secret_key), **own}


async def test_every_recorded_row_is_kept(settings: dict[str, object], recording: Recording, tmp_path: Path) -> None:
    assert (await run_cli("migrate", env=settings, cwd=tmp_path)).ok().stdout
    store = closed_store(str(settings["database.url"]))
    await store.database.open()
    try:
        for table, count in recording.count_rows().items():
            (row,) = await seeds.execute(store.database, f"SELECT count(*) AS n FROM {table}")
            assert (table, row["n"]) == (table, count)
        for row in await seeds.execute(
            store.database,
            "SELECT text, attachments, snippet, files FROM message_contents WHERE message_id IN (SELECT tm.message_id "
            "FROM ticket_messages tm JOIN tickets t ON t.id = tm.ticket_id WHERE t.status <> 'resolved')",
        ):
            files = [Attachment(**each) for each in json.loads(str(row["attachments"]))]
            contents = Contents(str(row["text"]), "", "", tuple(files), ())
            assert (row["snippet"], row["files"]) == (contents.snippet, contents.file_count)
    finally:
        await store.database.close()


@dataclass
class Upgraded:
    """A program that uses the database of a recording, and the services that it posts to."""

    recording: Recording
    http: aiohttp.ClientSession
    addresses: dict[str, Any]
    slack: SlackStandIn
    discord: DiscordStandIn

    @property
    def root(self) -> str:
        return f"http://{self.addresses['api']}"

    async def call(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        headers = {"Authorization": f"Bearer {self.recording.api_key}"}
        url = f"{self.root}/api{path}"
        async with self.http.request(method, url, headers=headers, json=body) as response:
            assert response.status == status, await response.text()
            return await response.json()

    async def subjects(self, query: str) -> list[str]:
        return [ticket["subject"] for ticket in (await self.call("GET", f"/emails/tickets?{query}"))["tickets"]]

    async def ticket(self, subject: str) -> Any:
        """Returns the oldest ticket with a subject."""
        listed = (await self.call("GET", "/emails/tickets?limit=200"))["tickets"]
        ticket_id = [each["id"] for each in listed if each["subject"] == subject][-1]
        return await self.call("GET", f"/emails/tickets/{ticket_id}")

    async def wait_for_posts(self, *texts: str) -> None:
        """Waits until Slack has accepted messages with each of the texts."""

        async def are_posted() -> bool:
            posted = json.dumps([post.payload for post in self.slack.accepted_posts()])
            return all(text in posted for text in texts)

        await poll_until(are_posted, f"posts with {texts}")

    def send(self, sender: str, content: bytes, local_part: str = "support") -> None:
        with smtplib.SMTP(*split_address(self.addresses["smtp"][0]), timeout=10) as client:
            client.sendmail(sender, f"{local_part}@{DOMAIN}", content)


@pytest.fixture
async def upgraded(
    settings: dict[str, object], recording: Recording, slack: SlackStandIn, tmp_path: Path
) -> AsyncIterator[Upgraded]:
    """Migrates the database, lets the integrations post to stand-ins, and starts the program."""
    (await run_cli("migrate", env=settings, cwd=tmp_path)).ok()
    async with _discord_with_posts(recording) as discord:
        await _change_webhooks(program_installation(str(settings["database.url"]), tmp_path, settings), slack, discord)
        async with Program("serve", env=settings, cwd=tmp_path) as program, aiohttp.ClientSession() as http:
            yield Upgraded(recording, http, await program.ready(), slack, discord)
            assert await program.terminate() == 0
    store = closed_store(str(settings["database.url"]))
    await store.database.open()
    try:
        assert (await audit_losses(store.database)).list_faults() == []
    finally:
        await store.database.close()


async def _change_webhooks(installation: Installation, slack: SlackStandIn, discord: DiscordStandIn) -> None:
    async with installation.open_database():
        (row,) = await installation.execute("SELECT id FROM workspaces WHERE name = 'Acme'")
        installation.workspace_id = str(row["id"])
        integrations = installation.services.integrations
        listed = (await integrations.list(installation.actor)).items
        assert {each.name: each.status for each in listed} == STATUSES
        for each in listed:
            service = discord if each.type == "discord" else slack
            await integrations.change(installation.actor, each.id, settings={"webhookUrl": service.url(each.name)})


@asynccontextmanager
async def _discord_with_posts(recording: Recording) -> AsyncIterator[DiscordStandIn]:
    """Yields a stand-in that contains the messages of the recorded posts."""
    async with DiscordStandIn(last_id=2000) as discord:
        discord.threads[THREAD_ID] = DiscordThread("Tickets")
        for post in _rows(recording, "posts"):
            ref = json.loads(str(post["ref"]))
            discord.messages[ref["id"]] = DiscordMessage({"content": "", "embeds": []}, ref["thread_id"])
        yield discord


def _rows(recording: Recording, table: str) -> list[Row]:
    return [row for name, row in recording.rows() if name == table]


async def test_queued_and_failed_deliveries_are_sent(upgraded: Upgraded) -> None:
    await upgraded.wait_for_posts("Parked after an attempt", "Parked at once", "Retried", "Interrupted", "Not sent yet")
    integrations = (await upgraded.call("GET", "/integrations"))["integrations"]
    assert {each["status"] for each in integrations} == {"active"}
    dead = {each["ticketId"]: each for each in (await upgraded.call("GET", "/deliveries?state=dead"))["deliveries"]}
    dead = {ticket_id: each for ticket_id, each in dead.items() if each["event"] == "opened"}
    assert len(dead) == 3
    refused = await upgraded.ticket("Refused")
    await upgraded.call("POST", f"/deliveries/{dead[refused['id']]['id']}/replay", status=202)
    await upgraded.wait_for_posts("Refused")


async def test_posts_are_updated(upgraded: Upgraded) -> None:
    discord, invoice = upgraded.discord, await upgraded.ticket("Invoice 42")
    (post,) = [each for each in _rows(upgraded.recording, "posts") if each["ticket_id"] == invoice["id"]]
    message_id = json.loads(str(post["ref"]))["id"]
    path = f"{discord.path('board')}/messages/{message_id}"
    await discord.wait_for(1, path, accepted=True)
    state = {"Status": "Waiting", "Priority": "High", "Assignee": "Agent"}
    assert shown_state(discord.messages[message_id]) == state
    await upgraded.call("POST", f"/emails/tickets/{invoice['id']}/status", {"status": "resolved"})
    await discord.wait_for(2, path, accepted=True)
    assert shown_state(discord.messages[message_id]) == state | {"Status": "Resolved"}
    upgraded.send("ada@customer.test", mails.plain(subject="Another invoice"), "billing")
    await discord.wait_for(1, "board", accepted=True)
    newest = list(discord.messages.values())[-1]
    assert (newest.channel_id, shown_state(newest)["Status"]) == (THREAD_ID, "Open")


async def test_tickets_are_listed_found_and_changed(upgraded: Upgraded) -> None:
    for query, subject in (
        ("status=in_progress", "The door is stuck"),
        ("status=waiting", "Invoice 42"),
        ("status=resolved", "[news] Doors of the month"),
        ("priority=urgent", "The door is stuck"),
        ("tag=locks", "The door is stuck"),
        ("automatic=only&status=resolved", "[news] Doors of the month"),
        ("q=größer", "Invoice 42"),
        ("q=foto", "Invoice 42"),  # the name of an attachment
        ("q=never", "Never parsed"),
    ):
        assert await upgraded.subjects(query) == [subject], query
    door = await upgraded.ticket("The door is stuck")
    assert door["waitingSince"] == door["messages"][-1]["receivedAt"]  # the reply that reopened it
    messages = [message["text"].strip() for message in door["messages"]]
    assert messages == ["It does not open any more.", "It opens again."]
    events = [event["event"] for event in door["events"]]
    assert events == [
        *("opened", "claimed", "unclaimed", "status", "replied", "reopened"),
        *("claimed", "note", "priority", "tags"),
    ]
    assert [event["sequence"] for event in door["events"]] == list(range(1, len(events) + 1))
    assert (await upgraded.ticket("Never parsed"))["messages"][0]["text"].strip() == messages[0]
    reply = mails.plain(text="The locksmith was here.\n", headers={"In-Reply-To": DOOR})
    upgraded.send("ada@customer.test", reply)
    assert await upgraded.subjects("q=locksmith") == ["The door is stuck"]
    assert (await upgraded.ticket("The door is stuck"))["status"] == "open"


async def test_a_merge_of_tags_is_finished(upgraded: Upgraded) -> None:
    tags = {tag["name"]: tag["id"] for tag in (await upgraded.call("GET", "/tags"))["tags"]}
    assert tags.keys() == {"locks", "Doors"}
    merged = await upgraded.call("PATCH", f"/tags/{tags['locks']}", {"name": "doors"})
    assert (merged["id"], merged["ticketCount"]) == (tags["Doors"], 1)
    assert (await upgraded.ticket("The door is stuck"))["tags"] == ["Doors"]
    assert [tag["name"] for tag in (await upgraded.call("GET", "/tags"))["tags"]] == ["Doors"]


async def test_users_sign_in_and_are_invited_and_senders_stay_blocked(upgraded: Upgraded) -> None:
    browser = FormClient(upgraded.http, upgraded.root)
    form = {"email": upgraded.recording.email, "password": upgraded.recording.password}
    await browser.post_and_follow("/sign-in", form)
    assert "Invoice 42" in (await browser.get("/tickets")).visible_text
    invited = await upgraded.call("POST", "/users", {"email": "new@example.org", "invite": True}, 201)
    guest = FormClient(upgraded.http, upgraded.root)
    token = invited["url"].partition("?token=")[2]
    assert (await guest.get(f"/set-password?token={token}")).status == 200
    chosen = {"token": token, "password": "correct horse battery"}
    assert "you are signed in" in (await guest.post_and_follow("/set-password", chosen)).text
    for sender in ("mallory@customer.test", "anyone@spam.test"):
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            upgraded.send(sender, mails.plain())
        assert refused.value.recipients[f"support@{DOMAIN}"][0] == 550


@pytest.mark.parametrize("recording", WITH_REPLIES, ids=lambda file: file.stem, indirect=True)
async def test_replies_are_sent_and_their_answers_and_bounces_join(
    upgraded: Upgraded, smarthost: ScriptedSmarthost
) -> None:
    ticket_id = (await upgraded.ticket("The lamp is broken"))["id"]

    async def read_states() -> dict[str, str]:
        listed = await upgraded.call("GET", f"/emails/tickets/{ticket_id}/replies")
        return {reply["id"]: reply["state"] for reply in listed["replies"]}

    async def are_sent() -> bool:
        return not set((await read_states()).values()) & WAITING

    await poll_until(are_sent, "the replies that waited are handed over")
    assert set((await read_states()).values()) == {"sent", "failed", "canceled", "delayed", "bounced"}
    waiting = [
        row["message_id"]
        for row in _rows(upgraded.recording, "replies")
        if row["state"] in WAITING and row["ticket_id"] == ticket_id
    ]
    expected = {f"<{row['rfc_message_id']}>" for row in _rows(upgraded.recording, "messages") if row["id"] in waiting}
    sent = [message_from_bytes(mail.content) for mail in smarthost.accepted]
    assert sorted(mail["Message-ID"] for mail in sent) == sorted(expected)
    assert all(mail["DKIM-Signature"] for mail in sent)
    (recipient,) = [row for row in _rows(upgraded.recording, "reply_recipients") if row["state"] == "queued"]
    upgraded.send("", FORMS["Postfix"].build(str(recipient["address"])), f"b-{recipient['token']}")

    async def is_bounced() -> bool:
        return (await read_states())[str(recipient["reply_id"])] == "bounced"

    await poll_until(is_bounced, "the bounce is read")
    # The header is not folded: the standard library would encode an id of this length.
    answer = mails.mail(body="It shines.", extra=(f"In-Reply-To: <{ASSIGNED_ID}@eu-west-1.amazonses.com>",))
    upgraded.send("ann@customer.test", answer, "help")
    assert await upgraded.subjects("q=shines") == ["The lamp is broken"]
    assert len((await upgraded.call("GET", "/templates"))["templates"]) == 3
    assert len((await upgraded.call("GET", "/canned-responses"))["cannedResponses"]) == 2
