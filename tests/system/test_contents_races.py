"""Contents that are parsed and stored while other transactions change the message."""

import asyncio
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from router.contents.contents_transaction import BeginAttempt, StoreContents, write_changes
from router.mail import parse
from router.mail.contents import Contents
from router.store.database import StatementGenerator
from tests.support.installation import Installation
from tests.support.postgres import PostgresServer, wait_until_blocked
from tests.support.stores import Store, postgres_store
from tests.support.waiting import wait_until

LONG = (
    b"From: a@customer.test\r\nTo: support@example.test\r\nSubject: s\r\n\r\n"
    + b"a line of text\r\n" * 30_000
    + b"THE END\r\n"
)
CONTENTS = Contents(text="text", quoted="", html="", attachments=(), warnings=())


def store_change(message_id: str, contents: Contents = CONTENTS) -> StoreContents:
    return StoreContents(message_id, contents, ["text"], parser=parse.PARSER_VERSION, parsed_at=1, has_attempt=True)


async def claimed_row(installation: Installation, message_id: str) -> Any:
    """Returns the row of a message that a claim has read."""
    return await installation.database.fetch_one("contents_or_raw", message_id=message_id, parser=parse.PARSER_VERSION)


async def test_erased_raw_data_do_not_truncate_the_contents(store: Store) -> None:
    """The claim has read the first chunk, then another process has parsed the message and the raw data were erased."""
    installation = Installation(store)
    await installation.seed()
    message_id = await installation.accept_message(LONG)
    row = await claimed_row(installation, message_id)
    whole = await installation.contents.get(message_id)
    await installation.execute("DELETE FROM raw_chunks")
    assert await installation.contents.complete(row) == whole
    assert await installation.contents.get(message_id) == whole
    assert await installation.contents.parse(message_id) == whole
    await installation.close()


async def test_a_part_of_a_message_is_not_parsed(store: Store) -> None:
    installation = Installation(store)
    await installation.seed()
    message_id = await installation.accept_message(LONG)
    row = await claimed_row(installation, message_id)
    await installation.execute("DELETE FROM raw_chunks WHERE n > 0")
    assert (await installation.contents.complete(row)).text == ""
    assert (await installation.contents.get(message_id)).text == ""
    assert await installation.count_rows("message_contents") == 0
    await installation.close()


async def test_a_claim_does_not_read_the_html(store: Store) -> None:
    installation = Installation(store)
    await installation.seed()
    message_id = await installation.accept_message(LONG)
    shown = await installation.contents.get(message_id)
    await installation.execute("UPDATE message_contents SET html = '<p>text</p>'")
    assert await installation.contents.complete(await claimed_row(installation, message_id)) == shown
    assert await installation.contents.get(message_id) == replace(shown, html="<p>text</p>")
    await installation.close()


async def test_messages_that_wait_for_their_parse_are_not_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    installation = Installation(store)
    await installation.seed()
    message_ids = [await installation.accept_message(None) for _ in range(4)]
    slots = asyncio.Semaphore(0)
    monkeypatch.setattr(installation.contents, "_parse_slots", slots)
    fetch_one = installation.database.fetch_one
    queries: list[str] = []

    async def watched(query: str, /, **values: object) -> object:
        queries.append(query)
        return await fetch_one(query, **values)

    monkeypatch.setattr(installation.database, "fetch_one", watched)
    getting = [asyncio.create_task(installation.contents.get(each)) for each in message_ids]
    await wait_for_waiters(slots, len(getting))
    assert set(queries) == {"contents_by_message"}
    slots.release()
    assert all(contents.text for contents in await asyncio.gather(*getting))
    await installation.close()


async def wait_for_waiters(slots: asyncio.Semaphore, count: int) -> None:
    await wait_until(lambda: len(vars(slots)["_waiters"] or ()) >= count, f"{count} waiters")


async def test_concurrent_parses_wait_for_the_record_of_the_attempt(store: Store) -> None:
    installation = Installation(store)
    await installation.seed()
    message_id = await installation.accept_message(None)
    attempts = vars(installation.contents)["_attempts"]
    recorded: list[int] = []

    async def begin() -> None:
        await attempts.begin(message_id, retry=False)
        recorded.append(await installation.count_rows("parse_attempts"))

    await asyncio.gather(begin(), begin())
    assert recorded == [1, 1]
    await attempts.withdraw(message_id)
    assert await installation.count_rows("parse_attempts") == 0
    await installation.close()


async def test_a_group_locks_in_the_order_of_the_erasure(postgres_server: PostgresServer) -> None:
    """Tickets before messages, although the first change of the group needs only a message."""
    async with postgres_store(postgres_server) as store:
        installation = Installation(store)
        await installation.seed()
        first, second = [await installation.accept_message(None) for _ in range(2)]
        await installation.execute(
            "UPDATE ticket_messages SET ticket_id = (SELECT MIN(ticket_id) FROM ticket_messages)"
        )
        changes = [BeginAttempt(first, "a process", parse.PARSER_VERSION, 1), store_change(second)]
        sizes: list[int] = []

        def watched(changes: Any) -> StatementGenerator[Any]:
            sizes.append(len(changes))
            return (yield from write_changes(changes))

        writer = installation.core.writers.open(watched)
        other = await asyncpg.connect(store.url)
        await other.execute("BEGIN")
        await other.execute("SELECT 1 FROM tickets ORDER BY id LIMIT 1 FOR UPDATE")
        writing = [asyncio.create_task(writer.commit(change)) for change in changes]
        await wait_until_blocked(other.fetchval)
        await other.execute("SELECT 1 FROM messages ORDER BY id FOR UPDATE NOWAIT")
        await other.execute("COMMIT")
        await other.close()
        assert await asyncio.gather(*writing) == [None, None]
        assert sizes == [2]
        await installation.close()


def test_the_order_of_a_group_does_not_depend_on_the_order_of_its_items() -> None:
    """Two processes that store the same messages lock their rows in the same order."""
    changes = [store_change(each) for each in ("msg_2", "msg_3", "msg_1")]
    changes_of_other = [*reversed(changes)]
    assert written(changes) == written(changes_of_other)


def test_words_count_as_content() -> None:
    change = store_change("msg_1")
    assert replace(change, words=["word"] * 1000).weight > change.weight + 4000


def written(changes: list[StoreContents]) -> list[tuple[str, list[object]]]:
    """Returns the queries that write the changes, with the ids of their rows."""
    statements = write_changes(changes)
    queries: list[tuple[str, list[object]]] = []
    rows: list[dict[str, object]] = []
    try:
        while True:
            statement = statements.send(rows) if queries else next(statements)
            queries.append((statement.query, [row.get("message_id") for row in statement.rows]))
            rows = [dict(row) for row in statement.rows] if statement.query == "contents_lock" else []
    except StopIteration:
        return queries
