"""The transaction that is committed before the `250` reply, as named statements for a whole group of messages.

`commit_group` is a statement generator (`router.store.database`). Its decisions depend only on the messages and on
values that the database returned in the same transaction. Either the whole group is committed or nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from router.accept import bounces
from router.accept.acknowledgements import queue_acknowledgements
from router.accept.deliveries import CurrentIntegration, queue_deliveries, read_integrations
from router.accept.incoming import AcceptEntry, IncomingMail
from router.accept.joining import (
    clear_automatic_of_replies,
    group_by_ticket,
    join_conversations,
    mark_own_answers,
    ticket_automatic,
    update_joined_tickets,
    write_participants,
)
from router.errors import Unavailable
from router.routing.route import ReplyToken
from router.store.database import Row, Statement, StatementGenerator
from router.store.fragments import model_values

# Chunks allow streaming a message of any size with constant memory.
CHUNK_BYTES = 256 * 1024
# Maximum size of the chunks in one statement.
MAX_STATEMENT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Committed:
    """The result of the transaction for one message.

    Attributes:
        message_id: The id of the first new message row; for a repeat, the id of the earlier message.
        ticketed: The number of aliases at which the message opened or joined a ticket.
        repeated: The number of aliases that had received the message before.
        queued: The number of aliases for which a delivery was queued.
        has_bounces: Whether it is a bounce of our own mail, which is queued for reading.
    """

    message_id: str
    is_repeat: bool
    due_integrations: tuple[str, ...]
    ticketed: int
    repeated: int
    queued: int
    has_bounces: bool = False


@dataclass(slots=True)
class _GroupCounts:
    """The numbers of aliases by message id; see `Committed`."""

    ticketed: Counter[str]
    repeated: Counter[str]
    queued: Counter[str]


def commit_group(mails: Sequence[IncomingMail]) -> StatementGenerator[Sequence[Committed | Unavailable]]:
    """Writes a group of messages; returns one result for each message, in the same order.

    A bounce is `Unavailable` if its token is not valid any more; nothing of it is written.
    """
    addressed = bounces.find_addressed_tokens(mails)
    if not addressed:
        return (yield from _commit_accepted(mails, {}))
    tokens = yield from bounces.read_tokens(addressed)
    refused = bounces.find_refused(addressed, tokens)
    accepted = [mail for position, mail in enumerate(mails) if position not in refused]
    committed = iter((yield from _commit_accepted(accepted, tokens)))
    return [
        Unavailable("a token among the recipients is not valid any more") if position in refused else next(committed)
        for position in range(len(mails))
    ]


def _commit_accepted(
    mails: Sequence[IncomingMail], tokens: Mapping[str, ReplyToken]
) -> StatementGenerator[Sequence[Committed]]:
    entries = [
        AcceptEntry(mail, share, share.message, targets, targets[0], (targets[0].alias_key, mail.fingerprint))
        for mail in mails
        for share in mail.shares
        for targets in share.by_alias
    ]
    first_ids = yield from _claim_fingerprints(entries)
    new_entries = [
        entry
        for entry in entries
        if entry.fingerprint_key not in first_ids or first_ids[entry.fingerprint_key] == entry.message.id
    ]
    repeated = Counter(
        entry.message.id
        for entry in entries
        if first_ids.get(entry.fingerprint_key, entry.message.id) != entry.message.id
    )
    returned = yield from bounces.find_bounces(new_entries, tokens)
    yield from join_conversations(new_entries, returned)
    ticketed = Counter(entry.message.id for entry in new_entries)
    has_bounces = any(entry.is_bounce for entry in new_entries)
    if has_bounces:
        new_entries = bounces.merge_bounces(new_entries)
    clear_automatic_of_replies(new_entries)  # changes values that the next statement writes
    yield from mark_own_answers(new_entries)
    yield from _write_messages(new_entries, repeated)
    yield from _queue_checks(new_entries)
    integrations = yield from read_integrations(new_entries)
    by_ticket = group_by_ticket(new_entries)
    yield from update_joined_tickets(by_ticket)
    yield from _link_recipients(new_entries, integrations)
    yield from write_participants(new_entries)
    counts = _GroupCounts(
        ticketed=ticketed,
        repeated=repeated,
        queued=Counter(),
    )
    due_integrations = yield from queue_deliveries(new_entries, integrations, counts.queued)
    bounce_ids: Set[str] = frozenset()
    if has_bounces:
        bounce_ids = yield from bounces.queue_bounces(new_entries)
    yield from _insert_tickets(by_ticket)
    yield from queue_acknowledgements(by_ticket)
    return [_build_result(mail, counts, first_ids, due_integrations, bounce_ids) for mail in mails]


def _claim_fingerprints(entries: Sequence[AcceptEntry]) -> StatementGenerator[dict[tuple[str, str], str]]:
    """Claims the fingerprints of the group; maps each fingerprint key to the id of the first message with that key."""
    first: dict[tuple[str, str], str] = {}
    claims = []
    for entry in entries:
        if entry.mail.fingerprint and entry.fingerprint_key not in first:
            first[entry.fingerprint_key] = entry.message.id
            claims.append(
                {
                    "alias_key": entry.target.alias_key,
                    "fingerprint": entry.mail.fingerprint,
                    "message_id": entry.message.id,
                    "accepted_at": entry.message.received_at,
                    "horizon": entry.mail.horizon,
                }
            )
    claimed = {_fingerprint_key(row) for row in (yield Statement("accept_claim_fingerprint", claims))}
    # A key that was just claimed has one new message. All other messages with the key are repeats.
    repeats = Counter(entry.fingerprint_key for entry in entries if entry.fingerprint_key in first)
    repeats.subtract(claimed)
    wanted_counts = [
        {"alias_key": key, "fingerprint": fingerprint, "repeats": count}
        for (key, fingerprint), count in sorted(repeats.items())
        if count
    ]
    if wanted_counts:
        for row in (yield Statement("accept_count_repeats", wanted_counts)):
            first[_fingerprint_key(row)] = row["message_id"]
    return first


def _fingerprint_key(row: Row) -> tuple[str, str]:
    return row["alias_key"], row["fingerprint"]


def _write_messages(new_entries: Sequence[AcceptEntry], repeated: Counter[str]) -> StatementGenerator[None]:
    contents = {entry.message.id: entry.mail.content for entry in new_entries}
    new = Counter(entry.message.id for entry in new_entries)
    yield Statement(
        "accept_insert_message",
        [
            model_values(m) | {"aliases": new[m.id] + repeated[m.id], "repeated": repeated[m.id]}
            for m in {entry.message.id: entry.message for entry in new_entries}.values()
        ],
    )
    yield from chunk_statements(contents)


def chunk_statements(contents: dict[str, bytes]) -> StatementGenerator[None]:
    rows: list[dict[str, object]] = []
    nbytes = 0
    for message_id, content in contents.items():
        view = memoryview(content)  # avoids another copy of a large message
        for n, start in enumerate(range(0, max(len(content), 1), CHUNK_BYTES)):
            data = view[start : start + CHUNK_BYTES]
            if rows and nbytes + len(data) > MAX_STATEMENT_BYTES:
                yield Statement("accept_insert_chunk", rows)
                rows, nbytes = [], 0
            rows.append({"message_id": message_id, "n": n, "data": data})
            nbytes += len(data)
    if rows:
        yield Statement("accept_insert_chunk", rows)


def _queue_checks(new_entries: Sequence[AcceptEntry]) -> StatementGenerator[None]:
    queued = {entry.message.id: None for entry in new_entries if entry.mail.check_waits is not None}
    yield Statement("accept_queue_check", [{"message_id": message_id} for message_id in queued])


def _link_recipients(
    new_entries: Sequence[AcceptEntry], integrations: dict[str, CurrentIntegration]
) -> StatementGenerator[None]:
    """Writes one row for each recipient, which links the message to its ticket. A bounce is posted nowhere."""
    linked = {key: each.id for key, each in integrations.items()}
    yield Statement(
        "accept_insert_recipient",
        [
            {
                "ticket_id": entry.ticket_id,
                "message_id": entry.message.id,
                "rfc_message_id": entry.message.rfc_message_id,
                "thread_key": entry.thread_key,
                "recipient": target.recipient,
                "alias_id": target.alias_id,
                "tag": "" if target.recipient == entry.joined_by else target.tag,  # the token of a ticket
                "joined_by": entry.joined_by,
                "sequence": entry.sequence,
                "integration_id": None if entry.is_bounce else linked.get(entry.target.alias_key),
                "created_at": entry.message.received_at,
            }
            for entry in new_entries
            for target in entry.targets
        ],
    )
    new_senders = [entry for entry in new_entries if entry.new_sender]
    if new_senders:
        rows = [{"ticket_id": entry.ticket_id, "message_id": entry.message.id} for entry in new_senders]
        yield Statement("accept_mark_new_sender", rows)


def _insert_tickets(by_ticket: Mapping[str, Sequence[AcceptEntry]]) -> StatementGenerator[None]:
    """Writes the new tickets last, because reserving their numbers locks the workspace until the commit.

    Foreign keys that refer to these tickets are checked at the commit, not before.
    """
    opened = [entries for entries in by_ticket.values() if not entries[0].joined_by]
    wanted = Counter(entries[0].message.workspace_id for entries in opened)
    rows = yield Statement("accept_reserve_numbers", [{"workspace_id": w, "wanted": wanted[w]} for w in sorted(wanted)])
    next_number = {row["workspace_id"]: row["last_ticket_number"] - wanted[row["workspace_id"]] + 1 for row in rows}
    tickets = []
    for entries in opened:
        message, target = entries[0].message, entries[0].target
        number = next_number[message.workspace_id]
        next_number[message.workspace_id] += 1
        tickets.append(
            {
                "id": entries[0].ticket_id,
                "workspace_id": message.workspace_id,
                "number": number,
                "alias_id": target.alias_id,
                "address": target.address,
                "subject": message.subject,
                "from_address": message.from_address,
                "from_name": message.from_name,
                "received_at": message.received_at,
                "updated_at": max(entry.message.received_at for entry in entries),
                "automatic": ticket_automatic(entries),
                "last_sequence": len(entries),
            }
        )
    yield Statement("accept_insert_ticket", tickets)


def _build_result(
    mail: IncomingMail,
    counts: _GroupCounts,
    first_ids: dict[tuple[str, str], str],
    due_integrations: dict[str, list[str]],
    bounce_ids: Set[str],
) -> Committed:
    shares = [share.message.id for share in mail.shares]
    new = [message_id for message_id in shares if message_id in counts.ticketed]
    first_target = mail.shares[0].by_alias[0][0]
    return Committed(
        message_id=new[0] if new else first_ids[first_target.alias_key, mail.fingerprint],
        is_repeat=not new,
        due_integrations=tuple(
            dict.fromkeys(each for message_id in new for each in due_integrations.get(message_id, ()))
        ),
        ticketed=sum(counts.ticketed[message_id] for message_id in shares),
        repeated=sum(counts.repeated[message_id] for message_id in shares),
        queued=sum(counts.queued[message_id] for message_id in shares),
        has_bounces=not bounce_ids.isdisjoint(new),
    )
