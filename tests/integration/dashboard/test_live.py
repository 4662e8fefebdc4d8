"""Event streams report changes, are limited, and end with their client or the process."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from api.dashboard.change_feed import CHANGE_FEED, MAX_STREAMS_PER_USER, ChangeFeed
from api.dashboard.views import live as live_view
from router.admin.installation.attention import CACHE_SECONDS
from router.admin.tickets.tickets import TicketService
from router.errors import Unavailable
from tests.support import mails
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.stores import sqlite_store


@asynccontextmanager
async def open_stream(served: ServedInstallation, seen: str = "~") -> AsyncIterator[aiohttp.ClientResponse]:
    client = await signed_in_client(served, "viewer")
    cookie = {"Cookie": f"er_session={client.cookies['er_session']}"}
    async with served.session.get(f"{served.root}/live?seen={seen}", headers=cookie) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        yield response


async def wait_for_change(response: aiohttp.ClientResponse) -> None:
    async with asyncio.timeout(10):
        async for line in response.content:
            if line == b"event: changed\n":
                return
    raise AssertionError("the stream ended")


async def test_a_claim_is_seen_within_a_second(served: ServedInstallation) -> None:
    """Two agents in their browsers, then a claim through another process. The machine may be slow for a moment."""
    await served.create_alias()
    ticket = await served.accept_ticket()
    path = f"{served.root}/live?seen={max(await served.services.tickets.list_newest_ids(served.actor))}"
    grace, alan = [await signed_in_client(served, "agent", f"{name}@people.test") for name in ("grace", "alan")]
    loop = asyncio.get_running_loop()

    async def claim_in_another_process() -> None:
        await served.services.tickets.claim(served.actor, ticket)

    cookie = {"Cookie": f"er_session={alan.cookies['er_session']}"}
    async with served.session.get(path, headers=cookie) as response:
        for change in (partial(grace.post, f"/tickets/{ticket}/claim"), claim_in_another_process):
            for _ in range(3):
                started = loop.time()
                await change()
                await wait_for_change(response)
                seconds = loop.time() - started
                await served.services.tickets.unclaim(served.actor, ticket)
                await wait_for_change(response)
                if seconds < 1:
                    break
            else:
                pytest.fail("no claim was seen within a second")


async def test_a_request_that_changes_something_is_reported_without_a_poll(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket = await served.accept_ticket()
    newest = max(await served.services.tickets.list_newest_ids(served.actor))
    monkeypatch.setattr(served.server._app[CHANGE_FEED], "_poll_seconds", 3600)
    async with open_stream(served, newest) as response:
        assert await response.content.readline() == b"retry: 2000\n"
        for action, body in (("claim", None), ("notes", {"text": "Called back."})):
            reply = await served.admin.post(f"/emails/tickets/{ticket}/{action}", body)
            assert reply.status // 100 == 2, reply.body
            await wait_for_change(response)


async def test_new_messages_and_notes_cause_events(served: ServedInstallation) -> None:
    await served.create_alias()
    ticket = await served.accept_ticket()
    newest = max(await served.services.tickets.list_newest_ids(served.actor))
    async with open_stream(served, newest) as response:
        await served.accept_message(mails.plain(subject="Another"))
        await wait_for_change(response)
        await served.services.tickets.notes.add(served.actor, ticket, "Called back.")
        await wait_for_change(response)


async def test_changes_of_tags_cause_events_and_new_versions(served: ServedInstallation) -> None:
    await served.create_alias()
    ticket, client = await served.accept_ticket(), await signed_in_client(served, "agent")
    tags = served.services.tickets.tags
    await tags.tag_ticket(served.actor, ticket, add=["a", "b"])
    a, b = [(await tags.find(served.actor, name)).tag.id for name in ("a", "b")]
    newest = max(await served.services.tickets.list_newest_ids(served.actor))
    seen: set[tuple[str, ...]] = set()
    async with open_stream(served, newest) as response:
        for change in (
            tags.change(served.actor, a, name="c"),
            tags.change(served.actor, a, color="#112233"),
            tags.change(served.actor, a, name="b"),
            tags.delete(served.actor, b),
        ):
            await change
            await wait_for_change(response)
            for path in (f"/tickets/{ticket}", "/tickets"):
                versions = re.findall('data-version="([0-9]+ open[^"]*)"', (await client.get(path)).text)
                seen.add((path, *versions))
    assert len(seen) == 8


async def test_stream_outlives_request_timeout(tmp_path: Path) -> None:
    """The events are further apart than the request timeout."""
    async with sqlite_store(tmp_path) as store, serve_api(store, served_settings(request_timeout="500ms")) as served:
        await served.create_alias()
        headers = {"Authorization": f"Bearer {served.login.key}"}
        async with served.session.get(f"{served.root}/live?seen=0", headers=headers) as response:
            assert response.status == 200
            for _ in range(3):
                await served.accept_ticket()
                await wait_for_change(response)


async def test_changes_before_the_stream_cause_an_event(sqlite_served: ServedInstallation) -> None:
    await sqlite_served.create_alias()
    await sqlite_served.accept_message()
    async with open_stream(sqlite_served, "0") as response:
        await wait_for_change(response)


async def test_attention_changes_cause_an_event(sqlite_served: ServedInstallation) -> None:
    served, workspace = sqlite_served, sqlite_served.actor.workspace_id
    attention = served.services.attention
    shown = (await attention.get_counts(served.actor)).fingerprint
    feed = ChangeFeed(served.services.tickets, attention, poll_seconds=0.001)
    stream = feed.open_stream(workspace, "~", attention_shown=shown)
    await served.services.domains.create(served.actor, "help.example.com")
    served.clock.advance(CACHE_SECONDS)
    async with asyncio.timeout(10):
        await stream.changed.wait()
        # The stream of a page that still shows the old state is notified at once.
        await feed.open_stream(workspace, "~", attention_shown=shown).changed.wait()
    current = feed.open_stream(workspace, "~", attention_shown=(await attention.get_counts(served.actor)).fingerprint)
    current.update_attention((await attention.get_counts(served.actor)).fingerprint)
    assert not current.changed.is_set()
    await feed.close()


async def test_other_workspaces_get_no_event(served: ServedInstallation) -> None:
    _, other = await served.create_workspace()
    await served.create_alias()
    await served.accept_ticket()
    assert len(await served.services.tickets.list_newest_ids(served.actor)) == 1
    assert await served.services.tickets.list_newest_ids(other) == frozenset()
    assert set(await served.services.tickets.list_newest_ids_by_workspace()) == {served.actor.workspace_id}


async def test_one_task_while_streams_are_open(sqlite_served: ServedInstallation) -> None:
    feed = ChangeFeed(
        sqlite_served.services.tickets, sqlite_served.services.attention, poll_seconds=0.001, max_streams=3
    )
    one, two = feed.open_stream("ws_1", "0"), feed.open_stream("ws_1", "0")
    third = feed.open_stream("ws_2", "0")
    (polling_task,) = (task for task in asyncio.all_tasks() if task.get_name() == "live updates")
    with pytest.raises(Unavailable):
        feed.open_stream("ws_1", "0")
    feed.close_stream("ws_1", one)
    assert feed.stream_count == 2
    feed.close_stream("ws_1", two)
    assert feed.stream_count == 1
    assert not polling_task.cancelling()
    feed.close_stream("ws_2", third)
    await asyncio.wait({polling_task})
    assert feed.stream_count == 0
    await feed.close()
    with pytest.raises(Unavailable):
        feed.open_stream("ws_1", "0")


async def test_streams_are_limited_per_user(sqlite_served: ServedInstallation) -> None:
    feed = ChangeFeed(sqlite_served.services.tickets, sqlite_served.services.attention)
    streams = [feed.open_stream("ws_1", "0", "user_1") for _ in range(MAX_STREAMS_PER_USER)]
    with pytest.raises(Unavailable):
        feed.open_stream("ws_1", "0", "user_1")
    feed.open_stream("ws_1", "0", "user_2")
    feed.close_stream("ws_1", streams[0])
    feed.open_stream("ws_1", "0", "user_1")
    await feed.close()


async def test_disconnected_client_frees_its_stream(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_view, "DISCONNECT_CHECK_SECONDS", 0.01)
    feed = sqlite_served.server._app[CHANGE_FEED]
    async with open_stream(sqlite_served) as response:
        assert await response.content.readline() == b"retry: 2000\n"
        assert feed.stream_count == 1
        response.close()
    async with asyncio.timeout(10):  # The first heartbeat, after 15 s, would also detect the disconnect.
        while feed.stream_count:  # noqa: ASYNC110 - the server sends no notification
            await asyncio.sleep(0.01)


async def test_stream_does_not_wait_for_a_body(sqlite_served: ServedInstallation) -> None:
    client = await signed_in_client(sqlite_served, "viewer")
    reader, writer = await asyncio.open_connection(*sqlite_served.server.address)
    head = f"GET /live HTTP/1.1\r\nHost: x\r\nCookie: er_session={client.cookies['er_session']}\r\nContent-Length: 9"
    writer.write(f"{head}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
    writer.close()


async def test_internal_error_closes_streams(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("the inside")

    feed = ChangeFeed(sqlite_served.services.tickets, sqlite_served.services.attention, poll_seconds=0.001)
    monkeypatch.setattr(TicketService, "list_newest_ids_by_workspace", fails)
    stream = feed.open_stream(sqlite_served.actor.workspace_id, "0")
    async with asyncio.timeout(10):
        await stream.changed.wait()
    assert stream.is_closed
    monkeypatch.undo()
    await sqlite_served.create_alias()
    await sqlite_served.accept_message()
    again = feed.open_stream(sqlite_served.actor.workspace_id, "0")
    feed.close_stream(sqlite_served.actor.workspace_id, stream)
    async with asyncio.timeout(10):
        await again.changed.wait()
    assert not again.is_closed
    await feed.close()


async def test_shutdown_does_not_wait_for_streams(sqlite_served: ServedInstallation) -> None:
    async with open_stream(sqlite_served) as response:
        assert await response.content.readline() == b"retry: 2000\n"
        # The grace period exceeds the test's timeout, so stop() returns only if the streams end first.
        await sqlite_served.server.stop(grace=600)
        assert b"event" not in await response.content.read()
