"""Kills during retention leave no ticket partly erased.

Unresolved tickets and tickets with a pending delivery lose only their raw messages.
"""

import json
from collections.abc import Callable
from pathlib import Path

from tests.support.postgres import PostgresServer
from tests.support.waiting import poll_until
from tests.system.crash.system_under_test import system_under_test
from tests.system.crash.test_named_points import RETENTION, assert_killed

DAY = 24 * 3600
MAILS = 10
KEEP: dict[str, object] = {"retention.raw_messages": "1d", "retention.resolved_tickets": "2d"}


async def test_killed_during_retention(kind: str, server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    async with system_under_test(kind, tmp_path, server, aliases=2, settings=KEEP) as system, system.start_mta() as mta:
        program = await system.start(options=system.clock_options)
        mta.queue(mail for n in range(MAILS) for mail in system.new_mails(1, to=(system.addresses[n % 2],), large=5))
        await mta.wait_all_accepted()
        await system.wait_delivered()
        await system.assert_no_faults(mta)
        await program.kill()
        async with system.installation.open_database():
            await system.installation.execute(
                "UPDATE tickets SET status = 'resolved', resolved_at = received_at WHERE number % 2 = 0"
            )
            waiting = "(SELECT id FROM tickets WHERE number = 2)"
            await system.installation.execute(
                "UPDATE deliveries SET state = 'pending', delivered_at = NULL, next_attempt_at = created_at "
                f"WHERE ticket_id IN {waiting}"
            )
        for name in ("team0", "team1"):
            system.slack.remove_webhook(name)
        for n, point in enumerate(RETENTION):
            system.set_clock((3 + n) * DAY)  # the next interval repeats an interrupted retention run
            program = await system.launch("serve", options=("--hurry", "--kill-at", point, *system.clock_options))
            await assert_killed(program, point)
        system.set_clock(30 * DAY)
        await system.start("serve", options=("--hurry", *system.clock_options))

        async def erased() -> bool:
            return await system.database.fetch_number("SELECT count(*) FROM raw_chunks") == 0

        await poll_until(erased, "all raw mail is erased")
        await system.running[-1].kill()
        left = [row[0] for row in await system.database.rows("SELECT number FROM tickets ORDER BY number")]
        assert left == [1, 2, 3, 5, 7, 9]
        for orphans in (
            "SELECT count(*) FROM ticket_messages WHERE ticket_id NOT IN (SELECT id FROM tickets)",
            "SELECT count(*) FROM deliveries WHERE ticket_id NOT IN (SELECT id FROM tickets)",
            "SELECT count(*) FROM messages WHERE id NOT IN (SELECT message_id FROM ticket_messages)",
            "SELECT count(*) FROM messages WHERE id NOT IN (SELECT message_id FROM message_contents)",
        ):
            assert await system.database.fetch_number(orphans) == 0, orphans
        texts = await system.database.rows("SELECT text, attachments FROM message_contents")
        assert len(texts) == len(left)
        assert all("A dot first" in text and json.loads(attachments) == [] for text, attachments in texts)
