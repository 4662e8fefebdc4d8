"""What data retention erases, what it keeps, and in which steps. Also the maintenance tasks."""

import asyncio
from collections.abc import Awaitable, Callable
from unittest.mock import AsyncMock

import pytest
import structlog

from router.accept.transaction import CHUNK_BYTES
from router.clock import SECOND
from router.dispatch import retention
from router.dispatch.maintenance import Maintenance, MaintenanceTask
from router.dispatch.retention import ErasedCounts, Retention, RetentionPeriods
from router.errors import DatabaseFileReplaced, Unavailable
from router.model import Micros
from tests.support.clock import FakeClock
from tests.support.installation import Installation
from tests.support.stores import Store

DAY = 24 * 3600 * SECOND


async def send(installation: Installation, *names: str, subject: str = "Hello", body: str = "Text.") -> str:
    content = f"From: a@b.test\r\nSubject: {subject}\r\nMessage-ID: <{subject}@b.test>\r\n\r\n{body}\r\n".encode()
    return await installation.accept_message(content, *names, reverse_path="a@b.test")


def new_retention(
    installation: Installation,
    *,
    raw: Micros | None = None,
    tickets: Micros | None = None,
    spam: Micros | None = None,
    pause: Callable[[], Awaitable[None]] | None = None,
) -> Retention:
    periods = RetentionPeriods(raw_messages=raw, resolved_tickets=tickets, spam_tickets=spam, duplicate_window=5 * DAY)
    return Retention(
        installation.database,
        installation.contents,
        installation.clock,
        periods,
        pause=pause or AsyncMock(),
    )


async def resolve(installation: Installation, message_id: str, *, delivered: bool = True) -> None:
    of_message = "(SELECT ticket_id FROM ticket_messages WHERE message_id = :m)"
    await installation.execute(
        f"UPDATE tickets SET status = 'resolved', resolved_at = :now WHERE id IN {of_message}",
        m=message_id,
        now=installation.clock.now(),
    )
    if delivered:
        await installation.execute(
            f"UPDATE deliveries SET state = 'delivered', next_attempt_at = NULL WHERE ticket_id IN {of_message}",
            m=message_id,
        )


async def ids(installation: Installation, table: str, column: str = "id") -> set[object]:
    return {row[column] for row in await installation.execute(f"SELECT {column} FROM {table}")}


async def test_nothing_is_erased_by_default(installation: Installation) -> None:
    message = await send(installation)
    await resolve(installation, message)
    installation.clock.advance(days=3000)
    erased = await new_retention(installation).sweep()
    assert (erased.tickets, erased.raw_messages) == (0, 0)
    assert await installation.contents.read_raw(message)


async def test_a_raw_message_is_erased_and_its_text_kept(installation: Installation) -> None:
    old = await send(installation, subject="old", body="What was said.")
    installation.clock.advance(days=10)
    young = await send(installation, subject="young")
    installation.clock.advance(days=25)
    erased = await new_retention(installation, raw=30 * DAY).sweep()
    assert erased.raw_messages == 1
    assert await installation.contents.read_raw(old) is None
    assert "What was said." in (await installation.contents.get(old)).text, "it was parsed before it was erased"
    assert await installation.contents.read_raw(young)
    assert await installation.count_rows("tickets") == 2
    assert (await new_retention(installation, raw=30 * DAY).sweep()).raw_messages == 0


async def test_a_newer_parser_keeps_the_text_of_an_erased_raw_message(installation: Installation) -> None:
    message = await send(installation, body="What was said.")
    installation.clock.advance(days=31)
    await new_retention(installation, raw=30 * DAY).sweep()
    await installation.execute("UPDATE message_contents SET parser = 0")
    assert "What was said." in (await installation.contents.get(message)).text


