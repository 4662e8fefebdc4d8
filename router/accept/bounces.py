"""Joins bounces of our own mail to the tickets of the replies, inside the accept transaction.

A bounce never opens a ticket, is posted nowhere and reopens nothing here: its report is read later
(`router.dispatch.bounce_runner`). All queries are lookups of at most `MAX_IDS` identities of each kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from router.accept.identities import assigned_ids
from router.accept.incoming import AcceptEntry, Bounced, IncomingMail
from router.errors import SerializationConflict
from router.routing.facts import reply_token_from_row
from router.routing.route import MAX_BOUNCES, ReplyToken
from router.store.database import Row, Statement, StatementGenerator

K = TypeVar("K", str, int)


def find_addressed_tokens(mails: Sequence[IncomingMail]) -> dict[int, list[str]]:
    """Returns the tokens to which messages are addressed, by the position of the message."""
    addressed: dict[int, list[str]] = {}
    for position, mail in enumerate(mails):
        for share in mail.shares:
            if share.has_tokens:
                targets = (target for targets in share.by_alias for target in targets)
                tokens = addressed.setdefault(position, [])
                tokens += (target.ticket.token for target in targets if target.ticket is not None)
    return addressed


def read_tokens(addressed: Mapping[int, Sequence[str]]) -> StatementGenerator[dict[str, ReplyToken]]:
    """Reads the tokens again to which messages of the group are addressed."""
    wanted = sorted({token for tokens in addressed.values() for token in tokens})
    rows = yield Statement("reply_token", [{"token": token} for token in wanted])
    return {row["token"]: reply_token_from_row(row) for row in rows}


def find_refused(addressed: Mapping[int, Sequence[str]], tokens: Mapping[str, ReplyToken]) -> set[int]:
    """Returns the positions of the messages with a token that is not valid any more.

    Since RCPT, its ticket was erased, or other bounces of the reply were accepted. The client tries again, and then the
    recipient is rejected.
    """
    counts = Counter({found.reply_id: found.bounces for found in tokens.values()})
    refused = set()
    for position, wanted in addressed.items():
        found = [tokens.get(token) for token in wanted]
        replies = {token.reply_id for token in found if token is not None}
        if None in found or any(counts[reply_id] >= MAX_BOUNCES for reply_id in replies):
            refused.add(position)
        else:
            counts.update(replies)
    return refused


def find_bounces(
    new_entries: Sequence[AcceptEntry], tokens: Mapping[str, ReplyToken]
) -> StatementGenerator[dict[str, Bounced]]:
    """Marks the bounces among the entries.

    Returns, by message, the tickets of automatic replies that return one of our ids: these are bounces unless they join
    a ticket as answers.
    """
    for entry in new_entries:
        first = entry.share.by_alias[0][0]
        if first.ticket is not None:
            entry.bounced = _from_token(tokens[first.ticket.token], first.recipient, is_counted=True)
    entries = [entry for entry in new_entries if not entry.is_bounce and entry.mail.returned]
    if not entries:
        return {}
    by_message = yield from _read_returned(entries)
    for entry in entries:
        if entry.message.automatic == "bounce":
            entry.bounced = by_message.get(entry.message.id)
    return by_message


def _from_token(found: ReplyToken, by: str, *, is_counted: bool = False) -> Bounced:
    return Bounced(found.ticket_id, by, found.reply_id, found.address_key, is_counted)


def _read_returned(entries: Sequence[AcceptEntry]) -> StatementGenerator[dict[str, Bounced]]:
    """Reads the ticket of each message whose content has one of our identities.

    A token or the Message-ID of the returned message names the reply. Other identities only name the ticket.
    """
    all_returned = [entry.mail.returned for entry in entries]
    tokens = yield from _look_up("reply_token", "token", (each.tokens for each in all_returned))
    replies = yield from _look_up(
        "bounce_find_reply", "rfc_message_id", ((*each.message_ids, *each.mentioned_ids) for each in all_returned)
    )
    assigned = yield from _look_up(
        "bounce_find_assigned", "rfc_message_id", (assigned_ids(each.message_ids).values() for each in all_returned)
    )
    numbers = {(entry.message.workspace_id, n): None for entry in entries for n in entry.share.returned_numbers}
    rows = yield Statement("bounce_find_ticket", [{"workspace_id": w, "number": n} for w, n in numbers])
    tickets = {(row["workspace_id"], row["number"]): row for row in rows}
    found: dict[str, Bounced] = {}
    for entry in entries:
        workspace_id, returned = entry.message.workspace_id, entry.mail.returned
        candidates = (
            *(_from_token(reply_token_from_row(row), key) for key, row in _rows(tokens, workspace_id, returned.tokens)),
            *(
                Bounced(row["ticket_id"], key, row["reply_id"])
                for key, row in _rows(replies, workspace_id, returned.message_ids)
            ),
            *(
                Bounced(row["ticket_id"], key)
                for key, row in (
                    *_rows(assigned, workspace_id, assigned_ids(returned.message_ids).values()),
                    *((f"#{n}", row) for n, row in _rows(tickets, workspace_id, entry.share.returned_numbers)),
                    *_rows(replies, workspace_id, returned.mentioned_ids),
                )
            ),
        )
        if candidates:
            found[entry.message.id] = candidates[0]
    return found


def _look_up(
    query: str, name: str, identities: Iterable[Iterable[str]]
) -> StatementGenerator[dict[tuple[str, str], Row]]:
    """Reads the rows of identities; returns them by workspace and identity."""
    wanted = sorted({identity for each in identities for identity in each})
    rows = yield Statement(query, [{name: identity} for identity in wanted])
    return {(row["workspace_id"], row[name]): row for row in rows}


def _rows(found: Mapping[tuple[str, K], Row], workspace_id: str, keys: Iterable[K]) -> list[tuple[K, Row]]:
    return [(key, found[workspace_id, key]) for key in keys if (workspace_id, key) in found]


def merge_bounces(new_entries: Sequence[AcceptEntry]) -> list[AcceptEntry]:
    """Makes each bounce one entry, whatever the number of its recipients, so that it joins one ticket."""
    by_message: dict[str, list[AcceptEntry]] = {}
    for entry in new_entries:
        by_message.setdefault(entry.message.id, []).append(entry)
    merged = []
    for entries in by_message.values():
        found = next((entry.bounced for entry in entries if entry.bounced is not None), None)
        if found is None:
            merged += entries
            continue
        first = entries[0]
        first.targets = tuple(target for entry in entries for target in entry.targets)
        first.bounced, first.ticket_id, first.joined_by, first.new_sender = found, found.ticket_id, found.by, False
        first.message = replace(first.message, kind="bounce")
        merged.append(first)
    return merged


def queue_bounces(entries: Sequence[AcceptEntry]) -> StatementGenerator[set[str]]:
    """Queues the bounces for reading; returns the ids of their messages.

    Their tickets are locked, so the number of the bounces of a reply does not change. Raises `SerializationConflict` if
    another transaction has accepted the last bounce of a reply meanwhile.
    """
    bounces = [(entry.message.id, entry.bounced) for entry in entries if entry.bounced is not None]
    yield Statement("bounce_mark_message", [{"message_id": message_id} for message_id, _ in bounces])
    yield Statement(
        "bounce_queue_insert",
        [
            {
                "message_id": message_id,
                "ticket_id": bounced.ticket_id,
                "reply_id": bounced.reply_id,
                "address_key": bounced.address_key,
            }
            for message_id, bounced in bounces
        ],
    )
    counted = [
        {"message_id": message_id, "reply_id": bounced.reply_id, "max_bounces": MAX_BOUNCES}
        for message_id, bounced in bounces
        if bounced.is_counted
    ]
    if len((yield Statement("bounce_count", counted))) < len(counted):
        raise SerializationConflict("another bounce of a reply was accepted")
    return {message_id for message_id, _ in bounces}
