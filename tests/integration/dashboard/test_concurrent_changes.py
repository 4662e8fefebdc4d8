"""Concurrent changes: an admin's change to an account wins, and removed objects are not shown."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from router import secrets
from router.admin.access.sessions import Identity, SessionService
from router.admin.tickets.messages import MessageService
from router.errors import Refused
from router.model import Actor, Message
from tests.support.installation.dashboard import create_user, signed_in_client
from tests.support.installation.http import PASSWORD, ServedInstallation

NEW = "a battery, a horse"
EMAIL = "admin@people.test"


@asynccontextmanager
async def while_verifying(monkeypatch: pytest.MonkeyPatch, asked: Awaitable[Any]) -> AsyncIterator["asyncio.Task[Any]"]:
    """Suspends `asked` after its password check while the body of the `async with` statement runs."""
    verified, go = threading.Event(), threading.Event()
    verify = secrets.verify_password

    def slowly(password: str, stored: str) -> bool:
        right = verify(password, stored)
        verified.set()
        go.wait(30)
        return right

    monkeypatch.setattr(secrets, "verify_password", slowly)
    task = asyncio.ensure_future(asked)
    try:
        await asyncio.to_thread(verified.wait, 30)
        yield task
    finally:
        go.set()
        monkeypatch.setattr(secrets, "verify_password", verify)


async def disable_user(served: ServedInstallation, user: str) -> None:
    await served.services.users.change(served.actor, user, disabled=True)


async def set_password(served: ServedInstallation, user: str) -> None:
    await served.services.users.change(served.actor, user, password="another password")


async def remove_user(served: ServedInstallation, user: str) -> None:
    await served.services.users.delete(served.actor, user)


async def demote_user(served: ServedInstallation, user: str) -> None:
    await served.services.users.change(served.actor, user, role="viewer")


Change = Callable[[ServedInstallation, str], Awaitable[None]]


async def change_password_during(
    served: ServedInstallation, monkeypatch: pytest.MonkeyPatch, change: Change
) -> tuple[str, "asyncio.Task[Any]"]:
    """Makes `change` while a user's own change of password is suspended; returns the user and the resumed task."""
    _, user = await create_user(served, "admin")
    actor = Actor(served.actor.workspace_id, "admin", user_id=user)
    changing = served.services.sessions.change_password(actor, current=PASSWORD, new=NEW)
    async with while_verifying(monkeypatch, changing) as task:
        await change(served, user)
    return user, task


@pytest.mark.parametrize("change", [disable_user, set_password, remove_user])
async def test_password_change_loses_to_admin_action(
    served: ServedInstallation, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    user, task = await change_password_during(served, monkeypatch, change)
    with pytest.raises(Refused):
        await task
    for found in (await served.services.users.list(served.actor)).items:
        assert (found.disabled_at is not None) == (found.id == user and change is disable_user)
    with pytest.raises(Refused):
        await served.services.sessions.sign_in(EMAIL, NEW, address="")


async def test_password_change_does_not_restore_role(
    served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, task = await change_password_during(served, monkeypatch, demote_user)
    await task
    assert (await served.services.users.get(served.actor, user)).role == "viewer"
    assert (await served.services.sessions.sign_in(EMAIL, NEW, address="")).user.role == "viewer"


@pytest.mark.parametrize("change", [disable_user, set_password, remove_user])
async def test_sign_in_loses_to_admin_action(
    served: ServedInstallation, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    _, user = await create_user(served, "admin")
    async with while_verifying(monkeypatch, served.services.sessions.sign_in(EMAIL, PASSWORD, address="")) as task:
        await change(served, user)
    with pytest.raises(Refused) as refused:
        await task
    assert refused.value.message == "Incorrect email or password"
    assert await served.services.sessions.list(Actor(served.actor.workspace_id, "admin", user_id=user)) == ()


async def test_user_removed_during_rendering_is_signed_out(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, me = await signed_in_client(sqlite_served, "viewer"), SessionService.get_identity

    async def removed(sessions: SessionService, actor: Actor) -> Identity:
        await sqlite_served.services.users.delete(sqlite_served.actor, actor.user_id or "")
        return await me(sessions, actor)

    monkeypatch.setattr(SessionService, "get_identity", removed)
    response = await client.get("/account")
    assert (response.status, response.location) == (303, "/sign-in?next=%2Faccount")


async def test_message_erased_during_rendering_is_not_found(
    sqlite_served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sqlite_served.create_alias()
    ticket = await sqlite_served.accept_ticket()
    (message,) = await sqlite_served.services.messages.find(sqlite_served.actor, ticket)
    client, find = await signed_in_client(sqlite_served, "viewer"), MessageService.find

    async def erased(messages: MessageService, actor: Actor, text: str) -> tuple[Message, ...]:
        await sqlite_served.services.tickets.delete(sqlite_served.actor, ticket)
        return await find(messages, actor, text)

    monkeypatch.setattr(MessageService, "find", erased)
    assert (await client.get(f"/activity/trace/{message.id}")).status == 404
