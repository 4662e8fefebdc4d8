"""Many senders at once: exactly one ticket and one post for each mail, whichever process took or delivered it."""

from collections.abc import Callable
from pathlib import Path

from tests.support.postgres import PostgresServer
from tests.system.crash.mta import Mta
from tests.system.crash.rig import Rig, new_rig

MAILS = 1000
SENDERS = 20


async def exactly_once(rig: Rig, mta: Mta) -> None:
    """Offers the mails and counts: tickets, posts and attempts are as many as mails, no more."""
    addresses = rig.addresses
    mta.offer(mail for n in range(MAILS) for mail in rig.mails(1, to=(addresses[n % len(addresses)],)))
    await mta.all_taken()
    await rig.settle()
    found = await rig.sound(mta)
    assert (found.acknowledged, found.tickets, found.deliveries, found.posts) == (MAILS, MAILS, MAILS, MAILS)
    assert (found.second_posts, found.lost_attempts, mta.cut, list(mta.put_off)) == (0, 0, 0, [])
    assert await rig.ledger.number("SELECT count(*) FROM attempts") == MAILS
    assert await rig.ledger.number("SELECT max(number) FROM tickets") == MAILS


async def test_a_thousand_mails_from_twenty_senders(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    async with new_rig(kind, tmp_path, server, aliases=10) as rig, rig.mta(SENDERS) as mta:
        await rig.start()
        await exactly_once(rig, mta)


async def test_a_thousand_mails_through_two_doors_and_two_deliverers(
    server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    async with new_rig("postgres", tmp_path, server, aliases=10) as rig, rig.mta(SENDERS) as mta:
        fleet = [await rig.launch(role) for role in ("smtp", "smtp", "deliver", "deliver")]
        for program in fleet:
            await rig.ready(program)
        await exactly_once(rig, mta)
        assert all(program.running() for program in fleet)
        for door in fleet[:2]:
            assert door.log_events("smtp.accepted"), "each door had its share"
