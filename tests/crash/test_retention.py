"""Killed inside retention: what is old goes, whole; what is young, unresolved or not delivered stays, whole."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.crash.rig import rig, until_async
from tests.crash.test_named_points import RETENTION, killed
from tests.support import seeds
from tests.support.postgres import PostgresServer
from tests.support.stores import postgres_database, sqlite_database

DAY = 24 * 3600
MAILS = 10
KEEP: dict[str, object] = {"retention.raw_messages": "1d", "retention.resolved_tickets": "2d"}


async def test_killed_while_old_things_are_erased(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    """Ten mails: the even tickets are resolved long ago; one of those has a delivery that did not arrive yet."""
    async with rig(kind, tmp_path, server, aliases=2, settings=KEEP) as world, world.mta() as mta:
        program = await world.start(options=world.clock_options)
        mta.offer(mail for n in range(MAILS) for mail in world.mails(1, to=(world.addresses[n % 2],), large=5))
        await mta.all_taken()
        await world.settle()
        await world.sound(mta)
        await program.kill()
        database = sqlite_database(tmp_path / "emailrouter.db") if kind == "sqlite" else postgres_database(world.url)
        await database.open()
        await seeds.execute(
            database, "UPDATE tickets SET status = 'resolved', resolved_at = received_at WHERE number % 2 = 0"
        )
        waiting = "(SELECT id FROM tickets WHERE number = 2)"
        await seeds.execute(
            database,
            "UPDATE deliveries SET state = 'pending', delivered_at = NULL, next_attempt_at = created_at "
            f"WHERE ticket_id IN {waiting}",
        )
        await database.close()
        for name in ("team0", "team1"):  # whichever that one's is: what it owes stays owed
            world.slack.forget(name)
        for n, point in enumerate(RETENTION):
            world.set_clock((3 + n) * DAY)  # a sweep that was cut off is made up for at the next one's time
            program = await world.launch("serve", options=("--hurry", "--kill-at", point, *world.clock_options))
            await killed(program, point)
        world.set_clock(30 * DAY)
        await world.start("serve", options=("--hurry", *world.clock_options))

        async def erased() -> bool:
            return await world.ledger.number("SELECT count(*) FROM raw_chunks") == 0

        await until_async(erased, "all raw mail is erased")
        await world.running[-1].kill()
        left = [row[0] for row in await world.ledger.rows("SELECT number FROM tickets ORDER BY number")]
        assert left == [1, 2, 3, 5, 7, 9]
        for orphans in (
            "SELECT count(*) FROM ticket_messages WHERE ticket_id NOT IN (SELECT id FROM tickets)",
            "SELECT count(*) FROM deliveries WHERE ticket_id NOT IN (SELECT id FROM tickets)",
            "SELECT count(*) FROM messages WHERE id NOT IN (SELECT message_id FROM ticket_messages)",
            "SELECT count(*) FROM messages WHERE id NOT IN (SELECT message_id FROM message_contents)",
        ):
            assert await world.ledger.number(orphans) == 0, orphans
        texts = await world.ledger.rows("SELECT text, attachments FROM message_contents")
        assert len(texts) == len(left)
        assert all("A dot first" in text and json.loads(attachments) == [] for text, attachments in texts)
