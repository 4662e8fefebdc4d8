"""The clock jumps while the program runs, or is years behind the times in the database."""

from collections.abc import Callable
from pathlib import Path

from tests.support.behaviours import FixedResponse
from tests.support.postgres import PostgresServer
from tests.system.crash.system_under_test import system_under_test
from tests.system.faults.replies import assert_recovered

HOUR, DAY = 3600, 24 * 3600
MAILS = 8


async def test_jumps_in_both_directions_under_load(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    async with system_under_test(kind, tmp_path, server) as system, system.start_mta() as mta:
        system.set_clock(0)
        await system.start(options=system.clock_options)
        for seconds in (HOUR, -3 * HOUR, 2 * DAY, -2 * DAY, 0):
            mta.queue(system.new_mails(MAILS, replies=4))
            await mta.wait_accepted(len(mta.acknowledged) + MAILS)
            await system.wait_delivered()
            system.set_clock(seconds)
        await mta.wait_all_accepted()
        await system.wait_delivered()
        await system.assert_no_faults(mta)


async def test_a_retry_is_sent_at_its_time(kind: str, server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    async with system_under_test(kind, tmp_path, server, aliases=1) as system, system.start_mta() as mta:
        program = await system.start(options=system.clock_options)
        system.slack.script("team0", FixedResponse(503, "later"))
        mta.queue(system.new_mails(1))
        await program.wait_event("delivery.retry_scheduled")
        system.set_clock(DAY)
        await system.wait_delivered()
        await assert_recovered(system, mta)


async def test_times_written_by_a_clock_years_ahead(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    """A host with a wrong clock claimed an integration, scheduled a retry and died."""
    async with system_under_test(kind, tmp_path, server, aliases=2) as system, system.start_mta() as mta:
        system.set_clock(3650 * DAY)
        program = await system.start(options=system.clock_options)
        system.slack.script("team0", FixedResponse(503, "later"))
        system.slack.script("team1", FixedResponse(503, "later"))
        mta.queue(system.new_mails(2))
        await program.wait_event("delivery.retry_scheduled", 2)
        await program.kill()
        async with system.installation.open_database():
            await system.installation.execute(
                "UPDATE integrations SET lease_owner = 'a host that is gone', lease_until = paced_at + 60000000, "
                "paced_at = paced_at"
            )
        system.set_clock(0)
        await system.start(options=system.clock_options)
        await system.wait_delivered()
        await mta.wait_all_accepted()
        await system.assert_no_faults(mta)
