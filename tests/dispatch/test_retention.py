"""Retention on both databases: what goes, when, in what steps, and what stays."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import structlog

from router.accept.transaction import CHUNK_OCTETS
from router.clock import SECOND
from router.dispatch import retention
from router.dispatch.janitor import Chore, Janitor
from router.dispatch.retention import Ages, Erased, Retention
from router.errors import StorageReplaced, Unavailable
from router.model import Micros
from router.routing.envelope import Envelope
from router.routing.route import Target
from tests.support import seeds
from tests.support.clock import FakeClock
from tests.support.core import Woken, core_over
from tests.support.stores import Store

DAY = 24 * 3600 * SECOND


class World:
    """Mail that was accepted as it always is, and the retention over it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = FakeClock()
        self.core = core_over(store, self.clock, wake=Woken())
        self.contents = self.core.contents
        self.accept = self.core.accept
        self.rests = 0

    async def build(self) -> None:
        database = self.store.database
        self.workspace = await seeds.workspace(database)
        domain = await seeds.domain(database, self.workspace)
        integration = await seeds.integration(database, self.workspace)
        self.aliases = {
            name: await seeds.alias(database, self.workspace, domain, name, integration)
            for name in ("support", "billing")
        }

    async def mail(self, *names: str, subject: str = "Hello", body: str = "Text.") -> str:
        """A mail to these aliases; returns its message's id."""
        targets = tuple(
            Target(f"{n}@example.com", self.workspace, self.aliases[n], self.aliases[n], f"{n}@example.com", None, "")
            for n in names or ("support",)
        )
        octets = f"From: a@b.test\r\nSubject: {subject}\r\nMessage-ID: <{subject}@b.test>\r\n\r\n{body}\r\n".encode()
        accepted = await self.accept.accept(Envelope("a@b.test", targets, "192.0.2.1", "b.test", "ESMTP"), octets)
        return accepted.message_id

    def retention(self, *, raw: Micros | None = None, tickets: Micros | None = None) -> Retention:
        async def rest() -> None:
            self.rests += 1

        ages = Ages(raw_messages=raw, resolved_tickets=tickets, duplicate_window=5 * DAY)
        return Retention(self.store.database, self.contents, self.clock, ages, rest=rest)

    async def resolve(self, message_id: str, *, delivered: bool = True) -> None:
        """The tickets of a message are resolved now."""
        of_message = "(SELECT ticket_id FROM ticket_messages WHERE message_id = :m)"
        await self.execute(
            f"UPDATE tickets SET status = 'resolved', resolved_at = :now WHERE id IN {of_message}",
            m=message_id,
            now=self.clock.now(),
        )
        if delivered:
            await self.execute(
                f"UPDATE deliveries SET state = 'delivered', next_attempt_at = NULL WHERE ticket_id IN {of_message}",
                m=message_id,
            )

    async def execute(self, statement: str, **values: object) -> list[dict[str, object]]:
        return await seeds.execute(self.store.database, statement, **values)

    async def count(self, table: str) -> object:
        return (await self.execute(f"SELECT count(*) AS n FROM {table}"))[0]["n"]

    async def ids(self, table: str, column: str = "id") -> set[object]:
        return {row[column] for row in await self.execute(f"SELECT {column} FROM {table}")}


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    found = World(store)
    await found.build()
    yield found
    await found.core.close()


async def test_for_ever_is_the_default(world: World) -> None:
    message = await world.mail()
    await world.resolve(message)
    world.clock.advance(days=3000)
    erased = await world.retention().sweep()
    assert (erased.tickets, erased.raw_messages) == (0, 0)
    assert await world.contents.raw(message)


async def test_a_raw_mail_goes_and_its_text_stays(world: World) -> None:
    old = await world.mail(subject="old", body="What was said.")
    world.clock.advance(days=10)
    young = await world.mail(subject="young")
    world.clock.advance(days=25)
    erased = await world.retention(raw=30 * DAY).sweep()
    assert erased.raw_messages == 1
    assert await world.contents.raw(old) == b""
    assert "What was said." in (await world.contents.of(old)).text, "it was parsed before it went"
    assert await world.contents.raw(young)
    assert await world.count("tickets") == 2
    assert (await world.retention(raw=30 * DAY).sweep()).raw_messages == 0


async def test_a_newer_parser_does_not_empty_what_has_no_octets_any_more(world: World) -> None:
    message = await world.mail(body="What was said.")
    world.clock.advance(days=31)
    await world.retention(raw=30 * DAY).sweep()
    await world.execute("UPDATE message_contents SET parser = 0")
    assert "What was said." in (await world.contents.of(message)).text


