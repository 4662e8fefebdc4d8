"""The cost of finding the tickets that a message may join, and the limits on the cost of a message.

The cost of a query is the number of rows in all nodes of the plan of PostgreSQL, or of virtual machine instructions
that SQLite executes.
"""

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from config.schema import DatabaseSettings
from router.accept.incoming import MAX_CANDIDATES, MAX_LOOKUPS, MAX_PARTICIPANT_ROWS, MAX_TICKETS, IncomingMail
from router.accept.transaction import Committed, commit_group
from router.errors import Unavailable
from router.store.database import StatementGenerator
from tests.support.installation import Installation
from tests.support.mails import mail

FLOOD = 400  # number of tickets with the same Message-ID, 20 times `MAX_TICKETS`


async def _create_flood(installation: Installation, count: int, *, first: int = 0) -> None:
    numbers = range(first, first + count)
    bodies = [mail("<same@flood.test>", sender="Eve <eve@flood.test>", extra=[f"X-Number: {n}"]) for n in numbers]
    bodies += [
        mail(
            "<long@flood.test>",
            sender="Eve <eve@flood.test>",
            extra=[f"X-Number: {n}", "References: <long@flood.test>"],
        )
        for n in numbers
    ]
    # PostgreSQL commits groups concurrently, so the first message of the long ticket is accepted before its replies.
    await installation.accept.accept(installation.envelope(), bodies[count])
    await asyncio.gather(*(installation.accept.accept(installation.envelope(), content) for content in bodies))


