"""Finds the conversation that each message of a group joins, and updates its ticket, inside the accept transaction.

All queries are index lookups with bounded results.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from router import ids
from router.accept import threads
from router.accept.identities import assigned_ids, order_identities, reply_ids
from router.accept.incoming import MAX_TICKETS, AcceptEntry, Bounced
from router.checks import own_answers
from router.errors import SerializationConflict
from router.mail.mailboxes import normalize_address
from router.model import Message, TicketEvent
from router.store.database import Statement, StatementGenerator
from router.store.fragments import model_values
from router.store.post_updates import queue_updates

_Key = tuple[str, str]  # `AcceptEntry.thread_key` and a Message-ID


class _Participants:
    """The participants of tickets, as stored and as added by messages of the group."""

    def __init__(self) -> None:
        self._by_ticket: dict[str, set[str]] = {}
        self._queried: set[tuple[str, str]] = set()  # (ticket, address)
        self._new_tickets: set[str] = set()

    def read(self, pairs: Iterable[tuple[str, str]]) -> StatementGenerator[None]:
        """Reads for each pair of ticket and address whether the address is a participant of the ticket."""
        unknown = {pair for pair in pairs if pair not in self._queried and pair[0] not in self._new_tickets}
        if unknown:
            self._queried |= unknown
            rows = yield Statement(
                "accept_find_participants", [{"ticket_id": t, "address": a} for t, a in sorted(unknown)]
            )
            for row in rows:
                self.get(row["ticket_id"]).add(row["address"])

    def get(self, ticket_id: str) -> set[str]:
        return self._by_ticket.setdefault(ticket_id, set())

    def add_new_ticket(self, ticket_id: str) -> None:
        self._new_tickets.add(ticket_id)


def join_conversations(new_entries: Sequence[AcceptEntry], returned: Mapping[str, Bounced]) -> StatementGenerator[None]:
    """Assigns each entry to the ticket that it joins, or to a new ticket. Omits bounces, which have joined theirs.

    A reply can join a ticket that an earlier message of the same group opens.

    Args:
        returned: The result of `find_bounces`.
    """
    entries = [entry for entry in new_entries if entry.bounced is None]
    answers = [entry for entry in entries if entry.mail.reference_ids or entry.share.numbers]
    tickets_by_reference = yield from _read_candidates(answers)
    own_tickets = yield from _read_own_tickets(answers)
    participants = _Participants()
    yield from participants.read(
        (ticket_id, entry.mail.author)
        for entry in answers
        for _, ticket_id in _candidate_pairs(entry, tickets_by_reference) + _own_pairs(entry, own_tickets)
    )
    for entry in entries:
        joined = None
        if entry.mail.reference_ids or entry.share.numbers:
            joined = yield from _choose_ticket(entry, tickets_by_reference, own_tickets, participants)
        if joined is None and entry.message.id in returned:
            entry.bounced = returned[entry.message.id]
            continue
        if joined is None:
            entry.ticket_id = ids.new_id("ticket")
            participants.add_new_ticket(entry.ticket_id)
        else:
            entry.ticket_id, entry.joined_by, entry.new_sender = joined.ticket_id, joined.by, joined.new_sender
        if answers:
            if not entry.new_sender:
                participants.get(entry.ticket_id).update(entry.mail.participants)
            if entry.message.rfc_message_id:
                own = tickets_by_reference.setdefault((entry.thread_key, entry.message.rfc_message_id), [])
                own[:] = sorted({*own, entry.ticket_id})[-MAX_TICKETS:]


def _choose_ticket(
    entry: AcceptEntry,
    tickets_by_reference: dict[_Key, list[str]],
    own_tickets: Mapping[_Key, str],
    participants: _Participants,
) -> StatementGenerator[threads.JoinedTicket | None]:
    author = entry.mail.author
    found = _candidate_pairs(entry, tickets_by_reference)
    own = _own_pairs(entry, own_tickets)
    # An earlier message of this group may have joined a ticket that was no candidate at the first read.
    yield from participants.read((ticket_id, author) for _, ticket_id in found)
    candidates = [
        threads.Candidate(ticket_id, identity, participants.get(ticket_id), is_own=is_own)
        for is_own, pairs in ((False, found), (True, own))
        for identity, ticket_id in pairs
    ]
    return threads.choose_ticket(order_identities(entry.share.numbers, entry.mail.reference_ids), author, candidates)


def _own_pairs(entry: AcceptEntry, own_tickets: Mapping[_Key, str]) -> list[tuple[str, str]]:
    """Pairs each identity of our own mail with its ticket."""
    identities = order_identities(entry.share.numbers, entry.mail.reference_ids)
    found = ((identity, own_tickets.get((entry.thread_key, identity))) for identity in identities)
    return [(identity, ticket_id) for identity, ticket_id in found if ticket_id is not None]


def _candidate_pairs(entry: AcceptEntry, tickets_by_reference: dict[_Key, list[str]]) -> list[tuple[str, str]]:
    """Pairs each reference with each of the newest tickets that contain a message with this Message-ID."""
    newest = entry.mail.max_tickets_per_lookup
    return [
        (reference, ticket_id)
        for reference in entry.mail.reference_ids
        for ticket_id in tickets_by_reference.get((entry.thread_key, reference), ())[-newest:]
    ]


def _read_candidates(answers: Sequence[AcceptEntry]) -> StatementGenerator[dict[_Key, list[str]]]:
    """Reads the newest tickets for each pair of alias and referenced Message-ID. Each list is sorted oldest first."""
    limits: dict[_Key, int] = {}
    for entry in answers:
        max_tickets = entry.mail.max_tickets_per_lookup
        for reference in entry.mail.reference_ids:
            limits[entry.thread_key, reference] = max(max_tickets, limits.get((entry.thread_key, reference), 0))
    tickets_by_reference: dict[_Key, list[str]] = {}
    if limits:
        rows = yield Statement(
            "accept_ticket_candidates",
            [
                {"thread_key": key, "rfc_message_id": reference, "max_tickets": max_tickets}
                for (key, reference), max_tickets in sorted(limits.items())
            ],
        )
        for row in rows:
            tickets_by_reference.setdefault((row["thread_key"], row["rfc_message_id"]), []).append(row["ticket_id"])
    for tickets in tickets_by_reference.values():
        tickets.sort()
    return tickets_by_reference


def _read_own_tickets(answers: Sequence[AcceptEntry]) -> StatementGenerator[dict[_Key, str]]:
    """Reads the ticket of each identity of our own mail: a token, the Message-ID of a reply, or one that was assigned.

    Each has one ticket.
    """
    wanted: dict[str, dict[_Key, dict[str, object]]] = {
        "accept_find_numbered": {
            (entry.thread_key, each.by): {"workspace_id": entry.message.workspace_id, "number": each.number}
            for entry in answers
            for each in entry.share.numbers
        }
    }
    for query, convert in (("accept_find_assigned", assigned_ids), ("accept_find_replies", reply_ids)):
        wanted[query] = {
            (entry.thread_key, reference): {"rfc_message_id": stored}
            for entry in answers
            for reference, stored in convert(entry.mail.reference_ids).items()
        }
    found: dict[_Key, str] = {}
    for query, rows in wanted.items():
        keys = [{"thread_key": key, "identity": identity} for key, identity in rows]
        if keys:
            values = [key | row for key, row in zip(keys, rows.values(), strict=True)]
            for row in (yield Statement(query, values)):
                found.setdefault((row["thread_key"], row["identity"]), row["ticket_id"])
    return found


def clear_automatic_of_replies(new_entries: Sequence[AcceptEntry]) -> None:
    """Clears `automatic` of each message that counts as a person's reply."""
    replies = {
        entry.message.id
        for entry in new_entries
        if threads.is_persons_reply(entry.joined_by, entry.mail.relayed_reply_ids)
    }
    for entry in new_entries:
        if entry.message.id in replies:
            entry.message = replace(entry.message, automatic="")


