"""The transactions of parse attempts and of parsed contents, as a statement generator for a whole group.

The search terms of a message are written with its contents, so every message with stored contents can be found.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from router.mail.contents import Contents
from router.mail.parse import PARSER_VERSION
from router.model import Micros
from router.search.indexing import MessageWords, index
from router.store.database import Row, Statement, StatementGenerator

# Indexing a word takes as long as writing about this many bytes of content.
_WORD_WEIGHT = 64


@dataclass(frozen=True, slots=True)
class BeginAttempt:
    """Records a parse attempt. The result is None, or the record that already exists.

    With `replace`, replaces an existing record.
    """

    message_id: str
    owner: str
    parser: int
    started_at: Micros
    replace: bool = False
    weight: int = 0


@dataclass(frozen=True, slots=True)
class WithdrawAttempt:
    """Deletes the record of an attempt that failed for a reason unrelated to the message. The result is None."""

    message_id: str
    owner: str
    weight: int = 0


@dataclass(frozen=True, slots=True)
class StoreContents:
    """Stores the contents, indexes their words, and deletes the record of the attempt. The result is None.

    Writes nothing if the message was erased.
    """

    message_id: str
    contents: Contents
    words: Sequence[str]
    parser: int
    parsed_at: Micros
    has_attempt: bool

    @property
    def weight(self) -> int:
        contents = self.contents
        return len(contents.text) + len(contents.quoted) + len(contents.html) + _WORD_WEIGHT * len(self.words)


ContentsChange = BeginAttempt | WithdrawAttempt | StoreContents
# Contents are stored first, because the index of words waits for other processes without locks of attempts.
_TYPE_ORDER = (StoreContents, BeginAttempt, WithdrawAttempt)


def read_contents(message_ids: Sequence[str]) -> StatementGenerator[dict[str, Row]]:
    """Reads the stored contents of each message, or the start of its raw data if they must be parsed, by message id.

    A message that was erased has no row.
    """
    rows = yield Statement(
        "contents_or_raw", [{"message_id": message_id, "parser": PARSER_VERSION} for message_id in message_ids]
    )
    return {row["message_id"]: row for row in rows}


def write_changes(changes: Sequence[ContentsChange]) -> StatementGenerator[list[Row | None]]:
    """Writes the changes; returns the result of each. Changes of the same message are written in their order.

    Locks in the order of the erasure: tickets, then messages, each in the order of their ids. The contents and the
    attempts are written in the order of their messages.
    """
    existing = yield from _lock_messages(changes)
    results: list[Row | None] = [None] * len(changes)
    for kind, positions in groupby(_order_by_type(changes), lambda position: type(changes[position])):
        run = sorted(positions, key=lambda position: changes[position].message_id)
        group: list[Any] = [changes[position] for position in run]
        if kind is BeginAttempt:
            for position, result in zip(run, (yield from _begin_attempts(group)), strict=True):
                results[position] = result
        elif kind is WithdrawAttempt:
            yield from _withdraw_attempts(group)
        else:
            yield from store_contents([each for each in group if each.message_id in existing])
    return results


def _lock_messages(changes: Sequence[ContentsChange]) -> StatementGenerator[set[str]]:
    """Locks the messages with their tickets if contents are stored; returns the ids of those that exist."""
    if not any(isinstance(each, StoreContents) for each in changes):
        return set()
    message_ids = {each.message_id for each in changes if not isinstance(each, WithdrawAttempt)}
    rows = yield Statement("contents_lock", [{"message_id": message_id} for message_id in sorted(message_ids)])
    return {row["message_id"] for row in rows}


def _order_by_type(changes: Sequence[ContentsChange]) -> list[int]:
    """Returns the positions of the changes, by type unless a message occurs twice: fewer statements write them all."""
    positions = range(len(changes))
    if len({each.message_id for each in changes}) < len(changes):
        return list(positions)
    return sorted(positions, key=lambda position: _TYPE_ORDER.index(type(changes[position])))


def _begin_attempts(changes: Sequence[BeginAttempt]) -> StatementGenerator[list[Row | None]]:
    def to_rows(wanted: Sequence[BeginAttempt]) -> list[dict[str, object]]:
        return [
            {"message_id": e.message_id, "owner": e.owner, "parser": e.parser, "started_at": e.started_at}
            for e in wanted
        ]

    yield Statement("parse_attempt_take_over", to_rows([each for each in changes if each.replace]))
    begun = yield Statement("parse_attempt_begin", to_rows([each for each in changes if not each.replace]))
    begun_ids = {row["message_id"] for row in begun}
    missing = [each for each in changes if not each.replace and each.message_id not in begun_ids]
    existing = yield Statement("parse_attempt_by_message", [{"message_id": each.message_id} for each in missing])
    found = {row["message_id"]: row for row in existing}
    return [None if each.replace or each.message_id in begun_ids else found.get(each.message_id) for each in changes]


def _withdraw_attempts(changes: Sequence[WithdrawAttempt]) -> StatementGenerator[None]:
    yield Statement(
        "parse_attempt_withdraw", [{"message_id": each.message_id, "owner": each.owner} for each in changes]
    )


def store_contents(changes: Sequence[StoreContents]) -> StatementGenerator[None]:
    kept = {each.message_id: each for each in changes}  # the last one of a message
    yield Statement("contents_upsert", [_contents_row(each) for each in kept.values()])
    yield Statement(
        "parse_attempt_end", [{"message_id": each.message_id} for each in kept.values() if each.has_attempt]
    )
    yield from index([MessageWords(each.message_id, each.words) for each in kept.values()])


def _contents_row(change: StoreContents) -> dict[str, object]:
    contents = change.contents
    return {
        "message_id": change.message_id,
        "text": contents.text,
        "quoted": contents.quoted,
        "html": contents.html,
        "attachments": json.dumps([asdict(attachment) for attachment in contents.attachments]),
        "warnings": json.dumps(contents.warnings),
        "reply_to": json.dumps([asdict(mailbox) for mailbox in contents.reply_to]),
        "original_from": json.dumps(contents.original_from and asdict(contents.original_from)),
        "failed_recipients": json.dumps(contents.failed_recipients),
        "snippet": contents.snippet,
        "files": contents.file_count,
        "parser": change.parser,
        "parsed_at": change.parsed_at,
    }
