"""Fills the demo with the mails of a small company, and with what its team did with them.

The folder `story` has the texts: `team.toml` the users, channels and addresses, the other files the mails. The mails
go through the SMTP server like any other mail, each at its time by the clock of the demo.
"""

from __future__ import annotations

import asyncio
import mimetypes
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from importlib.resources import files
from typing import Any

from emailrouter.assembly.deliver import build_maintenance
from emailrouter.demo.installation import DOMAIN, Demo
from emailrouter.demo.mail_client import STEP_SECONDS, DemoFailed, submit
from emailrouter.demo.proof import MESSAGE_ID
from router.admin.replies.reply_request import ReplyRequest
from router.clock import SECOND
from router.enumerations import TICKET_PRIORITY, Role
from router.filters import DeliveryFilter
from router.model import Actor, Micros

_FOLDER = files("emailrouter.demo") / "story"
_HOUR: Micros = 3600 * SECOND
_PENDING = DeliveryFilter(state="pending")
UNREAD_HOURS = 16.5  # the team has read the mails that came before


@dataclass(frozen=True, slots=True, order=True)
class StoryEvent:
    """A mail, or what a user does with the ticket of a mail. The events of a story are sorted by time.

    Attributes:
        hours_ago: When it happens, before the time of the system.
        mail: The key of the mail.
        action: The table of the action; None for the arrival of the mail.
    """

    hours_ago: float
    mail: str = field(compare=False)
    content: Mapping[str, Any] = field(compare=False)
    action: Mapping[str, Any] | None = field(compare=False, default=None)


def load_events() -> list[StoryEvent]:
    """Loads the events of all mails, the oldest first."""
    events = []
    for key, mail in _load_mails().items():
        events.append(StoryEvent(mail["hours_ago"], key, mail))
        events += [StoryEvent(mail["hours_ago"] - each["after"], key, mail, each) for each in mail.get("then", ())]
    return sorted(events, reverse=True)


def count_tickets() -> int:
    """Returns the number of tickets that are not held as spam."""
    return sum("reply_to" not in mail and not mail.get("spam") for mail in _load_mails().values())


def company() -> str:
    return str(load_team()["company"])


def age() -> Micros:
    """How long ago the story begins."""
    return round(max(event.hours_ago for event in load_events()) * _HOUR) + _HOUR


def load_team() -> Mapping[str, Any]:
    return tomllib.loads((_FOLDER / "team.toml").read_text(encoding="utf-8"))


def _load_mails() -> dict[str, Mapping[str, Any]]:
    mails: dict[str, Mapping[str, Any]] = {}
    for path in sorted(_FOLDER.iterdir(), key=lambda each: each.name):
        if path.name.endswith(".toml") and path.name != "team.toml":
            mails |= tomllib.loads(path.read_text(encoding="utf-8"))
    return mails