async def test_large_messages_are_erased_in_steps_and_never_partially_readable(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MAX_CHUNKS", 2)
    message = await send(installation, body="x" * (5 * CHUNK_BYTES))
    await send(installation, subject="second")
    installation.clock.advance(days=31)

    class ProcessKilled(Exception):  # noqa: N818 - stands for an event, not an error
        pass

    async def killed() -> None:
        raise ProcessKilled

    with pytest.raises(ProcessKilled):
        await new_retention(installation, raw=30 * DAY, pause=killed).sweep()
    # Of the 6 chunks of the first message and the one of the second, 2 are erased.
    assert await installation.count_rows("raw_chunks") == 5
    assert await installation.contents.read_raw(message) is None
    pause = AsyncMock()
    erased = await new_retention(installation, raw=30 * DAY, pause=pause).sweep()
    assert await installation.count_rows("raw_chunks") == 0
    assert erased.raw_messages == 1, "the partially erased message is not counted again"
    assert pause.await_count >= 2


async def test_an_unparsable_message_keeps_its_bytes_and_blocks_no_other(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MAX_CHUNKS", 2)
    messages = [await send(installation, subject=f"n{n}") for n in range(5)]
    installation.clock.advance(days=31)
    real = installation.contents.get

    async def get(message_id: str) -> object:
        if message_id == messages[1]:
            raise ValueError("a fault of the parser")
        return await real(message_id)

    monkeypatch.setattr(installation.contents, "get", get)
    assert (await new_retention(installation, raw=30 * DAY).sweep()).raw_messages == 4
    assert await ids(installation, "raw_chunks", "message_id") == {messages[1]}


async def test_a_resolved_ticket_is_erased_with_its_messages(installation: Installation) -> None:
    old = await send(installation, subject="old")
    open_one = await send(installation, subject="open")
    await resolve(installation, old)
    installation.clock.advance(days=20)
    young = await send(installation, subject="young")
    await resolve(installation, young)
    installation.clock.advance(days=11)
    erased = await new_retention(installation, tickets=30 * DAY).sweep()
    assert (erased.tickets, erased.messages) == (1, 1)
    assert await ids(installation, "messages") == {open_one, young}
    assert await ids(installation, "raw_chunks", "message_id") == {open_one, young}
    for table in ("deliveries", "ticket_messages"):
        assert await installation.count_rows(table) == 2


async def test_a_ticket_with_a_pending_delivery_is_not_erased(installation: Installation) -> None:
    message = await send(installation)
    await resolve(installation, message, delivered=False)
    installation.clock.advance(days=400)
    assert (await new_retention(installation, tickets=30 * DAY).sweep()).tickets == 0
    await installation.execute("UPDATE deliveries SET state = 'dead', next_attempt_at = NULL")
    assert (await new_retention(installation, tickets=30 * DAY).sweep()).tickets == 1


async def test_tickets_that_must_stay_do_not_block_later_ones(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MAX_TICKETS", 2)
    for n in range(5):
        await resolve(installation, await send(installation, subject=f"waits{n}"), delivered=False)
    for n in range(3):
        await resolve(installation, await send(installation, subject=f"goes{n}"))
    installation.clock.advance(days=31)
    assert (await new_retention(installation, tickets=30 * DAY).sweep()).tickets == 3


async def test_a_message_is_erased_with_its_last_ticket(installation: Installation) -> None:
    message = await send(installation, "support", "billing")
    await resolve(installation, message)
    await installation.execute("UPDATE tickets SET status = 'open', resolved_at = NULL WHERE address LIKE 'billing%'")
    installation.clock.advance(days=31)
    assert await new_retention(installation, tickets=30 * DAY).sweep() == ErasedCounts(
        tickets=1, messages=0, small_rows=2
    )
    assert await installation.contents.read_raw(message)
    assert (await installation.execute("SELECT aliases FROM messages")) == [{"aliases": 1}]
    await resolve(installation, message)
    installation.clock.advance(days=31)
    assert (await new_retention(installation, tickets=30 * DAY).sweep()).messages == 1
    assert await installation.count_rows("raw_chunks") == 0


async def test_many_raw_chunks_are_erased_before_their_ticket(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MAX_CHUNKS", 2)
    await resolve(installation, await send(installation, body="x" * (5 * CHUNK_BYTES)))
    installation.clock.advance(days=31)
    pause = AsyncMock()
    assert (await new_retention(installation, tickets=30 * DAY, pause=pause).sweep()).tickets == 1
    assert pause.await_count >= 2
    for table in ("tickets", "messages", "raw_chunks"):
        assert await installation.count_rows(table) == 0


async def test_a_reopened_ticket_is_not_erased(installation: Installation) -> None:
    message = await send(installation)
    await resolve(installation, message)
    installation.clock.advance(days=31)
    sweeping = new_retention(installation, tickets=30 * DAY)
    (ticket,) = await installation.execute("SELECT id FROM tickets")
    await installation.execute("UPDATE tickets SET status = 'open', resolved_at = NULL")
    await sweeping._erase_ticket(str(ticket["id"]), installation.clock.now(), ErasedCounts())
    assert await installation.count_rows("tickets") == 1


async def test_expired_small_rows_are_erased(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "MAX_SMALL_ROWS", 2)
    now = installation.clock.now()
    for n in range(5):
        await send(installation, subject=f"n{n}")
        await installation.execute("INSERT INTO rate_windows VALUES (:s, :at, 1)", s=f"key{n}", at=now // SECOND)
        await installation.execute(
            "INSERT INTO idempotent_requests (scope, key, request, at) VALUES ('s', :key, '', :at)", key=f"{n}", at=now
        )
        await installation.execute(
            "INSERT INTO acknowledgements VALUES (:id, :key, :at)", id=installation.workspace_id, key=f"{n}", at=now
        )
    installation.clock.advance(days=4)
    await send(installation, subject="young")
    await new_retention(installation).sweep()
    assert await installation.count_rows("fingerprints") == 6
    for table in ("rate_windows", "idempotent_requests", "acknowledgements"):
        assert await installation.count_rows(table) == 0
    installation.clock.advance(days=1, hours=2)
    assert (await new_retention(installation).sweep()).small_rows == 5
    assert await installation.count_rows("fingerprints") == 1


async def test_concurrent_retention_runs(installation: Installation) -> None:
    for n in range(30):
        await resolve(installation, await send(installation, "support", "billing", subject=f"n{n}"))
    keep = await send(installation, subject="keep")
    installation.clock.advance(days=31)
    both = [new_retention(installation, tickets=30 * DAY, raw=60 * DAY) for _ in range(2)]
    await asyncio.gather(*(one.sweep() for one in both))
    await both[0].sweep()  # on PostgreSQL, each run skips rows that the other has locked
    assert await ids(installation, "messages") == {keep}
    assert await installation.count_rows("tickets") == 1


async def test_mail_is_accepted_during_retention(installation: Installation) -> None:
    for n in range(20):
        await resolve(installation, await send(installation, subject=f"n{n}"))
    installation.clock.advance(days=31)
    sweeping = asyncio.create_task(new_retention(installation, tickets=30 * DAY).sweep())
    new = {await send(installation, subject=f"new{n}") for n in range(20)}
    assert (await sweeping).tickets == 20
    assert await ids(installation, "messages") == new


async def test_a_shared_task_runs_in_one_process(store: Store) -> None:
    clock = FakeClock()
    done: list[int] = []

    def maintenance(number: int) -> Maintenance:
        async def work() -> None:
            done.append(number)

        return Maintenance(store.database, clock, [MaintenanceTask("retention", 600 * SECOND, work)])

    processes = [maintenance(n) for n in range(3)]
    await asyncio.gather(*(one.run_due_tasks() for one in processes))
    assert len(done) == 1
    clock.advance(599)
    await asyncio.gather(*(one.run_due_tasks() for one in processes))
    assert len(done) == 1
    clock.advance(200)
    await asyncio.gather(*(one.run_due_tasks() for one in processes))
    assert len(done) == 2


async def test_a_clock_that_was_set_back_stops_no_task(store: Store) -> None:
    clock = FakeClock()
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    clock.advance(days=400)
    await Maintenance(store.database, clock, [MaintenanceTask("retention", 600 * SECOND, work)]).run_due_tasks()
    clock = FakeClock()
    await Maintenance(store.database, clock, [MaintenanceTask("retention", 600 * SECOND, work)]).run_due_tasks()
    assert len(done) == 2


async def test_a_failing_task_stops_neither_the_others_nor_itself(store: Store) -> None:
    clock = FakeClock()
    done: list[str] = []

    async def broken() -> None:
        done.append("broken")
        raise ValueError("a fault")

    async def whole() -> None:
        done.append("whole")

    tasks = [
        MaintenanceTask("broken", 60 * SECOND, broken, shared=False),
        MaintenanceTask("whole", 60 * SECOND, whole, shared=False),
    ]
    maintenance = Maintenance(store.database, clock, tasks)
    await maintenance.run_due_tasks()
    await maintenance.run_due_tasks()
    assert done == ["broken", "whole"]
    clock.advance(61)
    await maintenance.run_due_tasks()
    assert done == ["broken", "whole"] * 2


@pytest.mark.parametrize(
    ("error", "events"),
    [(Unavailable("away"), ["maintenance.database_unavailable"] * 2), (DatabaseFileReplaced("moved"), [])],
    ids=["away", "replaced"],
)
async def test_a_replaced_file_is_logged_by_its_check_alone(
    store: Store, error: Unavailable, events: list[str]
) -> None:
    async def work() -> None:
        raise error

    maintenance = Maintenance(
        store.database, FakeClock(), [MaintenanceTask("retention", 60 * SECOND, work, shared=False)]
    )
    with structlog.testing.capture_logs() as logged:
        await maintenance.run_due_tasks()
        await maintenance.run_due_tasks()
    assert [line["event"] for line in logged] == events
