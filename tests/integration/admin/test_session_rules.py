"""End of sessions, sign-in failures, and limits on guessing passwords."""

import asyncio
from pathlib import Path

import pytest

from router.admin.access import sessions, sign_in_limits
from router.admin.access.sessions import NewSession
from router.errors import Refused
from router.ratelimit.failure_throttle import RateLimited
from tests.support.installation import Installation, seeded_installation
from tests.support.refusal import refused_code
from tests.support.stores import sqlite_store

EMAIL = "grace@example.org"
PASSWORD = "correct horse battery"
ADDRESS = "192.0.2.7"
UNAUTHORIZED = ("unauthorized", None)


async def add_grace(installation: Installation) -> str:
    return (await installation.services.users.create(installation.actor, email=EMAIL, password=PASSWORD)).id


async def sign_in(installation: Installation, password: str = PASSWORD, email: str = EMAIL) -> NewSession:
    return await installation.services.sessions.sign_in(email, password, address=ADDRESS)


async def test_a_session_authenticates_its_user_until_it_ends(installation: Installation) -> None:
    user_id = await add_grace(installation)
    services = installation.services
    session = await sign_in(installation)
    assert session.user.id == user_id
    caller = await services.authentication.authenticate_session(session.token)
    assert (caller.actor.user_id, caller.actor.key_id, caller.is_session) == (user_id, None, True)
    me = await services.sessions.get_identity(caller.actor)
    assert me.user is not None
    assert me.user.email == EMAIL
    for _ in range(2):
        await services.sessions.sign_out(session.token)
        assert await refused_code(services.authentication.authenticate_session(session.token)) == UNAUTHORIZED


async def test_sessions_end_on_expiry_password_change_and_disabling(installation: Installation) -> None:
    user_id = await add_grace(installation)
    actor, users, by_session = (
        installation.actor,
        installation.services.users,
        installation.services.authentication.authenticate_session,
    )
    new_password = PASSWORD + "!"
    first = await sign_in(installation)
    await users.change(actor, user_id, password=new_password)
    assert await refused_code(by_session(first.token)) == UNAUTHORIZED
    second = await sign_in(installation, new_password)
    installation.clock.advance(days=14)
    assert await refused_code(by_session(second.token)) == UNAUTHORIZED
    third = await sign_in(installation, new_password)
    await users.change(actor, user_id, disabled=True)
    assert await refused_code(by_session(third.token)) == UNAUTHORIZED
    assert await refused_code(sign_in(installation, new_password)) == UNAUTHORIZED


async def test_all_sign_in_failures_return_the_same_error(installation: Installation) -> None:
    await add_grace(installation)
    await installation.services.users.create(installation.actor, email="keys@example.org")
    messages = set()
    for email, password in (
        (EMAIL, "not the password"),
        ("nobody@example.org", PASSWORD),
        ("keys@example.org", PASSWORD),
        ("no address", PASSWORD),
        (EMAIL, "x" * 3000),
    ):
        with pytest.raises(Refused) as refused:
            await sign_in(installation, password, email)
        messages.add((refused.value.code, refused.value.field, refused.value.message))
    assert messages == {("unauthorized", None, "Incorrect email or password")}


async def test_guesses_are_limited_by_address_and_account(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path) as store, seeded_installation(store) as installation:
        await add_grace(installation)
        for _ in range(sign_in_limits.ADDRESS_ACCOUNT_LIMIT.requests):
            assert await refused_code(sign_in(installation, "wrong password")) == UNAUTHORIZED
        with pytest.raises(RateLimited) as throttled:
            await sign_in(installation)
        assert 1 <= throttled.value.retry_after <= 1800
        assert await refused_code(sign_in(installation, "wrong password", "admin@example.org")) == UNAUTHORIZED
        await installation.services.sessions.sign_in(EMAIL, PASSWORD, address="198.51.100.9")
        installation.clock.advance(1800)
        await sign_in(installation)


async def test_concurrent_guesses_are_limited_like_sequential_ones(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path) as store, seeded_installation(store) as installation:
        await add_grace(installation)
        guesses = (sign_in(installation, "a guess of mine") for _ in range(40))
        outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    verified = [outcome for outcome in outcomes if isinstance(outcome, Refused) and outcome.code == "unauthorized"]
    throttled = [outcome for outcome in outcomes if isinstance(outcome, RateLimited)]
    assert (
        0 < len(verified) <= sign_in_limits.ADDRESS_ACCOUNT_LIMIT.requests + sessions.MAX_CONCURRENT_VERIFICATIONS - 1
    )
    assert len(verified) + len(throttled) == 40
