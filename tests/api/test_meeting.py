"""What two people do at the same moment: nothing is undone by the other, and nothing is a fault.

On PostgreSQL two transactions run beside each other; `meeting` lets one happen between what another has read and what
it writes. On SQLite there is no such moment, so these are about PostgreSQL unless they take both.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from router.admin.access import sessions
from router.admin.access.users import hashed_password
from router.contents.store import ContentStore
from router.errors import Contended, Refused
from router.model import Actor
from router.store.erasure import erase_ticket
from router.store.postgres import PostgresSession
from tests.support.installation.http import PASSWORD, ServedInstallation, serving
from tests.support.postgres import PostgresServer
from tests.support.stores import opened_postgres

Meet = Callable[[Awaitable[object], Coroutine[Any, Any, object]], Awaitable[object]]


@pytest.fixture
async def served(postgres_server: PostgresServer) -> AsyncIterator[ServedInstallation]:
    """An API on PostgreSQL."""
    async with opened_postgres(postgres_server) as store, serving(store) as found:
        yield found


@pytest.fixture
def meet(served: ServedInstallation, monkeypatch: pytest.MonkeyPatch) -> Meet:
    """`await meet(one, other)`: `other` happens just before `one` first writes, or then waits for it to end."""
    run = PostgresSession.run

    async def meeting(one: Awaitable[object], other: Coroutine[Any, Any, object]) -> object:
        begun: list[asyncio.Task[object]] = []

        async def first_write(session: PostgresSession, query: str, /, **values: object) -> int:
            if not begun:
                begun.append(asyncio.create_task(other))
                await happened_or_waits(served, begun[0])
            return await run(session, query, **values)

        monkeypatch.setattr(PostgresSession, "run", first_write)
        try:
            return await one
        finally:
            await asyncio.gather(*begun)

    return meeting


async def happened_or_waits(served: ServedInstallation, task: asyncio.Task[object]) -> None:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while not task.done() and not await served.rows(waiting):  # noqa: ASYNC110 - the server knows
            await asyncio.sleep(0.005)


async def test_two_changes_of_an_alias_both_hold(served: ServedInstallation, meet: Meet) -> None:
    _, _, alias_id = await served.alias()
    elsewhere = await served.integration()
    aliases = served.services.aliases
    await meet(
        aliases.change(served.actor, alias_id, status="disabled"),
        aliases.change(served.actor, alias_id, integration_id=elsewhere),
    )
    alias = await aliases.get(served.actor, alias_id)
    assert (alias.status, alias.integration_id) == ("disabled", elsewhere)


async def test_two_changes_of_an_integration_both_hold(served: ServedInstallation, meet: Meet) -> None:
    integration_id = await served.integration()
    integrations = served.services.integrations
    before = await integrations.get(served.actor, integration_id)
    url = {"webhookUrl": "http://127.0.0.1:9/services/T0/B0/another"}
    await meet(
        integrations.change(served.actor, integration_id, name="Renamed"),
        integrations.change(served.actor, integration_id, settings=url),
    )
    after = await integrations.get(served.actor, integration_id)
    assert after.name == "Renamed"
    assert (after.hint, after.sealed_settings) != (before.hint, before.sealed_settings)


async def test_a_note_on_a_ticket_that_is_erased(served: ServedInstallation, meet: Meet) -> None:
    await served.alias()
    ticket_id = await served.ticket()
    tickets = served.services.tickets
    await meet(tickets.note(served.actor, ticket_id, "Hello"), tickets.delete(served.actor, ticket_id))
    with pytest.raises(Refused, match="Ticket not found"):
        await tickets.note(served.actor, ticket_id, "Hello")


async def test_two_admins_cannot_remove_each_other(served: ServedInstallation, meet: Meet) -> None:
    users = served.services.users
    _, other_id = await served.person("admin")
    with pytest.raises(Refused, match="last admin"):
        await meet(
            users.delete(served.actor, other_id),
            users.change(served.actor, served.login.user_id, role="viewer"),
        )
    admins = [user.id for user in (await users.list(served.actor)).items if user.role == "admin"]
    assert len(admins) == 1


async def test_a_key_for_a_user_who_is_removed(served: ServedInstallation, meet: Meet) -> None:
    _, user_id = await served.person("agent")
    services = served.services
    await meet(
        services.keys.create(served.actor, name="late", user_id=user_id),
        services.users.delete(served.actor, user_id),
    )
    keys = await services.keys.list(served.actor)
    assert [key.user_id for key in keys.items] == [served.login.user_id]


async def test_a_ticket_for_a_user_who_is_removed(served: ServedInstallation, meet: Meet) -> None:
    await served.alias()
    ticket_id = await served.ticket()
    _, user_id = await served.person("agent")
    services = served.services
    await meet(
        services.tickets.assign(served.actor, ticket_id, user_id),
        services.users.delete(served.actor, user_id),
    )
    (ticket,) = (await services.tickets.list(served.actor)).items
    assert (ticket.assigned_to, ticket.status) == (None, "open")


async def test_a_mail_that_is_erased_while_it_is_read(served: ServedInstallation) -> None:
    await served.alias()
    message_id = await served.mail()
    ((ticket_id,),) = (row.values() for row in await served.rows("SELECT id FROM tickets"))
    contents = ContentStore(served.database, served.clock)
    async with served.database.transaction() as session:
        await erase_ticket(session, str(ticket_id))
        reading = asyncio.create_task(contents.of(message_id))
        await happened_or_waits(served, reading)
    assert (await reading).text == "It does not open any more."
    await contents.close()


async def test_a_ticket_that_is_erased_while_its_delivery_ends(served: ServedInstallation) -> None:
    """The deliverer writes the attempt, then the delivery: who erases both must not have begun with the delivery."""
    await served.alias()
    ticket_id = await served.ticket()
    delivery = (await served.services.deliveries.list(served.actor)).items[0]
    await served.database.run("dispatch_attempt", delivery_id=delivery.id, n=1, started_at=1)
    async with served.database.transaction() as session:
        ended = {"finished_at": 2, "outcome": "sent", "status": 200, "latency": 1, "answer": "ok"}
        await session.run("dispatch_attempted", delivery_id=delivery.id, n=1, **ended)
        erasing = asyncio.create_task(served.services.tickets.delete(served.actor, ticket_id))
        await happened_or_waits(served, erasing)
        await session.run("dispatch_delivered", id=delivery.id, now=2, via="message")
    await erasing
    assert await served.rows("SELECT 1 FROM attempts") == []


async def test_who_is_removed_takes_no_ticket(served: ServedInstallation) -> None:
    """Removed between what the key was asked and what it does."""
    await served.alias()
    ticket_id = await served.ticket()
    _, user_id = await served.person("agent")
    gone = Actor(served.actor.workspace_id, "agent", user_id=user_id)
    await served.services.users.delete(served.actor, user_id)
    for take in (
        served.services.tickets.claim(gone, ticket_id),
        served.services.tickets.set_status(gone, ticket_id, "in_progress"),
    ):
        with pytest.raises(Refused) as refused:
            await take
        assert refused.value.code == "unauthorized"
    (ticket,) = (await served.services.tickets.list(served.actor)).items
    assert (ticket.assigned_to, ticket.status) == (None, "open")


async def test_a_new_password_undoes_nothing(served: ServedInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    """An admin demotes and disables somebody while their own new password is being hashed."""
    users = served.services.users
    user = await users.create(served.actor, email="bob@example.org", role="admin", password=PASSWORD)

    async def slow(password: str) -> str:
        await users.change(served.actor, user.id, role="viewer", disabled=True)
        return await hashed_password(password)

    monkeypatch.setattr(sessions, "hashed_password", slow)
    own = Actor(user.workspace_id, "admin", user_id=user.id)
    with pytest.raises(Refused) as refused:
        await served.services.sessions.change_password(own, current=PASSWORD, new="another password")
    assert refused.value.field == "currentPassword"
    found = await users.get(served.actor, user.id)
    assert (found.role, found.disabled_at is not None) == ("viewer", True)
    assert found.password_hash == user.password_hash


async def test_a_change_of_the_name_keeps_a_new_password(served: ServedInstallation, meet: Meet) -> None:
    users = served.services.users
    user = await users.create(served.actor, email="bob@example.org", password=PASSWORD)
    own = Actor(user.workspace_id, "agent", user_id=user.id)
    await meet(
        users.change(served.actor, user.id, name="Bob"),
        served.services.sessions.change_password(own, current=PASSWORD, new="another password"),
    )
    await served.services.sessions.login("bob@example.org", "another password", address="")
    assert (await users.get(served.actor, user.id)).name == "Bob"


@pytest.mark.parametrize("change", ["removed", "disabled", "password"])
async def test_nobody_signs_in_as_who_they_were(served: ServedInstallation, change: str) -> None:
    """Something changes between the password's proof and the session."""
    users = served.services.users
    user = await users.create(served.actor, email="bob@example.org", password=PASSWORD)
    if change == "removed":
        await users.delete(served.actor, user.id)
    elif change == "disabled":
        await users.change(served.actor, user.id, disabled=True)
    else:
        await users.change(served.actor, user.id, password="another password")
    with pytest.raises(Refused) as refused:
        await served.services.sessions.begin(user, address="")
    assert refused.value.code == "unauthorized"
    assert await served.rows(f"SELECT 1 FROM sessions WHERE user_id = '{user.id}'") == []


