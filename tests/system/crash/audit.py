"""Compares the database and the posts of the Slack stand-in with the replies that the sender received.

Every acknowledged message must be stored unchanged, have one ticket for each recipient, and be posted. A duplicate
post is a fault, unless the outcome of an attempt is unknown or a deliverer was paused.
"""

import contextlib
import hashlib
import re
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from tests.support.behaviours import Post

# Identifies a message in rows and posts: no other text contains `crash-` and seven digits.
SUBJECT = "crash-{:07d}"
_TOKEN = re.compile(rb"crash-([0-9]{7})")


class DatabaseReader:
    """Reads the database, also while programs use it."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Returns the rows of a statement that must be valid in SQLite and PostgreSQL."""
        if self.url.startswith("sqlite:///"):
            path = Path(self.url.removeprefix("sqlite:///"))
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
                return connection.execute(statement).fetchall()
        connection = await asyncpg.connect(self.url, timeout=30)
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    async def fetch_number(self, statement: str) -> int:
        return int((await self.rows(statement))[0][0])

    async def count_undelivered(self) -> int:
        return await self.fetch_number("SELECT count(*) FROM deliveries WHERE state <> 'delivered'")


class NamespaceDatabaseReader(DatabaseReader):
    """Reads copies of a SQLite database that is in another mount namespace.

    SQLite cannot open the original through /proc. A copy made during a write may be unreadable, so `rows` tries up to
    20 copies.
    """

    def __init__(self, path: Path, copies: Path) -> None:
        super().__init__(f"sqlite:///{copies / path.name}")
        self._hidden = path
        self._copies = copies

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        for tries_left in reversed(range(20)):
            for suffix in ("", "-wal"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(f"{self._hidden}{suffix}", self._copies / f"{self._hidden.name}{suffix}")
            (self._copies / f"{self._hidden.name}-shm").unlink(missing_ok=True)
            try:
                return await super().rows(statement)
            except sqlite3.DatabaseError:
                if not tries_left:
                    raise
        raise AssertionError


@dataclass(slots=True)
class Findings:
    """The result of the audit. Each pair contains the number of a message and one of its recipients."""

    acknowledged: int = 0
    tickets: int = 0
    deliveries: int = 0
    posts: int = 0
    duplicate_posts: int = 0
    repeated_messages: int = 0
    lost_attempts: int = 0
    unanswered_attempts: int = 0
    unanswered_reasons: Counter[str] = field(default_factory=Counter)
    rejected: list[str] = field(default_factory=list)
    lost: list[tuple[int, str]] = field(default_factory=list)
    duplicated: list[tuple[int, str]] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    undelivered: list[str] = field(default_factory=list)
    not_posted: list[tuple[int, str]] = field(default_factory=list)
    unexplained_posts: list[tuple[int, str]] = field(default_factory=list)

    def faults(self) -> dict[str, Sequence[object]]:
        """Returns up to 10 entries for each kind of fault that was found."""
        kinds: dict[str, Sequence[object]] = {
            "messages rejected with 5yz": self.rejected,
            "acknowledged messages lost": self.lost,
            "duplicate tickets": self.duplicated,
            "messages with damaged content": self.damaged,
            "deliveries and tickets that do not match": self.mismatched,
            "deliveries that are not delivered": self.undelivered,
            "deliveries that were not posted": self.not_posted,
            "unexplained duplicate posts": self.unexplained_posts,
        }
        return {kind: found[:10] for kind, found in kinds.items() if found}


async def audit(
    database: DatabaseReader,
    *,
    acknowledged: Mapping[tuple[int, str], str],
    rejected: Sequence[str],
    posts: Iterable[Post],
    channels: Mapping[str, str],
    contents: Mapping[int, bytes],
    paused: bool = False,
) -> Findings:
    """Audits the database, the posts and the replies.

    Args:
        acknowledged: The message ID in the 250 reply, by message number and recipient.
        rejected: The 5yz replies.
        channels: The path of the webhook for each recipient.
        contents: The content of each message that was sent, by message number.
        paused: Whether a deliverer was paused, so that messages may have been posted twice.
    """
    found = Findings(acknowledged=len(acknowledged), rejected=list(rejected))
    linked = await database.rows(
        "SELECT m.subject, tm.recipient, tm.ticket_id, m.id FROM ticket_messages tm "
        "JOIN messages m ON m.id = tm.message_id"
    )
    tickets: dict[tuple[int, str], set[str]] = defaultdict(set)
    messages: dict[tuple[int, str], set[str]] = defaultdict(set)
    for subject, recipient, ticket, message in linked:
        key = (int(subject.removeprefix("crash-")), recipient)
        tickets[key].add(ticket)
        messages[key].add(message)
    found.tickets = len({ticket for found_ids in tickets.values() for ticket in found_ids})
    known: dict[int, set[str]] = defaultdict(set)
    for (number, _), found_ids in messages.items():
        known[number] |= found_ids
    # The message ID in a 250 may be that of another recipient of the same message, never that of another message.
    found.lost = sorted(
        key for key, message in acknowledged.items() if not tickets[key] or message not in known[key[0]]
    )
    found.duplicated = sorted(key for key in tickets if len(tickets[key]) > 1 or len(messages[key]) > 1)
    numbers = {message: key[0] for key, found_ids in messages.items() for message in found_ids}
    await _compare_contents(database, numbers, contents, found)
    await _compare_deliveries(database, messages, found, posts=posts, channels=channels, paused=paused)
    return found


async def _compare_contents(
    ledger: DatabaseReader, numbers: Mapping[str, int], contents: Mapping[int, bytes], found: Findings
) -> None:
    digests = {number: hashlib.sha256(content).digest() for number, content in contents.items()}
    kept: dict[str, Any] = defaultdict(hashlib.sha256)
    for message, _, data in await ledger.rows("SELECT message_id, n, data FROM raw_chunks ORDER BY message_id, n"):
        kept[message].update(data)
    for message, number in numbers.items():
        if kept[message].digest() != digests[number]:
            found.damaged.append(message)


async def _compare_deliveries(
    ledger: DatabaseReader,
    messages: Mapping[tuple[int, str], set[str]],
    found: Findings,
    *,
    posts: Iterable[Post],
    channels: Mapping[str, str],
    paused: bool,
) -> None:
    attempts: dict[str, Counter[str]] = defaultdict(Counter)
    for delivery, outcome, count in await ledger.rows(
        "SELECT delivery_id, CASE WHEN outcome = 'retry' AND status IS NULL AND answer NOT LIKE 'not sent%' "
        "THEN 'unanswered' ELSE outcome END AS became, count(*) FROM attempts GROUP BY delivery_id, became"
    ):
        attempts[delivery][outcome] = count
    unanswered_reasons_by_delivery: dict[str, list[str]] = defaultdict(list)
    for delivery, answer in await ledger.rows(
        "SELECT delivery_id, answer FROM attempts WHERE outcome = 'retry' AND status IS NULL "
        "AND answer NOT LIKE 'not sent%'"
    ):
        unanswered_reasons_by_delivery[delivery].append(answer)
    deliveries_by_key: dict[tuple[str, str], list[str]] = defaultdict(list)
    address = (
        "SELECT d.id, d.message_id, t.address, d.state, d.via FROM deliveries d JOIN tickets t ON t.id = d.ticket_id"
    )
    for delivery, message, recipient, state, via in await ledger.rows(address):
        deliveries_by_key[message, recipient].append(delivery)
        if state != "delivered":
            found.undelivered.append(f"{delivery} {state} {via} {dict(attempts[delivery])}")
    found.deliveries = sum(map(len, deliveries_by_key.values()))
    seen = _count_posts(posts, found)
    found.posts = sum(seen.values())
    for key, found_ids in messages.items():
        number, recipient = key
        for message in found_ids:
            deliveries = deliveries_by_key.pop((message, recipient), [])
            if len(deliveries) != 1:
                found.mismatched.append(f"mail {number} to {recipient}: {len(deliveries)} deliveries")
            lost = sum(attempts[delivery]["lost"] for delivery in deliveries)
            unanswered = sum(attempts[delivery]["unanswered"] for delivery in deliveries)
            times = seen[number, channels[recipient]]
            found.lost_attempts += lost
            found.unanswered_attempts += unanswered
            found.duplicate_posts += max(0, times - 1)
            if times == 0:
                found.not_posted.append(key)
            sent = sum(attempts[delivery]["sent"] for delivery in deliveries) if paused else 1
            if times > sent + lost:
                # Only attempts without a response can explain the additional posts.
                found.unanswered_reasons.update(
                    reason for d in deliveries for reason in unanswered_reasons_by_delivery[d]
                )
            if times > sent + lost + unanswered:
                found.unexplained_posts.append(key)
    found.mismatched += [f"{deliveries}: without a message" for deliveries in deliveries_by_key.values()]


def _count_posts(posts: Iterable[Post], found: Findings) -> Counter[tuple[int, str]]:
    """Counts the successful posts by message number and webhook path. Updates `found.repeated_messages`.

    A digest names several messages.
    """
    seen: Counter[tuple[int, str]] = Counter()
    for post in posts:
        if post.status is not None and 200 <= post.status < 300:
            named = [(int(number), post.path) for number in set(_TOKEN.findall(post.raw))]
            found.repeated_messages += any(key in seen for key in named)
            seen.update(named)
    return seen
