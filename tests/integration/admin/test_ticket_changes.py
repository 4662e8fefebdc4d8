"""Taking tickets over, bulk changes and undo."""

import asyncio
import json
import random
from dataclasses import replace
from typing import Any

import pytest

from router.admin.tickets.change_writer import MAX_BULK, TicketChange
from router.admin.tickets.changes import (
    UNDO_SECONDS,
    AssignChange,
    ChoiceChange,
    ClaimChange,
    UnassignChange,
)
from router.admin.tickets.tag_names import TagsChange
from router.clock import SECOND
from router.enumerations import TICKET_PRIORITY, TICKET_STATUS
from router.errors import Refused
from router.model import Actor
from tests.support import mails, seeds
from tests.support.installation import Installation
from tests.support.refusal import refused_code, refused_message

STATE = ("status", "assigned_to", "claimed_at", "resolved_at", "priority")
URGENT = ChoiceChange(TICKET_PRIORITY, "urgent")
RESOLVE = ChoiceChange(TICKET_STATUS, "resolved")


async def read_state(installation: Installation, ticket_id: str) -> tuple[Any, ...]:
    ticket = (await installation.tickets.get_many(installation.actor, [ticket_id]))[ticket_id]
    return tuple(getattr(ticket, name) for name in STATE)


async def add_tickets(installation: Installation, count: int) -> list[str]:
    return [
        await seeds.insert_ticket(installation.database, installation.workspace_id, number)
        for number in range(1, count + 1)
    ]


