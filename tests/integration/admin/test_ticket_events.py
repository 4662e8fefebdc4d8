"""Events of tickets: their numbers and their actors."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import replace

import pytest

from api.schema.tickets import EventAnswer
from router.errors import Refused
from router.model import Actor, TicketEvent
from tests.support import mails
from tests.support.installation import Installation

ROUNDS, CONCURRENT = 6, 24


async def attempt(change: Awaitable[object]) -> None:
    """Waits for a change that the state of the ticket may not allow."""
    try:
        await change
    except Refused as refused:
        if refused.code not in ("already_claimed", "not_open", "forbidden"):
            raise


async def read_sequences(installation: Installation) -> dict[str, list[int]]:
    """Returns the sequences of all events of each ticket, sorted."""
    rows = await installation.execute(
        "SELECT ticket_id, sequence FROM ticket_events UNION ALL "
        "SELECT ticket_id, sequence FROM (SELECT DISTINCT ticket_id, message_id, sequence FROM ticket_messages) AS m"
    )
    found: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        assert isinstance(row["sequence"], int)
        found[str(row["ticket_id"])].append(row["sequence"])
    return {ticket_id: sorted(sequences) for ticket_id, sequences in found.items()}


class RandomWork:
    """Random changes of tickets and random mail, by two processes."""

    def __init__(self, processes: Sequence[Installation], agents: Sequence[Actor], seed: int) -> None:
        self.random = random.Random(seed)
        self.processes = processes
        self.agents = agents
        self.ticket_ids: list[str] = []
        self.message_ids: list[str] = []

    def change(self) -> Awaitable[object]:
        tickets, actor = self.random.choice(self.processes).tickets, self.random.choice(self.agents)
        ticket_id, other = self.random.choice(self.ticket_ids), self.random.choice(self.agents)
        match self.random.randrange(8):
            case 0:
                return attempt(tickets.claim(actor, ticket_id))
            case 1:
                return attempt(tickets.unclaim(actor, ticket_id))
            case 2:
                return attempt(tickets.assign(actor, ticket_id, other.user_id or ""))
            case 3:
                status = self.random.choice(("open", "in_progress", "waiting", "resolved"))
                return attempt(tickets.set_status(actor, ticket_id, status))
            case 4:
                return tickets.notes.add(actor, ticket_id, "Called back.")
            case _:
                return self.accept()

    def accept(self) -> Awaitable[object]:
        """Accepts a message at one or both aliases, mostly a reply."""
        installation = self.random.choice(self.processes)
        message_id = mails.new_message_id()
        extra = [f"References: {self.random.choice(self.message_ids)}"] if self.message_ids else []
        extra += ["Auto-Submitted: auto-replied"] if self.random.random() < 0.2 else []
        self.message_ids.append(message_id)
        targets = [
            installation.target("support"),
            installation.target("support", tag="x"),
            installation.target("billing"),
        ]
        envelope = installation.envelope(*self.random.sample(targets, self.random.randint(1, 3)))
        return installation.accept.accept(envelope, mails.mail(message_id, extra=extra))


@pytest.mark.parametrize("seed", range(3))
async def test_concurrent_events_of_a_ticket_are_numbered_from_1_without_gaps(
    installation: Installation, seed: int
) -> None:
    second = installation.second_process()
    agents = [*[await installation.add_actor("admin") for _ in range(3)], await installation.add_actor()]
    work = RandomWork((installation, second), agents, seed)
    await work.accept()
    try:
        for _ in range(ROUNDS):
            work.ticket_ids = [str(row["id"]) for row in await installation.all_rows("tickets")]
            await asyncio.gather(*(work.change() for _ in range(CONCURRENT)))
            sequences = await read_sequences(installation)
            assert set(sequences) == {row["id"] for row in await installation.all_rows("tickets")}
            for row in await installation.all_rows("tickets"):
                assert sequences[str(row["id"])] == list(range(1, len(sequences[str(row["id"])]) + 1))
                assert row["last_sequence"] == len(sequences[str(row["id"])])
    finally:
        await second.close()
    assert len(sequences) > 1
    for ticket_id in sequences:
        view = await installation.tickets.get(installation.actor, ticket_id)
        listed = [event.sequence for event in view.events]
        assert listed == sorted(listed)
        assert set(listed) <= set(sequences[ticket_id])
    newest = await installation.services.users.get(installation.actor, agents[-1].user_id or "")
    await installation.services.users.delete(installation.actor, newest.id)
    for ticket_id, found in (await read_sequences(installation)).items():
        assert found == list(range(1, len(found) + 1)), ticket_id


def describe_actor(event: TicketEvent) -> tuple[str, str | None, str]:
    return event.actor_type, event.actor_id, event.actor_name


async def test_an_event_names_its_actor(installation: Installation) -> None:
    tickets, message_id = (
        installation.tickets,
        await installation.accept_message(mails.mail(sender="ann@customer.test")),
    )
    ticket_id = str((await installation.all_rows("tickets"))[0]["id"])
    user = await installation.services.users.create(installation.actor, email="eve@example.org", name="Eve")
    key = await installation.services.keys.create(installation.actor, name="CI", user_id=user.id)
    own = Actor(installation.workspace_id, "agent", user_id=user.id)
    await tickets.claim(own, ticket_id)
    await tickets.notes.add(replace(own, key_id=key.key.id), ticket_id, "By a program.")
    await tickets.set_status(installation.actor, ticket_id, "resolved")
    extra = ["In-Reply-To: <one@customer.test>"]
    reply_id = await installation.accept_message(mails.mail("<two@customer.test>", extra=extra))
    expected = [
        ("ticket.created", "mail", message_id, "ann@customer.test"),
        ("ticket.claimed", "user", user.id, "Eve"),
        ("ticket.note_added", "key", key.key.id, "CI"),
        ("ticket.resolved", "system", None, "Operator"),
        ("ticket.message_received", "mail", reply_id, "Ann"),
        ("ticket.reopened", "mail", reply_id, "Ann"),
    ]
    events = (await tickets.get(installation.actor, ticket_id)).events
    assert [(event.type, *describe_actor(event)) for event in events] == expected
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event.user_id for event in events] == [None, user.id, user.id, None, None, None]
    timeline = await tickets.get_timeline(installation.actor, ticket_id)
    assert [describe_actor(entry.event) for entry in timeline.entries] == [describe_actor(event) for event in events]

    await installation.services.users.change(installation.actor, user.id, name="Eva")
    events = (await tickets.get(installation.actor, ticket_id)).events
    assert describe_actor(events[1]) == ("user", user.id, "Eva")
    await installation.services.users.delete(installation.actor, user.id)
    events = (await tickets.get(installation.actor, ticket_id)).events
    assert describe_actor(events[1]) == ("user", user.id, "removed user")
    assert describe_actor(events[2]) == ("key", key.key.id, "removed API key")


async def test_a_person_who_reopens_a_ticket_sets_its_status(installation: Installation) -> None:
    await installation.accept_message(mails.mail())
    ticket_id = str((await installation.all_rows("tickets"))[0]["id"])
    for status in ("waiting", "resolved", "waiting", "open"):
        await installation.tickets.set_status(installation.actor, ticket_id, status)
    await installation.tickets.set_status(installation.actor, ticket_id, "resolved")
    extra = ["In-Reply-To: <one@customer.test>"]
    await installation.accept_message(mails.mail("<two@customer.test>", extra=extra))
    events = (await installation.tickets.get(installation.actor, ticket_id)).events
    assert [(event.type, EventAnswer.from_event(event).event) for event in events] == [
        ("ticket.created", "opened"),
        ("ticket.status_changed", "status"),
        ("ticket.resolved", "status"),
        ("ticket.reopened", "status"),
        ("ticket.status_changed", "status"),
        ("ticket.resolved", "status"),
        ("ticket.message_received", "replied"),
        ("ticket.reopened", "reopened"),
    ]