def group_by_ticket(new_entries: Sequence[AcceptEntry]) -> dict[str, list[AcceptEntry]]:
    """Numbers the entries of each ticket from 1, as in a new ticket. Only the first entry of a ticket can open it."""
    by_ticket: dict[str, list[AcceptEntry]] = {}
    for entry in new_entries:
        entries = by_ticket.setdefault(entry.ticket_id, [])
        entries.append(entry)
        entry.sequence = len(entries)
    return by_ticket


def update_joined_tickets(by_ticket: Mapping[str, Sequence[AcceptEntry]]) -> StatementGenerator[None]:
    """Updates the tickets that existed before the group, and reopens those that a person replied to.

    Renumbers the entries of these tickets, and marks those that join spam. Raises `SerializationConflict` if a ticket
    was erased after it was found.
    """
    joined = {ticket_id: entries for ticket_id, entries in by_ticket.items() if entries[0].joined_by}
    if not joined:
        return
    rows = yield Statement(
        "accept_join_ticket",
        [
            {
                "ticket_id": ticket_id,
                "received_at": max(entry.message.received_at for entry in entries),
                "messages": len(entries),
                "replied_at": min((reply.received_at for reply in _persons_messages(entries)), default=None),
            }
            for ticket_id, entries in joined.items()
        ],
    )
    if len(rows) < len(joined):
        raise SerializationConflict("a joined ticket was erased")
    for row in rows:
        entries = joined[row["ticket_id"]]
        for n, entry in enumerate(reversed(entries)):
            entry.sequence = row["last_sequence"] - n
            entry.joins_spam = bool(row["spam"])
    yield from _reopen_tickets(joined, {row["ticket_id"]: row["status"] for row in rows})