async def test_an_agent_takes_a_ticket_over(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    tickets = installation.tickets
    agent, rival = [await installation.add_actor() for _ in range(2)]
    await tickets.claim(agent, ticket_id, take_over=True)
    await tickets.set_status(agent, ticket_id, "waiting")
    installation.clock.advance(60)
    assert await refused_code(tickets.claim(rival, ticket_id)) == ("already_claimed", None)
    taken = await tickets.claim(rival, ticket_id, take_over=True)
    assert (taken.status, taken.assigned_to) == ("in_progress", rival.user_id)
    assert taken.claimed_at == installation.clock.now()
    assert await tickets.claim(rival, ticket_id, take_over=True) == taken
    claims = [event for event in (await tickets.get(agent, ticket_id)).events if event.type == "ticket.claimed"]
    assert [json.loads(event.detail).get("from") for event in claims] == [None, agent.user_id]
    await tickets.set_status(rival, ticket_id, "resolved")
    assert await refused_code(tickets.claim(agent, ticket_id, take_over=True)) == ("not_open", None)


async def test_concurrent_claims_and_takeovers_form_one_chain(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    second = installation.second_process()
    agents = [await installation.add_actor() for _ in range(16)]
    try:
        outcomes = await asyncio.gather(
            *(
                (installation, second)[n % 2].tickets.claim(agent, ticket_id, take_over=n % 4 < 2)
                for n, agent in enumerate(agents)
            ),
            return_exceptions=True,
        )
    finally:
        await second.close()
    refused = [each for each in outcomes if isinstance(each, Refused)]
    assert {each.code for each in refused} <= {"already_claimed"}
    assert len(refused) in (7, 8)  # one claim wins if it is the first
    claims = [e for e in (await installation.tickets.get(agents[0], ticket_id)).events if e.type == "ticket.claimed"]
    assert len(claims) + len(refused) == len(agents)
    former = None
    for claim in claims:
        assert json.loads(claim.detail).get("from") == former
        former = claim.user_id
    assert (await installation.tickets.get(agents[0], ticket_id)).ticket.assigned_to == former


class RandomHistory:
    """Random changes of tickets, and a model of what can be undone.

    The model has, for each ticket, the newest change: its event, its author, its time, and the state before it.
    """

    def __init__(self, installation: Installation, people: list[Actor], ticket_ids: list[str], seed: int) -> None:
        self.random = random.Random(seed)
        self.installation = installation
        self.people = people
        self.ticket_ids = ticket_ids
        self.newest: dict[str, tuple[str, Actor, int, tuple[Any, ...]]] = {}
        self.older: list[tuple[str, Actor]] = []  # changed again since then
        self.undone = self.refused = 0

    def choose_change(self) -> TicketChange:
        changes: list[TicketChange] = [
            ClaimChange(take_over=self.random.random() < 0.5),
            UnassignChange(),
            AssignChange(self.random.choice(self.people).user_id or ""),
            ChoiceChange(TICKET_STATUS, self.random.choice(TICKET_STATUS.values)),
            ChoiceChange(TICKET_PRIORITY, self.random.choice(TICKET_PRIORITY.values)),
            TagsChange.parse(add=["VIP"]),
            TagsChange.parse(remove=["vip"]),
        ]
        return self.random.choice(changes)

    async def change(self) -> None:
        actor, ticket_id = self.random.choice(self.people), self.random.choice(self.ticket_ids)
        before = await read_state(self.installation, ticket_id)
        change = self.choose_change()
        try:
            changed = await self.installation.tickets.change(actor, ticket_id, change)
        except Refused:
            assert await read_state(self.installation, ticket_id) == before
            return
        after = await read_state(self.installation, ticket_id)
        assert after == tuple(getattr(changed.ticket, name) for name in STATE)
        if isinstance(change, TagsChange):
            assert after == before
            return
        assert (changed.event_id is None) == (after == before)
        self.record(ticket_id, changed.event_id, actor, before)

    def record(self, ticket_id: str, event_id: str | None, actor: Actor, before: tuple[Any, ...]) -> None:
        if event_id is not None:
            if ticket_id in self.newest:
                self.older.append(self.newest[ticket_id][:2])
            self.newest[ticket_id] = (event_id, actor, self.installation.clock.now(), before)

    async def undo_newest(self) -> None:
        ticket_id = self.random.choice(sorted(self.newest))
        event_id, author, at, before = self.newest[ticket_id]
        actor = author if self.random.random() < 0.8 else self.random.choice(self.people)
        current = await read_state(self.installation, ticket_id)
        result = await self.installation.tickets.undo(actor, [event_id])
        now = self.installation.clock.now()
        if actor == author and now - at <= UNDO_SECONDS * SECOND:
            assert result.failed == ()
            (undone,) = result.done
            assert undone.ticket.id == ticket_id
            assert await read_state(self.installation, ticket_id) == before
            self.record(ticket_id, undone.event_id, actor, current)
            self.undone += 1
        else:
            assert result.done == ()
            ((failed_id, refused),) = result.failed
            assert (failed_id, refused.code) == (event_id, "conflict" if actor == author else "forbidden")
            assert await read_state(self.installation, ticket_id) == current
            self.refused += 1

    async def undo_older(self) -> None:
        states = [await read_state(self.installation, ticket_id) for ticket_id in self.ticket_ids]
        event_id, author = self.random.choice(self.older)
        result = await self.installation.tickets.undo(author, [event_id])
        assert [(failed_id, refused.code) for failed_id, refused in result.failed] == [(event_id, "conflict")]
        assert states == [await read_state(self.installation, ticket_id) for ticket_id in self.ticket_ids]


@pytest.mark.parametrize("seed", range(2))
async def test_undo_restores_the_state_before_the_newest_change(installation: Installation, seed: int) -> None:
    people = [await installation.add_actor(role) for role in ("admin", "agent", "agent")]
    message_ids = [mails.new_message_id() for _ in range(3)]
    ticket_ids = [await installation.accept_ticket(mails.mail(message_id)) for message_id in message_ids]
    history = RandomHistory(installation, people, ticket_ids, seed)
    for _ in range(80):
        installation.clock.advance(history.random.choice([1, 1, 1, UNDO_SECONDS // 2]))
        match history.random.randrange(8):
            case 0 | 1 if history.newest:
                await history.undo_newest()
            case 2 if history.older:
                await history.undo_older()
            case 3:
                n = history.random.randrange(len(ticket_ids))
                before = await read_state(installation, ticket_ids[n])
                reply = mails.mail(mails.new_message_id(), extra=[f"In-Reply-To: {message_ids[n]}"])
                assert await installation.accept_ticket(reply) == ticket_ids[n]
                if await read_state(installation, ticket_ids[n]) != before and ticket_ids[n] in history.newest:
                    history.older.append(history.newest.pop(ticket_ids[n])[:2])  # a reply is a change, too
            case 4:
                await installation.tickets.notes.add(history.random.choice(people), ticket_ids[0], "Called back.")
            case _:
                await history.change()
    assert history.undone
    assert history.refused


async def test_an_undo_describes_what_it_restores(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    tickets = installation.tickets
    agent, other = [await installation.add_actor() for _ in range(2)]
    changes: tuple[TicketChange, ...] = (ClaimChange(), AssignChange(other.user_id or ""), RESOLVE, URGENT)
    for change, expected in zip(changes, ("unclaimed", "assigned", "reopened", "priority_changed"), strict=True):
        changed = await tickets.change(agent, ticket_id, change)
        assert changed.event_id is not None
        assert (await tickets.undo(agent, [changed.event_id, changed.event_id])).failed == ()
        event = (await tickets.get(agent, ticket_id)).events[-1]
        assert (event.type, json.loads(event.detail)["undoes"]) == (f"ticket.{expected}", changed.event_id)
        await tickets.change(agent, ticket_id, ClaimChange())

    # The former assignee was disabled in the meantime.
    given = await tickets.change(other, ticket_id, ClaimChange(take_over=True))
    await installation.services.users.change(installation.actor, agent.user_id or "", disabled=True)
    ((_, refused),) = (await tickets.undo(other, [given.event_id or ""])).failed
    assert refused.message == "Ticket #1 can no longer be assigned to its former assignee"
    note = await tickets.notes.add(other, ticket_id, "Called back.")
    foreign = await installation.add_actor("admin", await installation.add_workspace())
    for actor, event_id, code in (
        (other, note.id, "conflict"),
        (other, "evt_" + "0" * 26, "not_found"),
        (other, "nonsense", "not_found"),
        (installation.actor, given.event_id or "", "forbidden"),
        (foreign, given.event_id or "", "not_found"),
    ):
        result = await tickets.undo(actor, [event_id])
        assert [(failed_id, each.code) for failed_id, each in result.failed] == [(event_id, code)]
        assert result.done == ()


async def test_bulk_changes_in_opposite_orders(installation: Installation) -> None:
    ticket_ids = await add_tickets(installation, 60)
    second = installation.second_process()
    agents = [await installation.add_actor() for _ in range(3)]
    try:
        results = await asyncio.gather(
            installation.tickets.change_many(agents[0], ticket_ids, URGENT),
            second.tickets.change_many(agents[1], ticket_ids[::-1], ChoiceChange(TICKET_PRIORITY, "low")),
            second.tickets.change_many(agents[2], ticket_ids[::-1], TagsChange.parse(add=["VIP"])),
            installation.tickets.change_many(agents[2], ticket_ids, ClaimChange()),
        )
    finally:
        await second.close()
    for result, order in zip(results, (1, -1, -1, 1), strict=True):
        assert result.failed == ()
        assert [each.ticket.id for each in result.done] == ticket_ids[::order]
        assert None not in {each.event_id for each in result.done}
    for ticket in (await installation.tickets.list(installation.actor, limit=MAX_BULK)).items:
        assert (ticket.assigned_to, ticket.status) == (agents[2].user_id, "in_progress")
        assert [tag.name for tag in ticket.tags] == ["VIP"]
        events = (await installation.tickets.get(installation.actor, ticket.id)).events
        set_to = [json.loads(event.detail)["to"] for event in events if event.type == "ticket.priority_changed"]
        assert (sorted(set_to), set_to[-1]) == (["low", "urgent"], ticket.priority)

    # One undo of many changes. Refused are those whose ticket was changed again.
    done = {each.event_id or "": each.ticket for each in results[0].done}
    undone = await installation.tickets.undo(agents[0], done)
    failed = dict(undone.failed)
    assert {refused.code for refused in failed.values()} == {"conflict"}
    restored = [ticket.id for event_id, ticket in done.items() if event_id not in failed]
    assert [each.ticket.id for each in undone.done] == restored
    assert all(f"#{done[event_id].number} " in refused.message for event_id, refused in failed.items())


async def test_a_refused_ticket_does_not_affect_the_others(installation: Installation) -> None:
    tickets = installation.tickets
    agent, other = [await installation.add_actor() for _ in range(2)]
    one, taken, resolved, last = [await installation.accept_ticket() for _ in range(4)]
    await tickets.claim(other, taken)
    await tickets.set_status(agent, resolved, "resolved")
    foreign_actor = await installation.add_actor("admin", await installation.add_workspace())
    assert (await tickets.change_many(foreign_actor, [one], RESOLVE)).done == ()
    result = await tickets.change_many(agent, [last, taken, "nonsense", resolved, "#1", one], ClaimChange())
    assert [each.ticket.id for each in result.done] == [last, one, one]
    assert [each.event_id is None for each in result.done] == [False, False, True]
    assert [(ticket_id, refused.code) for ticket_id, refused in result.failed] == [
        (taken, "already_claimed"),
        ("nonsense", "not_found"),
        (resolved, "not_open"),
    ]
    tagged = await tickets.change_many(agent, [one, last], TagsChange.parse(add=["VIP"], remove=["old"]))
    assert [[tag.name for tag in each.ticket.tags] for each in tagged.done] == [["VIP"]] * 2
    assert (await tickets.get(agent, taken)).ticket.assigned_to == other.user_id
    for choice, code in ((TICKET_STATUS, "invalid_status"), (TICKET_PRIORITY, "invalid_request")):
        with pytest.raises(Refused) as wrong:
            ChoiceChange(choice, "closed")
        assert wrong.value.code == code
    assert ChoiceChange(TICKET_PRIORITY, "not-urgent").value == "low"
    too_many = [f"ticket_{n:026}" for n in range(MAX_BULK + 1)]
    assert await refused_code(tickets.change_many(agent, too_many, RESOLVE)) == ("invalid_request", None)
    assert "200 changes" in await refused_message(tickets.undo(agent, too_many))
    operator = replace(installation.actor, user_id=None)
    operated = await tickets.change_many(operator, [one, last], URGENT)
    assert {each.ticket.priority for each in operated.done} == {"urgent"}
    claimed = await tickets.change_many(operator, [one], ClaimChange())
    assert [refused.code for _, refused in claimed.failed] == ["invalid_request"]


async def test_taking_over_updates_the_posts(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    agent, rival = [await installation.add_actor() for _ in range(2)]
    view = await installation.tickets.get(agent, ticket_id)
    await installation.execute(
        "INSERT INTO posts (ticket_id, integration_id, delivery_id, ref, rendered_hash, max_age) "
        f"VALUES ('{ticket_id}', '{installation.integration_id}', '{view.deliveries[0].id}', 'r', '', 60000000)"
    )
    await installation.tickets.claim(agent, ticket_id)
    await installation.execute("DELETE FROM deliveries WHERE event = 'updated'")
    await installation.tickets.claim(rival, ticket_id, take_over=True)
    assert await installation.count_rows("deliveries", "event = 'updated' AND state = 'pending'") == 1
