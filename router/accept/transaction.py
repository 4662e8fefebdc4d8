"""The one transaction behind every 250, as a list of named steps for a whole group of mails.

`commit_group` promises: a message for each workspace concerned with its octets, exactly one ticket (new or joined)
for each distinct alias, a delivery for each alias that has an integration, nothing for an alias that had this mail
within the window; all of it or nothing. It is a transcript (`router.store.database`): SQLite's writer thread and
PostgreSQL's connections both run this text. It decides only on values the database returned in the same
transaction.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

from router import ids
from router.accept import threads
from router.accept.incoming import AliasEntry, IncomingMail
from router.accept.joining import clear_automatic_of_replies, join_conversations, write_participants
from router.model import Message, Micros
from router.store.database import Row, Statement, StatementGenerator

# Mails are kept in pieces of this size: memory stays flat whatever their size, on both databases.
CHUNK_BYTES = 256 * 1024
# The most octets one statement carries; larger ones are slower on PostgreSQL.
MAX_STATEMENT_BYTES = 1024 * 1024
_MESSAGE_COLUMNS = tuple(field.name for field in fields(Message))
_message_values = attrgetter(*_MESSAGE_COLUMNS)


@dataclass(frozen=True, slots=True)
class Committed:
    """What the transaction returned for one mail; `woken` are the integrations that have something due now.

    For the audit: ticketed aliases have a ticket event of this mail, repeated ones had it before, and owed of the
    ticket events go to an integration.
    """

    message_id: str
    is_repeat: bool
    due_integrations: tuple[str, ...]
    ticketed: int
    repeated: int
    queued: int


@dataclass(slots=True)
class _GroupCounts:
    """By message id: how many of its aliases got a ticket event, had the mail already, are owed to an integration."""

    ticketed: Counter[str]
    repeated: Counter[str]
    queued: Counter[str]


@dataclass(frozen=True, slots=True)
class _CurrentIntegration:
    """Where an alias's tickets go, as the commit found it."""

    id: str
    status: str


def commit_group(mails: Sequence[IncomingMail]) -> StatementGenerator[Sequence[Committed]]:
    """Writes a group of mails; returns what became of each, in their order."""
    entries = [
        AliasEntry(mail, share.message, targets, targets[0], (targets[0].alias_key, mail.fingerprint))
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
    yield from join_conversations(new_entries)
    clear_automatic_of_replies(new_entries)  # the messages are written with the mark that their tickets give them
    yield from _write_messages(new_entries, repeated)
    integrations = yield from _read_integrations(new_entries)
    yield from _update_joined_tickets(new_entries)
    yield from _link_recipients(new_entries, integrations)
    yield from write_participants(new_entries)
    tally = _GroupCounts(
        ticketed=Counter(entry.message.id for entry in new_entries if entry.ticket_id),
        repeated=repeated,
        queued=Counter(),
    )
    due_integrations = yield from _queue_deliveries(new_entries, integrations, tally.queued)
    yield from _insert_tickets(new_entries)
    return [_build_result(mail, tally, first_ids, due_integrations) for mail in mails]


def _claim_fingerprints(entries: Sequence[AliasEntry]) -> StatementGenerator[dict[tuple[str, str], str]]:
    """For each mark of the group the id of the message that had it first: an earlier one, or one of this group."""
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
    # A mark that was claimed just now has one mail that is new; all others with it, of this group too, are repeats.
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


def _write_messages(new_entries: Sequence[AliasEntry], repeated: Counter[str]) -> StatementGenerator[None]:
    """Each message once, with the aliases it was accepted for, then its octets in pieces."""
    contents = {entry.message.id: entry.mail.content for entry in new_entries}
    new = Counter(entry.message.id for entry in new_entries)
    yield Statement(
        "accept_insert_message",
        [
            dict(
                zip(_MESSAGE_COLUMNS, _message_values(m), strict=True),
                aliases=new[m.id] + repeated[m.id],
                repeated=repeated[m.id],
            )
            for m in {entry.message.id: entry.message for entry in new_entries}.values()
        ],
    )
    yield from _chunk_statements(contents)


def _chunk_statements(contents: dict[str, bytes]) -> StatementGenerator[None]:
    rows: list[dict[str, object]] = []
    octets = 0
    for message_id, content in contents.items():
        view = memoryview(content)  # a large mail is not copied once more, piece by piece
        for n, start in enumerate(range(0, max(len(content), 1), CHUNK_BYTES)):
            data = view[start : start + CHUNK_BYTES]
            if rows and octets + len(data) > MAX_STATEMENT_BYTES:
                yield Statement("accept_insert_chunk", rows)
                rows, octets = [], 0
            rows.append({"message_id": message_id, "n": n, "data": data})
            octets += len(data)
    if rows:
        yield Statement("accept_insert_chunk", rows)


def _read_integrations(new_entries: Sequence[AliasEntry]) -> StatementGenerator[dict[str, _CurrentIntegration]]:
    """The integration of each alias as it is now. An alias that vanished since RCPT has none: its ticket is kept."""
    targets = {entry.target.alias_key: entry.target for entry in new_entries}
    rows = yield Statement(
        "accept_current_integrations",
        [{"workspace_id": t.workspace_id, "alias_id": t.alias_id} for t in targets.values()],
    )
    found = {
        (row["workspace_id"], row["alias_id"]): _CurrentIntegration(row["integration_id"], row["integration_status"])
        for row in rows
        if row["integration_id"] is not None
    }
    known = {key: found.get((target.workspace_id, target.alias_id)) for key, target in targets.items()}
    return {key: integration for key, integration in known.items() if integration is not None}


def _update_joined_tickets(new_entries: Sequence[AliasEntry]) -> StatementGenerator[None]:
    """Tickets that were answered come to the front; a person's answer opens them again."""
    opened = {entry.ticket_id for entry in new_entries if not entry.joined_by}
    joined = [entry for entry in new_entries if entry.ticket_id not in opened]
    if not joined:
        return
    yield Statement(
        "accept_update_ticket_time", [{"ticket_id": e.ticket_id, "received_at": e.message.received_at} for e in joined]
    )
    reopening = {e.ticket_id: e.message for e in joined if threads.should_reopen(e.message.automatic)}
    reopened = yield Statement("accept_reopen_ticket", [{"ticket_id": ticket_id} for ticket_id in sorted(reopening)])
    yield Statement(
        "accept_insert_reopen_event",
        [
            {
                "id": ids.new("evt"),
                "ticket_id": row["ticket_id"],
                "workspace_id": row["workspace_id"],
                "at": reopening[row["ticket_id"]].received_at,
                "detail": json.dumps({"messageId": reopening[row["ticket_id"]].id}),
            }
            for row in reopened
        ],
    )


def _link_recipients(
    new_entries: Sequence[AliasEntry], integrations: dict[str, _CurrentIntegration]
) -> StatementGenerator[None]:
    """Which recipient brought the message into which ticket, and the integration that is owed a delivery for it."""
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
                "tag": target.tag,
                "joined_by": entry.joined_by,
                "integration_id": integrations[entry.target.alias_key].id
                if entry.target.alias_key in integrations
                else None,
                "created_at": entry.message.received_at,
            }
            for entry in new_entries
            for target in entry.targets
        ],
    )


