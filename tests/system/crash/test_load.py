"""Concurrent senders: each message gets exactly one ticket and one post, whichever processes handle it."""

from collections.abc import Callable
from pathlib import Path

from tests.support.postgres import PostgresServer
from tests.system.crash.mta import QueueingMta
from tests.system.crash.system_under_test import SystemUnderTest, system_under_test

MAILS = 1000
SENDERS = 20


async def assert_delivered_once(system: SystemUnderTest, mta: QueueingMta) -> None:
    addresses = system.addresses
    mta.queue(mail for n in range(MAILS) for mail in system.new_mails(1, to=(addresses[n % len(addresses)],)))
    await mta.wait_all_accepted()
    await system.wait_delivered()
    found = await system.assert_no_faults(mta)
    assert (found.acknowledged, found.tickets, found.deliveries, found.posts) == (MAILS, MAILS, MAILS, MAILS)
    assert (found.duplicate_posts, found.lost_attempts, mta.lost_connections, list(mta.deferred)) == (0, 0, 0, [])
    assert await system.database.fetch_number("SELECT count(*) FROM attempts") == MAILS
    assert await system.database.fetch_number("SELECT max(number) FROM tickets") == MAILS


async def test_a_thousand_mails_from_twenty_senders(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    async with system_under_test(kind, tmp_path, server, aliases=10) as system, system.start_mta(SENDERS) as mta:
        await system.start()
        await assert_delivered_once(system, mta)


async def test_a_thousand_mails_through_two_servers_and_two_deliverers(
    server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    async with system_under_test("postgres", tmp_path, server, aliases=10) as system, system.start_mta(SENDERS) as mta:
        fleet = [await system.launch(role) for role in ("smtp", "smtp", "deliver", "deliver")]
        for program in fleet:
            await system.wait_ready(program)
        await assert_delivered_once(system, mta)
        assert all(program.running() for program in fleet)
        for server_process in fleet[:2]:
            assert server_process.log_events("smtp.accepted"), "each server accepted messages"