async def test_guessing_at_once_is_guessing_too(sqlite_served: ServedInstallation) -> None:
    """Who sends a hundred guesses at the same moment gets no more of them answered than who sends them in turn."""
    wrong = {"email": "admin@example.org", "password": "a guess of mine"}
    answers = await asyncio.gather(*(sqlite_served.nobody.post("/auth/login", wrong) for _ in range(40)))
    looked_at = [answer.status for answer in answers if answer.status == 401]
    assert len(looked_at) <= sessions.BY_ACCOUNT.requests + sessions.VERIFYING_AT_ONCE - 1
    assert {answer.status for answer in answers} == {401, 429}


async def test_a_replay_meets_the_deliverer(served: ServedInstallation) -> None:
    """The deliverer holds the integration, then takes the delivery: a replay goes about it the other way."""
    _, integration_id, _ = await served.alias()
    await served.ticket()
    delivery = (await served.services.deliveries.list(served.actor)).items[0]
    await served.rows("UPDATE integrations SET status = 'failing', probe_at = 1 RETURNING id")
    opened = 1
    try:
        async with served.database.transaction() as session:
            await session.run("dispatch_paced", id=integration_id, paced_at=1)
            replaying = asyncio.create_task(served.services.deliveries.replay_many(served.actor, state="pending"))
            await happened_or_waits(served, replaying)
            await session.one("dispatch_open", id=delivery.id, until=served.clock.now() + 1)
    except Contended:
        # The server looks for a deadlock when somebody has waited for a second: on a machine that stood still for so
        # long it is the deliverer that is ended, and comes again. The replay is answered all the same.
        opened = 0
    assert await replaying == 1 - opened  # what is being sent is left alone
    assert (await served.services.deliveries.get(served.actor, delivery.id)).delivery.claims == opened