def _queue_deliveries(
    new_entries: Sequence[AliasEntry], integrations: dict[str, _CurrentIntegration], owed: Counter[str]
) -> StatementGenerator[dict[str, list[str]]]:
    """The outbox rows, counted into `owed`; returns for each message the integrations to wake.

    A failing integration's deliveries wait, parked.
    """
    due_integrations: dict[str, list[str]] = {}
    rows = []
    for entry in new_entries:
        integration = integrations.get(entry.target.alias_key)
        if integration is None:
            continue
        owed[entry.message.id] += 1
        now = entry.message.received_at
        parked = integration.status == "failing"
        if not parked:
            due_integrations.setdefault(entry.message.id, []).append(integration.id)
        rows.append(
            {
                "id": ids.new("dlv"),
                "workspace_id": entry.message.workspace_id,
                "ticket_id": entry.ticket_id,
                "message_id": entry.message.id,
                "integration_id": integration.id,
                "event": "replied" if entry.joined_by else "opened",
                "next_attempt_at": None if parked else now,
                "parked_at": now if parked else None,
                "created_at": now,
                "expires_at": entry.mail.expires_at,
            }
        )
    yield Statement("accept_insert_delivery", rows)
    return due_integrations


def _insert_tickets(new_entries: Sequence[AliasEntry]) -> StatementGenerator[None]:
    """The new tickets, last of all: their numbers lock the workspace until the commit.

    What belongs to them is written already; its foreign keys are checked when the transaction commits.
    """
    opened = [entry for entry in new_entries if not entry.joined_by]
    wanted = Counter(entry.message.workspace_id for entry in opened)
    latest: dict[str, Micros] = {}  # replies of the same group have come since
    for entry in new_entries:
        latest[entry.ticket_id] = max(entry.message.received_at, latest.get(entry.ticket_id, 0))
    rows = yield Statement("accept_reserve_numbers", [{"workspace_id": w, "wanted": wanted[w]} for w in sorted(wanted)])
    next_number = {row["workspace_id"]: row["last_ticket_number"] - wanted[row["workspace_id"]] + 1 for row in rows}
    tickets = []
    for entry in opened:
        message = entry.message
        number = next_number[message.workspace_id]
        next_number[message.workspace_id] += 1
        tickets.append(
            {
                "id": entry.ticket_id,
                "workspace_id": message.workspace_id,
                "number": number,
                "alias_id": entry.target.alias_id,
                "address": entry.target.address,
                "subject": message.subject,
                "from_address": message.from_address,
                "from_name": message.from_name,
                "received_at": message.received_at,
                "updated_at": latest[entry.ticket_id],
            }
        )
    yield Statement("accept_insert_ticket", tickets)


def _build_result(
    mail: IncomingMail,
    tally: _GroupCounts,
    first_ids: dict[tuple[str, str], str],
    due_integrations: dict[str, list[str]],
) -> Committed:
    """The first message that is new; for a mail that is a repeat for every alias, the id it had the first time."""
    shares = [share.message.id for share in mail.shares]
    new = [message_id for message_id in shares if message_id in tally.ticketed]
    first_target = mail.shares[0].by_alias[0][0]
    return Committed(
        message_id=new[0] if new else first_ids[first_target.alias_key, mail.fingerprint],
        is_repeat=not new,
        due_integrations=tuple(
            dict.fromkeys(each for message_id in new for each in due_integrations.get(message_id, ()))
        ),
        ticketed=sum(tally.ticketed[message_id] for message_id in shares),
        repeated=sum(tally.repeated[message_id] for message_id in shares),
        queued=sum(tally.queued[message_id] for message_id in shares),
    )
