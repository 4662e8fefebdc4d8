"""Restarts under load, as the pages in docs describe them, refuse no connection and lose or duplicate no message."""

from contextlib import AsyncExitStack
from pathlib import Path

from tests.support.installation import Installation, migrated_installation
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.system.restart.kept_socket import KeptSockets
from tests.system.restart.load import RequestResults, SenderLoad, send_requests_under_load, under_load

# `wait_for_more` allows the senders twice this number, so they are still sending when a restart begins.
MESSAGES_BETWEEN_RESTARTS = 30


async def test_serve_on_sqlite_with_the_socket_kept(tmp_path: Path, slack: SlackStandIn) -> None:
    async with (
        migrated_installation(tmp_path, slack) as installation,
        KeptSockets(tmp_path) as kept,
        AsyncExitStack() as programs,
    ):
        settings = installation.settings
        program = await programs.enter_async_context(kept.program("serve", settings, tmp_path))
        await program.ready()
        async with under_load(kept.smtp) as load, send_requests_under_load(kept.api, load) as requests:
            for _ in range(3):
                await load.wait_for_more(MESSAGES_BETWEEN_RESTARTS)
                assert await program.terminate() == 0
                program = await programs.enter_async_context(kept.program("serve", settings, tmp_path))
                await program.ready()
            await load.wait_for_more(MESSAGES_BETWEEN_RESTARTS)
        await slack.wait_for(len(load.accepted), accepted=True, timeout=60)
        await program.terminate()
        await _assert_nothing_lost_or_duplicated(load, requests, installation, slack)


async def test_roles_over_postgresql_in_turn(tmp_path: Path, slack: SlackStandIn, postgres_url: str) -> None:
    async with (
        migrated_installation(tmp_path, slack, postgres_url) as installation,
        KeptSockets(tmp_path) as kept,
        AsyncExitStack() as programs,
    ):
        settings = installation.settings

        async def start(role: str) -> Program:
            started = await programs.enter_async_context(kept.program(role, settings, tmp_path))
            await started.ready()
            return started

        running = {role: await start(role) for role in ("smtp", "api", "deliver")}
        async with under_load(kept.smtp) as load, send_requests_under_load(kept.api, load) as requests:
            for role in ("smtp", "api", "deliver", "smtp", "api"):
                await load.wait_for_more(MESSAGES_BETWEEN_RESTARTS)
                assert await running[role].terminate() == 0
                running[role] = await start(role)
            await load.wait_for_more(MESSAGES_BETWEEN_RESTARTS)
        await slack.wait_for(len(load.accepted), accepted=True, timeout=60)
        for program in running.values():
            await program.terminate()
        await _assert_nothing_lost_or_duplicated(load, requests, installation, slack)


async def _assert_nothing_lost_or_duplicated(
    load: SenderLoad, requests: RequestResults, installation: Installation, slack: SlackStandIn
) -> None:
    assert load.rejected == []
    assert requests.unanswered == []
    assert requests.answered > 0
    kept = await installation.execute(
        "SELECT m.rfc_message_id, m.id, COUNT(*) AS tickets FROM messages m "
        "JOIN ticket_messages tm ON tm.message_id = m.id GROUP BY m.rfc_message_id, m.id"
    )
    assert {row["rfc_message_id"]: row["id"] for row in kept} == {
        message_id.strip("<>"): reply_id for message_id, reply_id in load.accepted.items()
    }
    assert len(kept) == len(load.accepted)
    assert {row["tickets"] for row in kept} == {1}
    # A drain records the outcome of every attempt, so nothing is sent twice.
    assert len(slack.accepted_posts()) == len(load.accepted) == await installation.count_rows("attempts")
    assert await installation.count_rows("deliveries", "state = 'delivered'") == len(load.accepted)
