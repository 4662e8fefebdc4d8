"""Concurrent changes: both take effect or one is refused, and none fails with an internal error.

SQLite runs one write transaction at a time, so these tests run on PostgreSQL only.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from router.channels import CHANNELS
from router.contents.store import ContentStore
from router.errors import Refused, SerializationConflict
from router.model import Actor
from router.store.erasure import erase_ticket
from router.store.postgres import PostgresExecutor
from tests.support.installation import Installation, seeded_installation
from tests.support.postgres import PostgresServer, wait_until_blocked
from tests.support.refusal import refused_code
from tests.support.stores import postgres_store
from tests.support.telegraph import TELEGRAPH

PASSWORD = "correct horse battery"
Interleave = Callable[[Awaitable[object], Coroutine[Any, Any, object]], Awaitable[object]]


@pytest.fixture
async def installation(postgres_server: PostgresServer) -> AsyncIterator[Installation]:
    async with postgres_store(postgres_server) as store, seeded_installation(store) as found:
        yield found


@pytest.fixture
def interleave(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Interleave:
    """`interleave(one, other)` starts `other` before the first write of `one`.

    `one` continues when `other` ends or waits for a lock.
    """
    writes = PostgresExecutor.execute, PostgresExecutor.execute_statement

    async def run_interleaved(one: Awaitable[object], other: Coroutine[Any, Any, object]) -> object:
        started: list[asyncio.Task[object]] = []

        def start_before(write: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
            async def first_write(session: PostgresExecutor, *args: object, **values: object) -> object:
                if not started:
                    started.append(asyncio.create_task(other))
                    await wait_until_done_or_blocked(installation, started[0])
                return await write(session, *args, **values)

            return first_write

        for write in writes:
            monkeypatch.setattr(PostgresExecutor, write.__name__, start_before(write))
        try:
            return await one
        finally:
            await asyncio.gather(*started)

    return run_interleaved


async def wait_until_done_or_blocked(installation: Installation, task: asyncio.Task[object]) -> None:
    blocked = asyncio.create_task(wait_until_blocked(installation.execute))
    await asyncio.wait([task, blocked], return_when=asyncio.FIRST_COMPLETED)
    blocked.cancel()


async def test_concurrent_changes_of_an_alias_are_both_kept(installation: Installation, interleave: Interleave) -> None:
    alias_id, elsewhere = installation.aliases["support"], await installation.add_integration("elsewhere")
    aliases = installation.services.aliases
    await interleave(
        aliases.change(installation.actor, alias_id, status="disabled"),
        aliases.change(installation.actor, alias_id, integration_id=elsewhere),
    )
    alias = await aliases.get(installation.actor, alias_id)
    assert (alias.status, alias.integration_id) == ("disabled", elsewhere)


async def test_concurrent_changes_of_an_integration_are_both_kept(
    installation: Installation, interleave: Interleave
) -> None:
    integrations = installation.services.integrations
    integration_id = installation.integration_id
    before = await integrations.get(installation.actor, integration_id)
    url = {"webhookUrl": "http://127.0.0.1:9/services/T0/B0/another"}
    await interleave(
        integrations.change(installation.actor, integration_id, name="Renamed"),
        integrations.change(installation.actor, integration_id, settings=url),
    )
    after = await integrations.get(installation.actor, integration_id)
    assert after.name == "Renamed"
    assert (after.hint, after.encrypted_settings) != (before.hint, before.encrypted_settings)


async def test_concurrent_changes_of_settings_are_both_kept(
    installation: Installation, interleave: Interleave, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHANNELS, TELEGRAPH.kind, TELEGRAPH)
    integrations, actor = installation.services.integrations, installation.actor
    settings = {"lineUrl": "https://telegraph.test/a", "station": "Kiel"}
    made = await integrations.create(actor, type=TELEGRAPH.kind, name="Post", settings=settings)
    await interleave(
        integrations.change(actor, made.id, settings={"station": "Bremen"}),
        integrations.change(actor, made.id, settings={"callSign": "DL1ABC"}),
    )
    assert (await integrations.get(actor, made.id)).settings == {"station": "Bremen", "callSign": "DL1ABC"}


async def test_adding_a_note_while_the_ticket_is_erased(installation: Installation, interleave: Interleave) -> None:
    ticket_id = await installation.accept_ticket()
    tickets = installation.services.tickets
    await interleave(
        tickets.notes.add(installation.actor, ticket_id, "Hello"), tickets.delete(installation.actor, ticket_id)
    )
    with pytest.raises(Refused, match="Ticket not found"):
        await tickets.notes.add(installation.actor, ticket_id, "Hello")


async def test_two_admins_cannot_remove_each_other(installation: Installation, interleave: Interleave) -> None:
    users = installation.services.users
    one, other = [(await installation.add_actor("admin")).user_id or "" for _ in range(2)]
    with pytest.raises(Refused, match="last admin"):
        await interleave(
            users.delete(installation.actor, other),
            users.change(installation.actor, one, role="viewer"),
        )
    admins = [user.id for user in (await users.list(installation.actor)).items if user.role == "admin"]
    assert len(admins) == 1


async def test_creating_a_key_while_its_user_is_deleted(installation: Installation, interleave: Interleave) -> None:
    staying, _ = await installation.add_user_with_key()
    user_id, _ = await installation.add_user_with_key()
    services = installation.services
    await interleave(
        services.keys.create(installation.actor, name="late", user_id=user_id),
        services.users.delete(installation.actor, user_id),
    )
    keys = await services.keys.list(installation.actor)
    assert [key.user_id for key in keys.items] == [staying]


async def test_assigning_a_ticket_while_the_user_is_deleted(installation: Installation, interleave: Interleave) -> None:
    ticket_id = await installation.accept_ticket()
    user_id, _ = await installation.add_user_with_key()
    services = installation.services
    await interleave(
        services.tickets.assign(installation.actor, ticket_id, user_id),
        services.users.delete(installation.actor, user_id),
    )
    (ticket,) = (await services.tickets.list(installation.actor)).items
    assert (ticket.assigned_to, ticket.status) == (None, "open")


async def test_reading_a_message_while_it_is_erased(installation: Installation) -> None:
    message_id = await installation.accept_message()
    ((ticket_id,),) = (row.values() for row in await installation.execute("SELECT id FROM tickets"))
    contents = ContentStore(installation.database, installation.core.writers, installation.clock)
    async with installation.database.transaction() as transaction:
        await erase_ticket(transaction, str(ticket_id))
        reading = asyncio.create_task(contents.get(message_id))
        await wait_until_done_or_blocked(installation, reading)
    assert (await reading).text == "It does not open any more."
    await contents.close()


async def test_renaming_a_user_keeps_a_concurrent_password_change(
    installation: Installation, interleave: Interleave
) -> None:
    users = installation.services.users
    user = await users.create(installation.actor, email="bob@example.org", password=PASSWORD)
    own = Actor(user.workspace_id, "agent", user_id=user.id)
    await interleave(
        users.change(installation.actor, user.id, name="Bob"),
        installation.services.sessions.change_password(own, current=PASSWORD, new="another password"),
    )
    await installation.services.sessions.sign_in("bob@example.org", "another password", address="")
    assert (await users.get(installation.actor, user.id)).name == "Bob"


async def test_a_replay_concurrent_with_the_deliverer(installation: Installation) -> None:
    """The deliverer and a replay lock the integration and the delivery in opposite orders."""
    await installation.accept_ticket()
    delivery = (await installation.services.deliveries.list(installation.actor)).items[0]
    await installation.execute("UPDATE integrations SET status = 'failing', probe_at = 1 RETURNING id")
    opened = 1
    try:
        async with installation.database.transaction() as transaction:
            await transaction.execute("dispatch_set_pace", id=installation.integration_id, paced_at=1)
            replaying = asyncio.create_task(
                installation.services.deliveries.replay_many(installation.actor, state="pending")
            )
            await wait_until_done_or_blocked(installation, replaying)
            await transaction.fetch_one("dispatch_begin_attempt", id=delivery.id, until=installation.clock.now() + 1)
    except SerializationConflict:
        # On a stalled machine, PostgreSQL can abort the deliverer instead of the replay. The deliverer would retry.
        opened = 0
    assert await replaying == 1 - opened  # a delivery that is being sent is not replayed
    assert (await installation.services.deliveries.get(installation.actor, delivery.id)).delivery.claims == opened


@pytest.mark.parametrize("is_one", [True, False])
async def test_a_replay_while_the_ticket_is_marked_as_spam(
    installation: Installation, interleave: Interleave, is_one: bool
) -> None:
    ticket_id = await installation.accept_ticket()
    deliveries = installation.services.deliveries
    (delivery,) = (await deliveries.list(installation.actor)).items
    await installation.database.execute("dispatch_mark_dead", id=delivery.id, reason="gave up")

    async def replay() -> None:
        if is_one:
            assert await refused_code(deliveries.replay(installation.actor, delivery.id)) == ("conflict", None)
        else:
            assert await deliveries.replay_many(installation.actor) == 0

    marking = installation.services.spam.mark(installation.actor, ticket_id, spam=True)
    await interleave(marking, replay())
    assert (await deliveries.get(installation.actor, delivery.id)).delivery.state == "dead"


async def test_a_merge_does_not_restore_a_tag_that_is_being_removed(
    installation: Installation, interleave: Interleave
) -> None:
    tags, actor = installation.tickets.tags, installation.actor
    ticket_id = await installation.accept_ticket()
    await tags.tag_ticket(actor, ticket_id, add=["a"])
    await tags.tag_ticket(actor, await installation.accept_ticket(), add=["b"])
    merged = tags.change(actor, (await tags.find(actor, "a")).tag.id, name="b")
    await interleave(tags.tag_ticket(actor, ticket_id, remove=["a"]), merged)
    assert (await installation.tickets.get(actor, ticket_id)).ticket.tags == ()