class Storyteller:
    """Lets the events of the story happen in a demo whose proof has succeeded."""

    def __init__(self, demo: Demo, proof_ticket: str) -> None:
        self._demo = demo
        self._tickets = {"proof": proof_ticket}  # by the key of a mail
        self._message_ids = {"proof": MESSAGE_ID}
        self._actors: dict[str, Actor] = {}

    async def fill(self) -> None:
        """Sets up the team, lets the events happen, and sets the clock to the time of the system."""
        await self._set_up_team()
        are_read = False
        for event in load_events():
            self._demo.clock.set_behind(round(event.hours_ago * _HOUR))
            if event.hours_ago < UNREAD_HOURS and not are_read:
                are_read = True
                for actor in self._actors.values():
                    await self._demo.services.tickets.lists.mark_all_read(actor)
            if event.action is None:
                await self._receive(event)
            else:
                await self._act(self._tickets[event.mail], event.action)
        self._demo.clock.set_behind(0)
        # Records that deliveries are processed. Until its next run, the dashboard would say that nothing does.
        await build_maintenance(self._demo.core).run_due_tasks()

    async def _set_up_team(self) -> None:
        services, admin = self._demo.services, self._demo.admin
        team = load_team()
        await services.workspaces.change(admin, name=team["company"])
        await services.users.change(admin, self._demo.login.user_id, name=team["admin"]["name"])
        self._actors[team["admin"]["key"]] = admin
        for user in team["user"]:
            role: Role = user["role"]
            created = await services.users.create(admin, email=user["email"], name=user["name"], role=role)
            self._actors[user["key"]] = Actor(admin.workspace_id, role, user_id=created.id)
        for blocked in team["blocked"]:
            await services.blocked_senders.create(admin, blocked["sender"], action="spam", note=blocked["note"])
        for tag in team["tag"]:
            await services.tickets.tags.create(admin, tag["name"], tag["color"])
        for canned in team["canned"]:
            await services.canned_responses.create(admin, title=canned["title"], body=canned["body"].strip())
        (domain,) = (await services.domains.list(admin)).items
        await self._set_up_sending(domain.id, team["unknown"])
        self._demo.slack.archived = frozenset(each["name"] for each in team["channel"] if each.get("archived"))
        for channel in team["channel"]:
            name = channel["name"]
            settings = {"webhookUrl": self._demo.slack.url(name)}
            integration = await services.integrations.create(admin, type="slack", name=f"#{name}", settings=settings)
            for local_part in channel["addresses"]:
                await services.aliases.create(
                    admin, domain_id=domain.id, local_part=local_part, integration_id=integration.id
                )

    async def _set_up_sending(self, domain_id: str, unknown: Sequence[str]) -> None:
        services, admin = self._demo.services, self._demo.admin
        self._demo.smarthost.unknown = frozenset(unknown)
        view = await services.sending.set_enabled(admin, domain_id, True)
        for record in view.sending_records:
            if strings := record.strings:
                self._demo.dns.add(record.name, "TXT", " ".join(f'"{string}"' for string in strings))
        checked = await services.domains.verify(admin, domain_id)
        if any(record.status != "ok" for record in checked.sending_records):
            raise DemoFailed(f"{DOMAIN} does not send replies: {checked.sending_records}")

    async def _receive(self, event: StoryEvent) -> None:
        """Sends the mail, unless it is that of the proof, and waits until its ticket was posted or held as spam."""
        if event.mail == "proof":
            return
        mail, content = self._compose(event), event.content
        self._message_ids[event.mail] = str(mail["Message-ID"])
        address = parseaddr(str(mail["From"]))[1]
        if not content.get("unverified"):
            self._demo.authenticate(address.rpartition("@")[2])
        sender = "" if content.get("bounce") else address
        await asyncio.to_thread(submit, self._demo.smtp, sender, f"{content['to']}@{DOMAIN}", mail)
        await self._wait_for_deliveries()
        reply_to = content.get("reply_to")
        if reply_to is not None:
            self._tickets[event.mail] = self._tickets[reply_to]
        elif not content.get("spam"):
            newest = await self._demo.services.tickets.list(self._demo.admin, limit=1)
            self._tickets[event.mail] = newest.items[0].id

    def _compose(self, event: StoryEvent) -> EmailMessage:
        content = event.content
        sent_at = datetime.fromtimestamp(self._demo.clock.now() // SECOND, UTC)
        if raw := content.get("raw"):
            mail = message_from_bytes((_FOLDER / raw).read_bytes(), EmailMessage, policy=policy.default)
            mail["Date"] = format_datetime(sent_at)
            return mail
        mail = EmailMessage(policy.default.clone(cte_type="7bit"))
        mail["From"] = content["from"]
        mail["To"] = f"{content['to']}@{DOMAIN}"
        mail["Subject"] = content["subject"]
        mail["Date"] = format_datetime(sent_at)
        mail["Message-ID"] = f"<{event.mail}@{parseaddr(content['from'])[1].rpartition('@')[2]}>"
        for name, value in content.get("headers", {}).items():
            mail[name] = value
        if reply_to := content.get("reply_to"):
            mail["In-Reply-To"] = mail["References"] = self._message_ids[reply_to]
        mail.set_content(content["text"])
        if html := content.get("html"):
            mail.add_alternative((_FOLDER / html).read_text(encoding="utf-8"), subtype="html")
        for name in content.get("attachments", ()):
            maintype, _, subtype = (mimetypes.guess_type(name)[0] or "application/octet-stream").partition("/")
            data = (_FOLDER / name).read_bytes()
            mail.add_attachment(data, maintype=maintype, subtype=subtype, filename=name)
        return mail

    async def _act(self, ticket_id: str, action: Mapping[str, Any]) -> None:
        tickets, actor = self._demo.services.tickets, self._actors[action["user"]]
        if action.get("claim"):
            await tickets.claim(actor, ticket_id)
        if tags := action.get("tags"):
            await tickets.tags.tag_ticket(actor, ticket_id, add=tags)
        if priority := action.get("priority"):
            await tickets.set_choice(actor, ticket_id, TICKET_PRIORITY, priority)
        if note := action.get("note"):
            await tickets.notes.add(actor, ticket_id, note)
        if assignee := action.get("assign"):
            await tickets.assign(actor, ticket_id, self._actors[assignee].user_id or "")
        if status := action.get("status"):
            await tickets.set_status(actor, ticket_id, status)
        if text := action.get("reply"):
            await self._reply(actor, ticket_id, text.strip(), action.get("undo", 0))

    async def _reply(self, actor: Actor, ticket_id: str, text: str, undo: int) -> None:
        """Sends a reply, and without a time for undo waits until it was handed over or has bounced."""
        replies = self._demo.services.replies
        view = await replies.create(actor, ticket_id, ReplyRequest(text=text, undo_seconds=undo))
        if undo:
            return
        is_bounced = not self._demo.smarthost.unknown.isdisjoint(view.to)
        async with _step(f"the reply to {', '.join(view.to)} was not sent"):
            while view.reply.state != ("bounced" if is_bounced else "sent"):
                await asyncio.sleep(0.005)  # repeated for at most STEP_SECONDS
                view = await replies.get(actor, view.reply.id)
        await self._wait_for_deliveries()

    async def _wait_for_deliveries(self) -> None:
        """Waits until all deliveries ended or failed: the clock must not be set forward during a lease."""
        services, admin = self._demo.services, self._demo.admin
        async with _step("a mail was not posted"):
            while True:
                pending = await services.deliveries.list(admin, _PENDING)
                integrations = await services.integrations.list(admin)
                if all(each.parked for each in pending.items) and not any(
                    each.lease_until for each in integrations.items
                ):
                    return
                await asyncio.sleep(0.005)  # repeated for at most STEP_SECONDS


@asynccontextmanager
async def _step(failure: str) -> AsyncIterator[None]:
    """Limits the time of a step. Raises `DemoFailed` after it."""
    try:
        async with asyncio.timeout(STEP_SECONDS):
            yield
    except TimeoutError:
        raise DemoFailed(f"{failure} in time") from None