def ticket_automatic(entries: Sequence[AcceptEntry]) -> str:
    """Returns why a new ticket is automatic: the reason of its first message, or `""` if a person wrote any message."""
    return "" if any(_persons_messages(entries)) else entries[0].message.automatic


def _persons_messages(entries: Iterable[AcceptEntry]) -> Iterator[Message]:
    return (
        entry.message
        for entry in entries
        if threads.should_reopen(entry.message.automatic) and not (entry.is_bounce or entry.awaits_author)
    )


def mark_own_answers(new_entries: Sequence[AcceptEntry]) -> StatementGenerator[None]:
    """Marks the messages that a user may have sent to the tag of a ticket, if their senders are checked."""
    candidates = [
        entry
        for entry in new_entries
        if entry.joined_by
        and not (entry.message.automatic or entry.is_bounce or entry.mail.check_waits is None)
        and own_answers.is_addressed_to_ticket(entry.joined_by)
    ]
    if not candidates:
        return
    senders = [(entry.message.workspace_id, normalize_address(entry.message.from_address)) for entry in candidates]
    authors = yield from own_answers.find_authors(senders)
    for entry, sender in zip(candidates, senders, strict=True):
        entry.awaits_author = sender in authors


def _reopen_tickets(
    joined: Mapping[str, Sequence[AcceptEntry]], statuses: Mapping[str, str]
) -> StatementGenerator[None]:
    replies = {ticket_id: message for ticket_id, entries in joined.items() for message in _persons_messages(entries)}
    reopened = yield Statement("accept_reopen_ticket", [{"ticket_id": ticket_id} for ticket_id in sorted(replies)])
    events = []
    for row in reopened:
        message = replies[row["ticket_id"]]
        events.append(
            TicketEvent(
                id=ids.new_id("evt"),
                ticket_id=row["ticket_id"],
                workspace_id=row["workspace_id"],
                sequence=row["last_sequence"],
                at=message.received_at,
                type="ticket.reopened",
                actor_type="mail",
                actor_id=message.id,
                user_id=None,
                detail=json.dumps({"messageId": message.id, "from": statuses[row["ticket_id"]]}),
            )
        )
    if events:
        yield Statement("ticket_event_insert", [model_values(event) for event in events])
        yield from queue_updates([event.ticket_id for event in events], max(event.at for event in events))


def write_participants(new_entries: Sequence[AcceptEntry]) -> StatementGenerator[None]:
    """Writes the participants of the tickets of the group.

    Omits From and the alias: usually, the ticket row contains them or the sender is already a participant. Therefore
    most new messages need no row. Neither a bounce nor a new sender adds any.
    """
    participants = dict.fromkeys(
        (entry.ticket_id, address)
        for entry in new_entries
        if not (entry.is_bounce or entry.new_sender)
        for address in entry.mail.participants
        if address not in (entry.message.from_address, entry.target.address)
    )
    if participants:
        yield Statement(
            "accept_insert_participant", [{"ticket_id": t, "address": address} for t, address in participants]
        )