async def _count_rows_read(installation: Installation, query: str, **values: object) -> int:
    """Returns the cost of a query, as defined above."""
    text = installation.store.catalog[query]
    if installation.store.kind == "sqlite":
        steps = 0

        def statement() -> int:
            nonlocal steps
            steps += 1
            return 0

        connection = sqlite3.connect(installation.store.url.removeprefix("sqlite:///"))
        connection.set_progress_handler(statement, 1)
        connection.execute(text.sqlite, values).fetchall()
        connection.close()
        return steps
    other = await asyncpg.connect(installation.store.url)
    await other.execute("ANALYZE")  # in production, autovacuum updates the statistics
    columns = [[values[name]] for name in text.parameters]
    (plan,) = json.loads(await other.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {text.postgres}", *columns))
    await other.close()

    def rows(node: Any) -> float:
        own: float = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        return own + sum(rows(inner) for inner in node.get("Plans", []))

    return round(rows(plan["Plan"]))


@pytest.mark.parametrize("reference", ["same@flood.test", "long@flood.test"])
async def test_the_cost_of_candidates_does_not_grow(installation: Installation, reference: str) -> None:
    read = []
    for first in (0, FLOOD // 2):
        await _create_flood(installation, FLOOD // 2, first=first)
        read.append(
            await _count_rows_read(
                installation,
                "accept_ticket_candidates",
                thread_key=installation.aliases["support"],
                rfc_message_id=reference,
                max_tickets=MAX_TICKETS,
            )
        )
    assert len(await installation.all_rows("messages")) == 2 * FLOOD
    small, large = read
    assert large <= small * 1.1


async def test_a_reply_to_a_flood_opens_a_new_ticket(installation: Installation) -> None:
    await _create_flood(installation, FLOOD)
    before = len(await installation.all_rows("tickets"))
    assert before == FLOOD + 1
    for n in range(3):
        await installation.accept.accept(
            installation.envelope(), mail(f"<{n}@customer.test>", extra=["In-Reply-To: <same@flood.test>"])
        )
    assert len(await installation.all_rows("tickets")) == before + 3


class GroupRecorder:
    """Runs the real transaction of each group and counts the parameter rows of its lookups and inserts."""

    def __init__(self) -> None:
        self.lookups: list[int] = []
        self.entries: list[int] = []
        self.participants: list[int] = []
        self.candidates: list[int] = []

    def write(self, mails: Sequence[IncomingMail]) -> StatementGenerator[Sequence[Committed]]:
        statements = commit_group(mails)
        counted = {
            "accept_ticket_candidates": 0,
            "accept_insert_recipient": 0,
            "accept_insert_participant": 0,
            "accept_find_participants": 0,
        }
        statement = next(statements)
        try:
            while True:
                if statement.query in counted:
                    counted[statement.query] += len(statement.rows)
                statement = statements.send((yield statement))
        except StopIteration as end:
            self.lookups.append(counted["accept_ticket_candidates"])
            self.entries.append(counted["accept_insert_recipient"])
            self.participants.append(counted["accept_insert_participant"])
            self.candidates.append(counted["accept_find_participants"])
            results: Sequence[Committed] = end.value
            return results


async def test_a_group_of_costly_mails_is_bounded_and_all_are_accepted(installation: Installation) -> None:
    count = 30
    targets = [await installation.add_alias(f"a{n}") for n in range(count)]
    groups = GroupRecorder()
    other = installation.second_process(write=groups.write)
    accept = other.accept
    copied = ", ".join(f"p{n}@x.test" for n in range(198))

    def content(n: int) -> bytes:
        references = " ".join(f"<{n}.{k}@x.test>" for k in range(100))
        return mail(f"<{n}@customer.test>", extra=[f"References: {references}", f"Cc: {copied}"])

    try:
        await asyncio.gather(*(accept.accept(installation.envelope(*targets), content(n)) for n in range(40)))
        assert max(groups.lookups) <= 2 * MAX_LOOKUPS
        assert max(groups.participants) <= 4 * MAX_PARTICIPANT_ROWS
        assert max(groups.entries) <= 200
        assert sum(groups.entries) == 40 * count
        before = len(groups.lookups)
        await accept.accept(installation.envelope(), content(99))
        # The sender and the alias itself are participants without a row.
        assert (groups.lookups[before:], groups.participants[before:]) == ([100], [198])
    finally:
        await other.close()


async def test_small_replies_fit_one_group(installation: Installation) -> None:
    """The weight limit splits only groups of expensive messages."""
    written: list[IncomingMail] = []

    def write(mails: Sequence[IncomingMail]) -> StatementGenerator[Sequence[Committed | Unavailable]]:
        written.extend(mails)
        return commit_group(mails)

    other = installation.second_process(write=write)
    reply = ["In-Reply-To: <one@customer.test>"]
    try:
        for n in range(5):
            await other.accept.accept(installation.envelope(), mail(f"<{n}@customer.test>", extra=reply))
    finally:
        await other.close()
    limits = DatabaseSettings()
    assert len(written) == 5
    assert max(each.weight for each in written) * limits.group_mails <= limits.group_bytes


@pytest.mark.parametrize(("references", "considered"), [(5, 5 * MAX_TICKETS), (50, 1000), (100, 1000)])
async def test_many_flooded_references_share_the_limit_of_the_message(
    installation: Installation, references: int, considered: int
) -> None:
    names = [f"<{n}@flood.test>" for n in range(references)]
    bodies = [
        mail(name, sender=f"p{n}@customer.test", extra=[f"X-Number: {n}"])
        for n in range(MAX_TICKETS + 1)
        for name in names
    ]
    # PostgreSQL commits groups concurrently, so the messages of a sender are accepted before those of the next.
    for start in range(0, len(bodies), len(names)):
        await asyncio.gather(
            *(installation.accept.accept(installation.envelope(), body) for body in bodies[start : start + len(names)])
        )
    groups = GroupRecorder()
    other = installation.second_process(write=groups.write)
    accept = other.accept
    extra = ["References: " + " ".join(names)]
    try:
        await accept.accept(installation.envelope(), mail("<stranger@c.test>", sender="eve@customer.test", extra=extra))
        assert groups.candidates == [considered]
        assert considered <= MAX_CANDIDATES
        before = len(await installation.all_rows("tickets"))
        await accept.accept(
            installation.envelope(), mail("<late@c.test>", sender=f"p{MAX_TICKETS}@customer.test", extra=extra)
        )
        assert len(await installation.all_rows("tickets")) == before, "joined"
    finally:
        await other.close()
