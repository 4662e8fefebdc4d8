"""Killed inside retention: what is old goes, whole; what is young, unresolved or not delivered stays, whole."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.support.postgres import PostgresServer
from tests.system.crash.rig import new_rig, until_async
from tests.system.crash.test_named_points import RETENTION, killed

DAY = 24 * 3600
MAILS = 10
KEEP: dict[str, object] = {"retention.raw_messages": "1d", "retention.resolved_tickets": "2d"}


async def test_killed_while_old_things_are_erased(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    """Ten mails: the even tickets are resolved long ago; one of those has a delivery that did not arrive yet."""
    async with new_rig(kind, tmp_path, server, aliases=2, settings=KEEP) as rig, rig.mta() as mta:
        program = await rig.start(options=rig.clock_options)
        mta.offer(mail for n in range(MAILS) for mail in rig.mails(1, to=(rig.addresses[n % 2],), large=5))
        await mta.all_taken()
        await rig.settle()
        await rig.sound(mta)
        await program.kill()
        async with rig.installation.opened():
            await rig.installation.rows(
                "UPDATE tickets SET status = 'resolved', resolved_at = received_at WHERE number % 2 = 0"
            )
            waiting = "(SELECT id FROM tickets WHERE number = 2)"
            await rig.installation.rows(
                "UPDATE deliveries SET state = 'pending', delivered_at = NULL, next_attempt_at = created_at "
                f"WHERE ticket_id IN {waiting}"
            )
        for name in ("team0", "team1"):  # whichever that one's is: what it owes stays owed
            rig.slack.forget(name)
        for n, point in enumerate(RETENTION):
            rig.set_clock((3 + n) * DAY)  # a sweep that was cut off is made up for at the next one's time
            program = await rig.launch("serve", options=("--hurry", "--kill-at", point, *rig.clock_options))
            await killed(program, point)
        rig.set_clock(30 * DAY)
        await rig.start("serve", options=("--hurry", *rig.clock_options))

        async def erased() -> bool:
            return await rig.ledger.number("SELECT count(*) FROM raw_chunks") == 0

        await until_async(erased, "all raw mail is erased")
        await rig.running[-1].kill()
        left = [row[0] for row in await rig.ledger.rows("SELECT number FROM tickets ORDER BY number")]
        assert left == [1, 2, 3, 5, 7, 9]
        for orphans in (
            "SELECT count(*) FROM ticket_messages WHERE ticket_id NOT IN (SELECT id FROM tickets)",
            "SELECT count(*) FROM deliveries WHERE ticket_id NOT IN (SELECT id FROM tickets)",
            "SELECT count(*) FROM messages WHERE id NOT IN (SELECT message_id FROM ticket_messages)",
            "SELECT count(*) FROM messages WHERE id NOT IN (SELECT message_id FROM message_contents)",
        ):
            assert await rig.ledger.number(orphans) == 0, orphans
        texts = await rig.ledger.rows("SELECT text, attachments FROM message_contents")
        assert len(texts) == len(left)
        assert all("A dot first" in text and json.loads(attachments) == [] for text, attachments in texts)
