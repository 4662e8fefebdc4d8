"""Signing in and out with address and password.

A session is a row: it ends when it is deleted, when its user is disabled or gets a new password, or with its time.
The cookie's token is 256 random bits, kept as its hash. Whether an address exists cannot be told from the answer or
its time. Failures are throttled by address, and by address and account together, so nobody can lock others out.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets as random
from dataclasses import dataclass

from router import secrets
from router.admin import audit
from router.admin.access.users import hashed_password, sign_in_address
from router.clock import SECOND, Clock
from router.errors import Refused, not_found
from router.model import Actor, Micros, User, Workspace
from router.network import address_key
from router.ratelimit.failure_throttle import Attempts
from router.ratelimit.sliding_window import Limit
from router.store.database import Database, fetch, fetch_one

LIFETIME: Micros = 14 * 86400 * SECOND
# An office behind one address mistypes more often than one person does.
BY_ADDRESS = Limit(requests=100, seconds=900)
BY_ACCOUNT = Limit(requests=10, seconds=900)
# Each verification takes 64 MiB and a tenth of a second of a core.
VERIFYING_AT_ONCE = 2
MOST_SESSIONS = 100
_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class NewSession:
    """Somebody signed in. token: for the cookie, shown to nobody else."""

    token: str
    user: User
    expires_at: Micros


@dataclass(frozen=True, slots=True)
class Me:
    """Who an actor is; user is None for the operator at the command line."""

    actor: Actor
    user: User | None
    workspace: Workspace | None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session as its user sees it. id: the name that `Caller.scope` and `Sessions.end` know it by; no secret."""

    id: str
    address: str
    created_at: Micros
    last_used_at: Micros
    expires_at: Micros


class Sessions:
    """One for each process: it remembers the failures."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._by_address = Attempts(clock, BY_ADDRESS)
        self._by_account = Attempts(clock, BY_ACCOUNT)
        self._verifying = asyncio.Semaphore(VERIFYING_AT_ONCE)

    async def login(self, email: str, password: str, *, address: str) -> NewSession:
        """Raises `Refused("unauthorized")`, whatever was wrong, and `Throttled` after too many of those."""
        place = address_key(address)
        account = f"{place} {hashlib.sha256(email.encode('utf-8', 'surrogatepass')).hexdigest()}"
        self._by_address.check(place)
        self._by_account.check(account)
        user = await self._user(email)
        known = user is not None and user.disabled_at is None and user.password_hash is not None
        stored = user.password_hash if user is not None and known and user.password_hash else secrets.UNUSABLE_HASH
        async with self._verifying:
            # Again, for who sends many at once: those before it have been counted by now.
            self._by_address.check(place)
            self._by_account.check(account)
            right = await asyncio.to_thread(secrets.verify_password, password, stored)
            if not right or not known:
                self._by_address.failed(place)
                self._by_account.failed(account)
        if user is None or not known or not right:
            raise _wrong()
        return await self.begin(user, address=address)

    async def begin(self, user: User, *, address: str) -> NewSession:
        """A session for a user who has proved to be one, and is still who they were then: else `unauthorized`."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            found = await fetch_one(transaction, User, "user_lock", id=user.id, workspace_id=user.workspace_id)
            if found is None or found.disabled_at is not None or found.password_hash != user.password_hash:
                raise _wrong()
            session = NewSession(random.token_urlsafe(32), found, now + LIFETIME)
            await transaction.run("session_forget", now=now)
            await transaction.run(
                "session_insert",
                hash=secrets.hash_api_key(session.token),
                workspace_id=user.workspace_id,
                user_id=user.id,
                address=address,
                created_at=now,
                expires_at=session.expires_at,
            )
        return session

    async def logout(self, token: str) -> None:
        """Ends the session; one that is over already is no error."""
        await self._database.run("session_delete", hash=secrets.hash_api_key(token))

    async def list(self, actor: Actor) -> tuple[SignedIn, ...]:
        """Where the actor's user is signed in, at most `MOST_SESSIONS`, the latest used first."""
        rows = await fetch(
            self._database,
            SignedIn,
            "session_list",
            user_id=actor.user_id or "",
            workspace_id=actor.workspace_id,
            now=self._clock.now(),
            most=MOST_SESSIONS,
        )
        return tuple(rows)

    async def end(self, actor: Actor, session_id: str) -> None:
        """Signs the actor's user out somewhere; `not_found` for what is over or somebody else's."""
        ended = _NAME.fullmatch(session_id) and await self._database.run(
            "session_end", user_id=actor.user_id or "", workspace_id=actor.workspace_id, id=session_id
        )
        if not ended:
            raise not_found("Session")

    async def change_password(self, actor: Actor, *, current: str, new: str, keep: str = "") -> None:
        """The actor's own password, by the present one; all other sessions end. keep: the id of one that stays.

        Raises `Refused` with `field` `currentPassword` or `password`; wrong ones are throttled as at `login`.
        """
        user = None
        if actor.user_id is not None:
            user = await fetch_one(
                self._database, User, "user_by_id", id=actor.user_id, workspace_id=actor.workspace_id
            )
        if user is None or user.password_hash is None:
            raise Refused("forbidden", "You have no password: an admin can give you one")
        account = f"password {user.id}"
        self._by_account.check(account)
        async with self._verifying:
            self._by_account.check(account)
            right = await asyncio.to_thread(secrets.verify_password, current, user.password_hash)
            if not right:
                self._by_account.failed(account)
        if not right:
            raise _not_the_present_one()
        password_hash = await hashed_password(new, user.email)
        async with self._database.transaction() as session:
            changed = await session.run(
                "user_change_password",
                id=user.id,
                workspace_id=user.workspace_id,
                known_hash=user.password_hash,
                password_hash=password_hash,
            )
            if not changed:
                raise _not_the_present_one()
            await session.run("session_keep_one", user_id=user.id, id=keep)
            await audit.record(session, actor, self._clock.now(), "user.change", user.id, password="changed")  # noqa: S106 - a word for the audit

    async def me(self, actor: Actor) -> Me:
        """Who asks."""
        user = None
        if actor.user_id is not None:
            user = await fetch_one(
                self._database, User, "user_by_id", id=actor.user_id, workspace_id=actor.workspace_id
            )
        workspace = await fetch_one(self._database, Workspace, "workspace_by_id", id=actor.workspace_id)
        return Me(actor, user, workspace)

    async def _user(self, email: str) -> User | None:
        try:
            address = sign_in_address(email)
        except Refused:
            return None
        return await fetch_one(self._database, User, "user_by_email", email=address)


def _wrong() -> Refused:
    return Refused("unauthorized", "Address or password is wrong")


def _not_the_present_one() -> Refused:
    return Refused("invalid_request", "This is not your present password", "currentPassword")