async def test_large_mails_go_in_steps_and_a_half_erased_one_reads_as_erased(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHUNKS", 2)
    message = await world.mail(body="x" * (5 * CHUNK_OCTETS))
    await world.mail(subject="second")
    world.clock.advance(days=31)
    sweeping = world.retention(raw=30 * DAY)

    class Killed(Exception):  # noqa: N818 - what happens to the process
        pass

    async def killed() -> None:
        raise Killed

    sweeping._rest = killed
    with pytest.raises(Killed):
        await sweeping.sweep()
    assert await world.count("raw_chunks") == 5  # 6 + 1, less the first two
    assert await world.contents.raw(message) == b""
    erased = await world.retention(raw=30 * DAY).sweep()
    assert await world.count("raw_chunks") == 0
    assert erased.raw_messages == 1, "the one that was half erased is not counted again"
    assert world.rests >= 2


async def test_a_mail_that_cannot_be_parsed_keeps_its_octets_and_stops_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CHUNKS", 2)
    messages = [await world.mail(subject=f"n{n}") for n in range(5)]
    world.clock.advance(days=31)
    real = world.contents.of

    async def of(message_id: str) -> object:
        if message_id == messages[1]:
            raise ValueError("a fault of the parser")
        return await real(message_id)

    monkeypatch.setattr(world.contents, "of", of)
    assert (await world.retention(raw=30 * DAY).sweep()).raw_messages == 4
    assert await world.ids("raw_chunks", "message_id") == {messages[1]}


async def test_a_resolved_ticket_goes_with_its_messages(world: World) -> None:
    old = await world.mail(subject="old")
    open_one = await world.mail(subject="open")
    await world.resolve(old)
    world.clock.advance(days=20)
    young = await world.mail(subject="young")
    await world.resolve(young)
    world.clock.advance(days=11)
    erased = await world.retention(tickets=30 * DAY).sweep()
    assert (erased.tickets, erased.messages) == (1, 1)
    assert await world.ids("messages") == {open_one, young}
    assert await world.ids("raw_chunks", "message_id") == {open_one, young}
    for table in ("deliveries", "ticket_messages"):
        assert await world.count(table) == 2


async def test_a_ticket_with_a_pending_delivery_stays_until_it_is_told(world: World) -> None:
    message = await world.mail()
    await world.resolve(message, delivered=False)
    world.clock.advance(days=400)
    assert (await world.retention(tickets=30 * DAY).sweep()).tickets == 0
    await world.execute("UPDATE deliveries SET state = 'dead', next_attempt_at = NULL")
    assert (await world.retention(tickets=30 * DAY).sweep()).tickets == 1


async def test_tickets_that_must_wait_do_not_hide_those_behind_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "TICKETS", 2)
    for n in range(5):
        await world.resolve(await world.mail(subject=f"waits{n}"), delivered=False)
    for n in range(3):
        await world.resolve(await world.mail(subject=f"goes{n}"))
    world.clock.advance(days=31)
    assert (await world.retention(tickets=30 * DAY).sweep()).tickets == 3


async def test_a_message_goes_with_its_last_ticket(world: World) -> None:
    message = await world.mail("support", "billing")
    await world.resolve(message)
    await world.execute("UPDATE tickets SET status = 'open', resolved_at = NULL WHERE address LIKE 'billing%'")
    world.clock.advance(days=31)
    assert await world.retention(tickets=30 * DAY).sweep() == Erased(tickets=1, messages=0, small_rows=2)
    assert await world.contents.raw(message)
    assert (await world.execute("SELECT aliases FROM messages")) == [{"aliases": 1}]
    await world.resolve(message)
    world.clock.advance(days=31)
    assert (await world.retention(tickets=30 * DAY).sweep()).messages == 1
    assert await world.count("raw_chunks") == 0


