"""After a kill between a request and the record of its outcome, the post shows the last state."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.support.discord import DiscordStandIn
from tests.support.manual_delivery import shown_state
from tests.support.postgres import PostgresServer
from tests.system.crash.system_under_test import SystemUnderTest, system_under_test
from tests.system.crash.test_named_points import assert_killed


async def run_twice(system: SystemUnderTest) -> None:
    """Runs the program until it is killed after its first request, then until everything is delivered."""
    program = await system.launch("serve", options=("--kill-at", "posted"))
    await assert_killed(program, "posted")
    program = await system.start()
    await system.wait_delivered()
    assert await program.terminate() == 0


async def test_killed_after_a_request(kind: str, server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    async with system_under_test(kind, tmp_path, server, aliases=1) as system, DiscordStandIn() as discord:
        installation = system.installation
        async with installation.open_database():
            settings = installation.core.box.encrypt(json.dumps({"webhookUrl": discord.url()}))
            await installation.execute(
                "UPDATE integrations SET type = 'discord', encrypted_settings = :settings", settings=settings
            )
            ticket_id = await installation.accept_ticket(None, "team0")
        await run_twice(system)
        assert [post.method for post in discord.posts] == ["POST", "POST"]

        async with installation.open_database():
            await installation.tickets.set_status(installation.actor, ticket_id, "waiting")
        await run_twice(system)
        assert [post.method for post in list(discord.posts)[2:]] == ["PATCH", "PATCH"]
        assert [shown_state(message)["Status"] for message in discord.messages.values()] == ["Open", "Waiting"]
