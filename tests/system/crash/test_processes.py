"""Several processes over one PostgreSQL: killed and started again in turn, and one that is stopped past its lease."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer
from tests.support.waiting import state, until
from tests.system.crash.claimants import Claimants
from tests.system.crash.rig import new_rig, until_async

ROLES = ("smtp", "smtp", "smtp", "deliver", "deliver", "deliver", "api", "api")
MAILS = 60
PEOPLE = 4


async def test_doors_deliverers_and_apis_are_killed_in_turn(
    server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    """Mail comes, goes out and is claimed all the while; no mail has two tickets, and no ticket two owners."""
    unlimited: dict[str, object] = {"api.requests_per_minute": 0, "api.requests_per_day": 0}
    async with new_rig("postgres", tmp_path, server, aliases=5, settings=unlimited) as rig, rig.mta(8) as mta:
        fleet = [await rig.launch(role) for role in ROLES]
        for program in fleet:
            await rig.ready(program)
        chance = random.Random(4)
        places = [6, *chance.sample(range(6), 4), 7]
        async with Claimants(await rig.add_users(PEOPLE), rig.apis) as claimants:
            for place in places:
                mta.offer(rig.mails(MAILS, large=25, replies=9))
                await mta.taken(len(mta.acknowledged) + MAILS // 2)
                await fleet[place].kill()
                fleet[place] = await rig.start(ROLES[place])
            await mta.all_taken()
            await rig.settle()
            claimed = len(claimants.won)
            await until_async(lambda: more(claimants, claimed), "claims go on")
        await rig.sound(mta)
        owners = dict(await rig.ledger.rows("SELECT id, assigned_to FROM tickets WHERE assigned_to IS NOT NULL"))
        assert {ticket: owners[ticket] for ticket in claimants.won} == {t: won[0] for t, won in claimants.won.items()}
        assert all(len(won) == 1 for won in claimants.won.values())
        # A claim whose answer was cut off may have been made all the same; nothing else is owned.
        assert len(owners) <= len(claimants.won) + claimants.unheard


async def more(claimants: Claimants, claimed: int) -> bool:
    """Whether tickets are claimed, also after the last kill where there were any left."""
    return len(claimants.won) >= max(claimed, MAILS)


async def test_a_webhook_heals_while_a_mail_for_it_is_being_written(
    server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    """The mail's transaction saw it failing and commits when it is well: its delivery must not stay parked."""
    async with new_rig("postgres", tmp_path, server, aliases=1) as rig, rig.mta(1) as mta:
        rig.slack.forget("team0")
        first = await rig.start("smtp")
        await rig.start("deliver", options=rig.clock_options)
        mta.offer(rig.mails(1))
        await mta.all_taken()

        async def failing() -> bool:
            return await rig.ledger.number("SELECT count(*) FROM integrations WHERE status = 'failing'") == 1

        await until_async(failing, "the webhook is failing")
        await first.kill()
        writer = await rig.start("smtp", options=("--stop-at", "delivery-owed"))
        mta.offer(rig.mails(1))
        await until(lambda: state(writer.pid) == "T", "the mail's transaction is at its end, not committed")
        rig.slack.remember("team0")
        rig.set_clock(600)
        await rig.settle()
        writer.resume()
        await mta.all_taken()
        await rig.settle()
        await rig.sound(mta)


@pytest.mark.parametrize(("point", "second_posts"), [("claimed:4", 0), ("posted:4", 1)])
async def test_a_deliverer_that_is_stopped_past_its_lease(
    server: Callable[[], PostgresServer], tmp_path: Path, point: str, second_posts: int
) -> None:
    """The other one takes over when the lease ends. What comes back too late sends nothing that it had not sent."""
    async with new_rig("postgres", tmp_path, server, aliases=1) as rig, rig.mta() as mta:
        await rig.start("smtp")
        sleeper = await rig.start("deliver", options=("--stop-at", point))
        mta.offer(rig.mails(8))
        await mta.all_taken()
        await until(lambda: state(sleeper.pid) == "T", "the deliverer stopped itself")
        await rig.start("deliver")
        await rig.settle()
        sleeper.resume()
        assert await sleeper.terminate() == 0
        found = await rig.sound(mta, paused=True)
        assert found.second_posts == second_posts
