"""Several processes on one PostgreSQL are killed in turn, or stopped until a lease expires."""

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer
from tests.support.waiting import poll_until, process_state, wait_until
from tests.system.crash.claimants import Claimants
from tests.system.crash.system_under_test import system_under_test

ROLES = ("smtp", "smtp", "smtp", "deliver", "deliver", "deliver", "api", "api")
MAILS = 60
USERS = 4


async def test_servers_deliverers_and_apis_are_killed_in_turn(
    server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    """No message gets two tickets for one recipient, and no ticket gets two assignees."""
    unlimited: dict[str, object] = {"api.requests_per_minute": 0, "api.requests_per_day": 0}
    async with (
        system_under_test("postgres", tmp_path, server, aliases=5, settings=unlimited) as system,
        system.start_mta(8) as mta,
    ):
        fleet = [await system.launch(role) for role in ROLES]
        for program in fleet:
            await system.wait_ready(program)
        rng = random.Random(4)
        places = [6, *rng.sample(range(6), 4), 7]
        async with Claimants(await system.add_users(USERS), system.api_addresses) as claimants:
            for place in places:
                mta.queue(system.new_mails(MAILS, large=25, replies=9))
                await mta.wait_accepted(len(mta.acknowledged) + MAILS // 2)
                await fleet[place].kill()
                fleet[place] = await system.start(ROLES[place])
            await mta.wait_all_accepted()
            await system.wait_delivered()
            claimed = len(claimants.claimed)
            await poll_until(lambda: has_claimed_more(claimants, claimed), "claims continue")
        await system.assert_no_faults(mta)
        owners = dict(await system.database.rows("SELECT id, assigned_to FROM tickets WHERE assigned_to IS NOT NULL"))
        assert {ticket: owners[ticket] for ticket in claimants.claimed} == {
            t: won[0] for t, won in claimants.claimed.items()
        }
        assert all(len(won) == 1 for won in claimants.claimed.values())
        # A claim without a response may have succeeded.
        assert len(owners) <= len(claimants.claimed) + claimants.unanswered


async def has_claimed_more(claimants: Claimants, claimed: int) -> bool:
    return len(claimants.claimed) >= max(claimed, MAILS)


async def test_a_webhook_recovers_while_a_message_for_it_is_written(
    server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    """The transaction of the message reads the status `failing` before the recovery, and commits after the recovery.

    The delivery must not stay parked.
    """
    async with system_under_test("postgres", tmp_path, server, aliases=1) as system, system.start_mta(1) as mta:
        system.slack.remove_webhook("team0")
        first = await system.start("smtp")
        await system.start("deliver", options=system.clock_options)
        mta.queue(system.new_mails(1))
        await mta.wait_all_accepted()

        async def failing() -> bool:
            return await system.database.fetch_number("SELECT count(*) FROM integrations WHERE status = 'failing'") == 1

        await poll_until(failing, "the webhook is failing")
        await first.kill()
        writer = await system.start("smtp", options=("--stop-at", "delivery-written"))
        mta.queue(system.new_mails(1))
        await wait_until(
            lambda: process_state(writer.pid) == "T", "the transaction of the message is complete but not committed"
        )
        system.slack.restore_webhook("team0")
        system.set_clock(600)
        await system.wait_delivered()
        writer.resume()
        await mta.wait_all_accepted()
        await system.wait_delivered()
        await system.assert_no_faults(mta)


@pytest.mark.parametrize(("point", "second_posts"), [("claimed:4", 0), ("posted:4", 1)])
async def test_a_deliverer_stopped_past_its_lease(
    server: Callable[[], PostgresServer], tmp_path: Path, point: str, second_posts: int
) -> None:
    """Once resumed, the stopped deliverer does not post what another deliverer has posted."""
    async with system_under_test("postgres", tmp_path, server, aliases=1) as system, system.start_mta() as mta:
        await system.start("smtp")
        sleeper = await system.start("deliver", options=("--stop-at", point))
        mta.queue(system.new_mails(8))
        await mta.wait_all_accepted()
        await wait_until(lambda: process_state(sleeper.pid) == "T", "the deliverer stopped itself")
        await system.start("deliver")
        await system.wait_delivered()
        sleeper.resume()
        assert await sleeper.terminate() == 0
        found = await system.assert_no_faults(mta, paused=True)
        assert found.duplicate_posts == second_posts


async def test_a_server_killed_before_it_notifies(server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    """The deliverer finds the delivery by polling: the message is sent again, but its duplicate notifies nobody."""
    async with system_under_test("postgres", tmp_path, server, aliases=1) as system, system.start_mta() as mta:
        await system.start("deliver")
        receiver = await system.start("smtp", options=("--kill-at", "notifying"))
        mta.queue(system.new_mails(1))
        assert await receiver.wait() == -signal.SIGKILL, receiver.stderr_text
        await system.start("smtp")
        await mta.wait_all_accepted()
        await system.wait_delivered()
        await system.assert_no_faults(mta)
