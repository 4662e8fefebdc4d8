"""The clock jumps: forwards and back under the running program, and back behind what an earlier one has written."""

from collections.abc import Callable
from pathlib import Path

from tests.support.postgres import PostgresServer
from tests.support.slack import Answer
from tests.system.crash.rig import new_rig
from tests.system.faults.asking import mended

HOUR, DAY = 3600, 24 * 3600
MAILS = 8


async def test_it_jumps_both_ways_under_load(kind: str, server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    async with new_rig(kind, tmp_path, server) as rig, rig.mta() as mta:
        rig.set_clock(0)
        await rig.start(options=rig.clock_options)
        for seconds in (HOUR, -3 * HOUR, 2 * DAY, -2 * DAY, 0):
            mta.offer(rig.mails(MAILS, replies=4))
            await mta.taken(len(mta.acknowledged) + MAILS)
            await rig.settle()
            rig.set_clock(seconds)
        await mta.all_taken()
        await rig.settle()
        await rig.sound(mta)


async def test_what_waits_is_sent_when_the_clock_says_so(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    async with new_rig(kind, tmp_path, server, aliases=1) as rig, rig.mta() as mta:
        program = await rig.start(options=rig.clock_options)
        rig.slack.script("team0", Answer(503, "later"))
        mta.offer(rig.mails(1))
        await program.wait_event("delivery.retry_scheduled")
        rig.set_clock(DAY)
        await rig.settle()
        await mended(rig, mta)


async def test_times_from_a_clock_that_was_years_ahead(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    """A host began with a wrong clock, claimed a webhook, scheduled a retry and died; now the clock is right."""
    async with new_rig(kind, tmp_path, server, aliases=2) as rig, rig.mta() as mta:
        rig.set_clock(3650 * DAY)
        program = await rig.start(options=rig.clock_options)
        rig.slack.script("team0", Answer(503, "later"))
        rig.slack.script("team1", Answer(503, "later"))
        mta.offer(rig.mails(2))
        await program.wait_event("delivery.retry_scheduled", 2)
        await program.kill()
        async with rig.installation.opened():
            await rig.installation.rows(
                "UPDATE integrations SET lease_owner = 'a host that is gone', lease_until = paced_at + 60000000, "
                "paced_at = paced_at"
            )
        rig.set_clock(0)
        await rig.start(options=rig.clock_options)
        await rig.settle()
        await mta.all_taken()
        await rig.sound(mta)
