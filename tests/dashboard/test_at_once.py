"""What is changed or removed while somebody asks: an admin's word about an account holds, what is gone is not there."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from router import secrets
from router.admin.access.sessions import Me, Sessions
from router.admin.tickets.messages import Messages
from router.errors import Refused
from router.model import Actor, Message
from tests.api.desk import PASSWORD, Desk
from tests.dashboard.desk import person, signed_in

NEW = "a battery, a horse"
EMAIL = "admin@people.test"


@asynccontextmanager
async def meanwhile(monkeypatch: pytest.MonkeyPatch, asked: Awaitable[Any]) -> AsyncIterator["asyncio.Task[Any]"]:
    """Inside, `asked` has verified a password and waits; afterwards it goes on."""
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


async def lock_out(desk: Desk, user: str) -> None:
    await desk.services.users.change(desk.actor, user, disabled=True)


async def give_password(desk: Desk, user: str) -> None:
    await desk.services.users.change(desk.actor, user, password="another password")


async def remove(desk: Desk, user: str) -> None:
    await desk.services.users.delete(desk.actor, user)


async def demote(desk: Desk, user: str) -> None:
    await desk.services.users.change(desk.actor, user, role="viewer")


Change = Callable[[Desk, str], Awaitable[None]]


@pytest.mark.parametrize("change", [lock_out, give_password, remove])
async def test_a_password_is_not_changed_past_an_admin(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    _, user = await person(desk, "admin")
    actor = Actor(desk.actor.workspace_id, "admin", user_id=user)
    changing = desk.services.sessions.change_password(actor, current=PASSWORD, new=NEW)
    async with meanwhile(monkeypatch, changing) as task:
        await change(desk, user)
    with pytest.raises(Refused):
        await task
    for found in (await desk.services.users.list(desk.actor)).items:
        assert (found.disabled_at is not None) == (found.id == user and change is lock_out)
    with pytest.raises(Refused):
        await desk.services.sessions.login(EMAIL, NEW, address="")


async def test_a_changed_password_gives_no_role_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    _, user = await person(desk, "admin")
    actor = Actor(desk.actor.workspace_id, "admin", user_id=user)
    changing = desk.services.sessions.change_password(actor, current=PASSWORD, new=NEW)
    async with meanwhile(monkeypatch, changing) as task:
        await demote(desk, user)
    await task
    assert (await desk.services.users.get(desk.actor, user)).role == "viewer"
    assert (await desk.services.sessions.login(EMAIL, NEW, address="")).user.role == "viewer"


@pytest.mark.parametrize("change", [lock_out, give_password, remove])
async def test_nobody_signs_in_past_an_admin(desk: Desk, monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    _, user = await person(desk, "admin")
    async with meanwhile(monkeypatch, desk.services.sessions.login(EMAIL, PASSWORD, address="")) as task:
        await change(desk, user)
    with pytest.raises(Refused) as refused:
        await task
    assert refused.value.message == "Address or password is wrong"
    assert await desk.services.sessions.list(Actor(desk.actor.workspace_id, "admin", user_id=user)) == ()


async def test_who_is_removed_while_a_page_is_made_is_signed_out(
    sqlite_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, me = await signed_in(sqlite_desk, "viewer"), Sessions.me

    async def removed(sessions: Sessions, actor: Actor) -> Me:
        await sqlite_desk.services.users.delete(sqlite_desk.actor, actor.user_id or "")
        return await me(sessions, actor)

    monkeypatch.setattr(Sessions, "me", removed)
    seen = await client.get("/account")
    assert (seen.status, seen.location) == (303, "/sign-in?next=%2Faccount")


async def test_a_mail_that_is_erased_while_its_page_is_made_is_not_there(
    sqlite_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sqlite_desk.alias()
    ticket = await sqlite_desk.ticket()
    (message,) = await sqlite_desk.services.messages.find(sqlite_desk.actor, ticket)
    client, find = await signed_in(sqlite_desk, "viewer"), Messages.find

    async def erased(messages: Messages, actor: Actor, text: str) -> tuple[Message, ...]:
        await sqlite_desk.services.tickets.delete(sqlite_desk.actor, ticket)
        return await find(messages, actor, text)

    monkeypatch.setattr(Messages, "find", erased)
    assert (await client.get(f"/activity/trace/{message.id}")).status == 404
