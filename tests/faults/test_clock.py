"""The clock jumps: forwards and back under the running program, and back behind what an earlier one has written."""

from collections.abc import Callable
from pathlib import Path

from tests.crash.rig import rig
from tests.faults.asking import mended
from tests.support import seeds
from tests.support.postgres import PostgresServer
from tests.support.slack import Answer
from tests.support.stores import postgres_database, sqlite_database

HOUR, DAY = 3600, 24 * 3600
MAILS = 8


async def test_it_jumps_both_ways_under_load(kind: str, server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    async with rig(kind, tmp_path, server) as world, world.mta() as mta:
        world.set_clock(0)
        await world.start(options=world.clock_options)
        for seconds in (HOUR, -3 * HOUR, 2 * DAY, -2 * DAY, 0):
            mta.offer(world.mails(MAILS, replies=4))
            await mta.taken(len(mta.acknowledged) + MAILS)
            await world.settle()
            world.set_clock(seconds)
        await mta.all_taken()
        await world.settle()
        await world.sound(mta)


async def test_what_waits_is_sent_when_the_clock_says_so(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    async with rig(kind, tmp_path, server, aliases=1) as world, world.mta() as mta:
        program = await world.start(options=world.clock_options)
        world.slack.script("team0", Answer(503, "later"))
        mta.offer(world.mails(1))
        await program.wait_event("delivery.retry")
        world.set_clock(DAY)
        await world.settle()
        await mended(world, mta)


async def test_times_from_a_clock_that_was_years_ahead(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    """A host began with a wrong clock, claimed a webhook, scheduled a retry and died; now the clock is right."""
    async with rig(kind, tmp_path, server, aliases=2) as world, world.mta() as mta:
        world.set_clock(3650 * DAY)
        program = await world.start(options=world.clock_options)
        world.slack.script("team0", Answer(503, "later"))
        world.slack.script("team1", Answer(503, "later"))
        mta.offer(world.mails(2))
        await program.wait_event("delivery.retry", 2)
        await program.kill()
        database = sqlite_database(tmp_path / "emailrouter.db") if kind == "sqlite" else postgres_database(world.url)
        await database.open()
        await seeds.execute(
            database,
            "UPDATE integrations SET lease_owner = 'a host that is gone', lease_until = paced_at + 60000000, "
            "paced_at = paced_at",
        )
        await database.close()
        world.set_clock(0)
        await world.start(options=world.clock_options)
        await world.settle()
        await mta.all_taken()
        await world.sound(mta)