async def test_a_ticket_with_much_raw_mail_gives_that_up_first(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNKS", 2)
    await world.resolve(await world.mail(body="x" * (5 * CHUNK_OCTETS)))
    world.clock.advance(days=31)
    assert (await world.retention(tickets=30 * DAY).sweep()).tickets == 1
    assert world.rests >= 2
    for table in ("tickets", "messages", "raw_chunks"):
        assert await world.count(table) == 0


async def test_a_ticket_that_was_opened_again_stays(world: World) -> None:
    message = await world.mail()
    await world.resolve(message)
    world.clock.advance(days=31)
    sweeping = world.retention(tickets=30 * DAY)
    (ticket,) = await world.execute("SELECT id FROM tickets")
    await world.execute("UPDATE tickets SET status = 'open', resolved_at = NULL")
    await sweeping._erase_ticket(str(ticket["id"]), world.clock.now(), Erased())
    assert await world.count("tickets") == 1


async def test_old_marks_and_counts_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SMALL_ROWS", 2)
    now = world.clock.now()
    for n in range(5):
        await world.mail(subject=f"n{n}")
        await world.execute("INSERT INTO rate_windows VALUES (:s, :at, 1)", s=f"key{n}", at=now // SECOND)
        await world.execute(
            "INSERT INTO idempotent_requests (scope, key, request, at) VALUES ('s', :key, '', :at)", key=f"{n}", at=now
        )
    world.clock.advance(days=4)
    await world.mail(subject="young")
    await world.retention().sweep()
    assert await world.count("fingerprints") == 6
    assert (await world.count("rate_windows"), await world.count("idempotent_requests")) == (0, 0)
    world.clock.advance(days=1, hours=2)
    assert (await world.retention().sweep()).small_rows == 5
    assert await world.count("fingerprints") == 1


async def test_two_that_sweep_at_once_do_no_harm(world: World) -> None:
    for n in range(30):
        await world.resolve(await world.mail("support", "billing", subject=f"n{n}"))
    keep = await world.mail(subject="keep")
    world.clock.advance(days=31)
    both = [world.retention(tickets=30 * DAY, raw=60 * DAY) for _ in range(2)]
    await asyncio.gather(*(one.sweep() for one in both))
    await both[0].sweep()  # what each left to the other because it was in its hands
    assert await world.ids("messages") == {keep}
    assert await world.count("tickets") == 1


async def test_mail_is_accepted_while_it_sweeps(world: World) -> None:
    for n in range(20):
        await world.resolve(await world.mail(subject=f"n{n}"))
    world.clock.advance(days=31)
    sweeping = asyncio.create_task(world.retention(tickets=30 * DAY).sweep())
    new = {await world.mail(subject=f"new{n}") for n in range(20)}
    assert (await sweeping).tickets == 20
    assert await world.ids("messages") == new


# --- the janitor


async def test_a_shared_chore_is_done_by_one_of_all(store: Store) -> None:
    clock = FakeClock()
    done: list[int] = []

    def janitor(number: int) -> Janitor:
        async def work() -> None:
            done.append(number)

        return Janitor(store.database, clock, [Chore("retention", 600 * SECOND, work)])

    janitors = [janitor(n) for n in range(3)]
    await asyncio.gather(*(one.tick() for one in janitors))
    assert len(done) == 1
    clock.advance(599)
    await asyncio.gather(*(one.tick() for one in janitors))
    assert len(done) == 1
    clock.advance(200)
    await asyncio.gather(*(one.tick() for one in janitors))
    assert len(done) == 2


async def test_a_clock_that_was_set_back_stops_no_chore(store: Store) -> None:
    clock = FakeClock()
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    clock.advance(days=400)
    await Janitor(store.database, clock, [Chore("retention", 600 * SECOND, work)]).tick()
    clock = FakeClock()
    await Janitor(store.database, clock, [Chore("retention", 600 * SECOND, work)]).tick()
    assert len(done) == 2


async def test_a_chore_that_fails_stops_neither_the_others_nor_itself(store: Store) -> None:
    clock = FakeClock()
    done: list[str] = []

    async def broken() -> None:
        done.append("broken")
        raise ValueError("a fault")

    async def whole() -> None:
        done.append("whole")

    chores = [Chore("broken", 60 * SECOND, broken, shared=False), Chore("whole", 60 * SECOND, whole, shared=False)]
    janitor = Janitor(store.database, clock, chores)
    await janitor.tick()
    await janitor.tick()
    assert done == ["broken", "whole"]
    clock.advance(61)
    await janitor.tick()
    assert done == ["broken", "whole"] * 2


@pytest.mark.parametrize(
    ("error", "events"),
    [(Unavailable("away"), ["janitor.store_away"] * 2), (StorageReplaced("moved"), [])],
    ids=["away", "replaced"],
)
async def test_a_replaced_file_is_logged_by_its_check_alone(
    store: Store, error: Unavailable, events: list[str]
) -> None:
    async def work() -> None:
        raise error

    janitor = Janitor(store.database, FakeClock(), [Chore("retention", 60 * SECOND, work, shared=False)])
    with structlog.testing.capture_logs() as logged:
        await janitor.tick()
        await janitor.tick()
    assert [line["event"] for line in logged] == events
