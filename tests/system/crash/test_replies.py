"""A kill while a reply is sent neither loses the reply nor sends it twice, except after its final dot."""

from collections.abc import Callable
from pathlib import Path

from tests.support.postgres import PostgresServer
from tests.support.replies import queue_reply
from tests.support.smarthost import ScriptedSmarthost
from tests.system.crash.system_under_test import system_under_test
from tests.system.crash.test_named_points import REPLIES, assert_killed, select_points

# At these points the smarthost has accepted the reply, and the program does not know.
AFTER_DOT = frozenset({"reply-submitted", "reply-closed"})


async def test_killed_while_sending_a_reply(kind: str, server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    async with (
        ScriptedSmarthost() as smarthost,
        system_under_test(
            kind, tmp_path, server, aliases=1, webhooks=["support"], settings={"outgoing.smarthost": smarthost.url}
        ) as system,
    ):
        async with system.installation.open_database():
            reply = await queue_reply(system.installation, await system.installation.accept_ticket())
        accepted = 0
        for point in select_points(kind, REPLIES):
            program = await system.launch("deliver", options=("--kill-at", point))
            await assert_killed(program, point)
            accepted += point in AFTER_DOT or point == "reply-recorded"
            assert len(smarthost.accepted) == accepted, point
        program = await system.start("deliver")
        await system.wait_delivered()
        assert await program.terminate() == 0
        is_recorded = "reply-recorded" in select_points(kind, REPLIES)
        assert len(smarthost.accepted) == accepted + (not is_recorded)
        assert len({transaction.content for transaction in smarthost.accepted}) == 1  # also the same Message-ID
        rows = await system.database.rows("SELECT state FROM replies")
        assert rows == [("sent",)], reply.id
