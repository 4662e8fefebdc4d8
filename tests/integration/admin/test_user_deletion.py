"""A user with many tickets is deleted in several short transactions, which can be interrupted and repeated."""

import secrets
from collections.abc import Sequence

import pytest

from router.admin import ticket_events
from router.admin.access import users as users_module
from router.enumerations import TicketEventType
from router.errors import Unavailable
from router.model import Actor, Micros, TicketEvent
from router.store.database import QueryExecutor
from tests.support import mails
from tests.support.installation import Installation
from tests.support.manual_delivery import FIRST
from tests.support.refusal import refused_code

TICKETS = 5
record_for_all = ticket_events.record_for_all


class Batches:
    """Records the tickets of each transaction, and fails the transaction with the number `failing`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: int | None = None) -> None:
        self.ticket_ids: list[list[str]] = []
        self._failing = failing
        monkeypatch.setattr(users_module, "BATCH_TICKETS", 2)
        monkeypatch.setattr(ticket_events, "record_for_all", self._record)

    async def _record(
        self,
        transaction: QueryExecutor,
        actor: Actor,
        ticket_ids: Sequence[str],
        now: Micros,
        event_type: TicketEventType,
        **detail: object,
    ) -> list[TicketEvent]:
        if event_type == "ticket.unclaimed":
            if len(self.ticket_ids) == self._failing:
                raise Unavailable("the connection was lost")
            self.ticket_ids.append(list(ticket_ids))
        return await record_for_all(transaction, actor, ticket_ids, now, event_type, **detail)


async def accept_and_assign(installation: Installation, user_id: str) -> list[str]:
    ticket_ids = sorted([await installation.accept_ticket() for _ in range(TICKETS)])
    for ticket_id in ticket_ids:
        await installation.tickets.assign(installation.actor, ticket_id, user_id)
    return ticket_ids


async def assignees(installation: Installation) -> list[object]:
    return [row["assigned_to"] for row in await installation.execute("SELECT assigned_to FROM tickets ORDER BY id")]


async def test_the_tickets_are_unassigned_in_batches_in_the_order_of_their_ids(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, key = await installation.add_user_with_key()
    ticket_ids = await accept_and_assign(installation, user_id)
    await installation.tickets.set_status(installation.actor, ticket_ids[0], "resolved")
    await installation.tickets.set_status(installation.actor, ticket_ids[1], "waiting")
    batches = Batches(monkeypatch)
    await installation.services.users.delete(installation.actor, user_id)
    assert batches.ticket_ids == [ticket_ids[1:3], ticket_ids[3:]]
    assert await assignees(installation) == [user_id, None, None, None, None]
    statuses = [row["status"] for row in await installation.execute("SELECT status FROM tickets ORDER BY id")]
    assert statuses == ["resolved", "waiting", "open", "open", "open"]
    for ticket_id in ticket_ids[1:]:
        event = (await installation.tickets.get(installation.actor, ticket_id)).events[-1]
        assert (event.type, event.detail) == ("ticket.unclaimed", f'{{"from": "{user_id}"}}')
    assert await refused_code(installation.services.users.get(installation.actor, user_id)) == ("not_found", None)
    assert await refused_code(installation.services.authentication.authenticate_key(key)) == ("unauthorized", None)


async def test_an_interrupted_deletion_disables_the_user_and_is_finished_by_the_next_request(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, key = await installation.add_user_with_key()
    user = (await installation.services.authentication.authenticate_key(key)).actor
    ticket_ids = await accept_and_assign(installation, user_id)
    with monkeypatch.context() as interruption:
        batches = Batches(interruption, failing=1)
        with pytest.raises(Unavailable):
            await installation.services.users.delete(installation.actor, user_id)
    assert batches.ticket_ids == [ticket_ids[:2]]
    assert await assignees(installation) == [None, None, user_id, user_id, user_id]
    assert (await installation.services.users.get(installation.actor, user_id)).disabled_at is not None
    assert await refused_code(installation.services.authentication.authenticate_key(key)) == ("unauthorized", None)
    for late in (
        installation.tickets.claim(user, ticket_ids[0]),
        installation.tickets.set_status(user, ticket_ids[0], "in_progress"),
    ):
        assert await refused_code(late) == ("unauthorized", None)
    assert await refused_code(installation.tickets.assign(installation.actor, ticket_ids[0], user_id)) == (
        "invalid_request",
        "userId",
    )

    batches = Batches(monkeypatch)
    await installation.services.users.delete(installation.actor, user_id)
    assert batches.ticket_ids == [ticket_ids[2:4], ticket_ids[4:]]
    assert await assignees(installation) == [None] * TICKETS
    assert await refused_code(installation.services.users.get(installation.actor, user_id)) == ("not_found", None)
    entries = (await installation.services.audit.list(installation.actor)).items
    actions = [entry.action for entry in entries if entry.target == user_id]
    assert actions[:2] == ["user.delete", "user.change"]


async def test_tickets_of_a_user_who_is_enabled_during_the_deletion_are_unassigned(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, _ = await installation.add_user_with_key()
    ticket_ids = await accept_and_assign(installation, user_id)
    users = installation.services.users
    delete_batch = users._delete_batch

    async def enable_and_delete(actor: Actor, deleted_id: str, after: str) -> str | None:
        if after == ticket_ids[3]:
            await users.change(actor, deleted_id, disabled=False)
            await installation.tickets.assign(actor, ticket_ids[0], deleted_id)
        return await delete_batch(actor, deleted_id, after)

    monkeypatch.setattr(users, "_delete_batch", enable_and_delete)
    batches = Batches(monkeypatch)
    await users.delete(installation.actor, user_id)
    assert batches.ticket_ids == [ticket_ids[:2], ticket_ids[2:4], [ticket_ids[0], ticket_ids[4]]]
    assert await assignees(installation) == [None] * TICKETS
    assert await refused_code(users.get(installation.actor, user_id)) == ("not_found", None)


async def test_other_processes_can_write_between_the_transactions(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, _ = await installation.add_user_with_key()
    await accept_and_assign(installation, user_id)
    batches = Batches(monkeypatch)
    unassigned_before_pauses = []

    async def pause() -> None:
        unassigned_before_pauses.append(len(batches.ticket_ids))

    monkeypatch.setattr("router.store.batches.pause", pause)
    await installation.services.users.delete(installation.actor, user_id)
    assert unassigned_before_pauses == [1, 2]


async def test_a_ticket_that_a_reply_reopens_during_the_deletion_is_unassigned(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    user_id, _ = await installation.add_user_with_key()
    first = await installation.accept_ticket(mails.plain(message_id=FIRST))
    await installation.tickets.assign(installation.actor, first, user_id)
    await accept_and_assign(installation, user_id)
    await installation.tickets.set_status(installation.actor, first, "resolved")
    monkeypatch.setattr(users_module, "BATCH_TICKETS", 2)

    async def reply() -> None:
        await installation.accept_message(mails.reply_to(FIRST, message_id=f"<{secrets.token_hex(8)}@customer.test>"))

    monkeypatch.setattr("router.store.batches.pause", reply)
    await installation.services.users.delete(installation.actor, user_id)
    assert await assignees(installation) == [None] * (TICKETS + 1)


async def test_a_reply_unassigns_a_resolved_ticket_of_a_deleted_user(installation: Installation) -> None:
    deleted, _ = await installation.add_user_with_key()
    disabled, _ = await installation.add_user_with_key()
    message_ids = {deleted: "<deleted@customer.test>", disabled: "<disabled@customer.test>"}
    ticket_ids = {}
    for user_id, message_id in message_ids.items():
        ticket_id = await installation.accept_ticket(mails.plain(message_id=message_id))
        await installation.tickets.assign(installation.actor, ticket_id, user_id)
        await installation.tickets.set_status(installation.actor, ticket_id, "resolved")
        ticket_ids[user_id] = ticket_id
    await installation.services.users.delete(installation.actor, deleted)
    await installation.services.users.change(installation.actor, disabled, disabled=True)
    for message_id in message_ids.values():
        await installation.accept_message(mails.reply_to(message_id, message_id=f"<reply-to-{message_id[1:]}"))
    unassigned, kept = [
        (await installation.tickets.get(installation.actor, ticket_id)).ticket for ticket_id in ticket_ids.values()
    ]
    assert (unassigned.status, unassigned.assigned_to, unassigned.claimed_at) == ("open", None, None)
    assert (kept.status, kept.assigned_to) == ("open", disabled)
    assert kept.claimed_at is not None
