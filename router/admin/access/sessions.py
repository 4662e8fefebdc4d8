"""Signing in and out with address and password.

A session is a row: it ends when it is deleted, when its user is disabled or gets a new password, or with its time.
The cookie's token is 256 random bits, kept as its hash. Whether an address exists cannot be told from the answer or
its time. How many failures there may be: `sign_in_limits`.
"""

from __future__ import annotations

import asyncio
import re
import secrets as random
from dataclasses import dataclass, replace

import structlog

from router import secrets
from router.admin import audit
from router.admin.access.devices import DeviceCookies
from router.admin.access.sign_in_limits import SignInClient, SignInLimits
from router.admin.access.users import hash_valid_password
from router.clock import SECOND, Clock
from router.errors import Refused, not_found
from router.model import Actor, Micros, User, Workspace
from router.ratelimit.attempt_counts import Attempt, is_first
from router.secrets import SecretBox
from router.store.database import Database, fetch_model, fetch_models

SESSION_LIFETIME: Micros = 14 * 86400 * SECOND
# Each verification takes 19 MiB and some 20 ms of a core; in two queues, so twice this.
MAX_CONCURRENT_VERIFICATIONS = 2
MAX_SESSIONS = 100
AUDIT_INTERVAL_SECONDS = 3600  # seconds for which further failures of an account are only logged
_SESSION_ID = re.compile(r"[0-9a-f]{32}")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NewSession:
    """Somebody signed in. token, device: for the two cookies, shown to nobody else."""

    token: str
    user: User
    expires_at: Micros
    device_cookie: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an actor is; user is None for the operator at the command line."""

    actor: Actor
    user: User | None
    workspace: Workspace | None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session of a user. id: identifies the session in `Caller.scope` and `SessionService.end`; not a secret."""

    id: str
    address: str
    created_at: Micros
    last_used_at: Micros
    expires_at: Micros


class SessionService:
    """One for each process: it remembers the failures of each address (`SignInLimits`)."""

    def __init__(self, database: Database, clock: Clock, box: SecretBox) -> None:
        self._database = database
        self._clock = clock
        self._devices = DeviceCookies(box, clock)
        self._limits = SignInLimits(database, clock)
        self._verification_slots = asyncio.Semaphore(MAX_CONCURRENT_VERIFICATIONS)
        self._known_device_slots = asyncio.Semaphore(
            MAX_CONCURRENT_VERIFICATIONS
        )  # known devices never queue behind a flood

    async def sign_in(self, email: str, password: str, *, address: str, device: str = "") -> NewSession:
        """Raises `Refused("unauthorized")`, whatever was wrong, and `Throttled` after too many of those.

        Args:
            email: The user's address, in any case.
            password: What was typed.
            address: Where the request comes from.
            device: The device cookie that came with it.
        """
        client = SignInClient.from_unknown_device(address, email)
        known = self._devices.read(device)
        if known is None:
            self._limits.check(client)
        user = None
        if client.account:
            user = await fetch_model(self._database, User, "user_by_email", email=client.account)
        if known is not None and known.belongs_to(user):
            client = replace(client, device_id=known.id)
        usable = user is not None and user.disabled_at is None
        stored = user.password_hash if user is not None and usable else None
        async with self._known_device_slots if client.device_id else self._verification_slots:
            attempt = await self._limits.reserve(client)
            right = await asyncio.to_thread(secrets.verify_password, password, stored or secrets.UNUSABLE_HASH)
            if right:
                self._limits.release(client)
        if user is None or not right:
            await self._record_failure(client.account, client.counter_key, user, attempt, address)
            raise _invalid_credentials()
        return await self.start(user, address=address, attempt=attempt)

    async def start(self, user: User, *, address: str, attempt: Attempt | None = None) -> NewSession:
        """A session for a user who has proved to be one, and is still who they were then: else `unauthorized`.

        Args:
            user: As they were when they proved it.
            address: Where they are.
            attempt: The attempt that succeeded, which then no longer counts.
        """
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            found = await fetch_model(transaction, User, "user_lock", id=user.id, workspace_id=user.workspace_id)
            if found is None or found.disabled_at is not None or found.password_hash != user.password_hash:
                raise _invalid_credentials()
            session = NewSession(random.token_urlsafe(32), found, now + SESSION_LIFETIME, self._devices.issue(found))
            await transaction.execute("session_delete_expired", now=now)
            await transaction.execute(
                "session_insert",
                hash=secrets.hash_api_key(session.token),
                workspace_id=user.workspace_id,
                user_id=user.id,
                address=address,
                created_at=now,
                expires_at=session.expires_at,
            )
            if attempt is not None:
                await attempt.release(transaction)
            actor = Actor(user.workspace_id, user.role, user_id=user.id, address=address)
            await audit.record(transaction, actor, now, "user.sign_in", user.id)
        log.info("sign_in.succeeded", account=user.email, address=address)
        return session

    async def sign_out(self, token: str) -> None:
        """Ends the session; one that is over already is no error."""
        await self._database.execute("session_delete", hash=secrets.hash_api_key(token))

    async def list(self, actor: Actor) -> tuple[SessionInfo, ...]:
        """Where the actor's user is signed in, at most `MOST_SESSIONS`, the latest used first."""
        rows = await fetch_models(
            self._database,
            SessionInfo,
            "session_list",
            user_id=actor.user_id or "",
            workspace_id=actor.workspace_id,
            now=self._clock.now(),
            limit=MAX_SESSIONS,
        )
        return tuple(rows)

    async def end(self, actor: Actor, session_id: str) -> None:
        """Signs the actor's user out somewhere; `not_found` for what is over or somebody else's."""
        ended = _SESSION_ID.fullmatch(session_id) and await self._database.execute(
            "session_delete_one", user_id=actor.user_id or "", workspace_id=actor.workspace_id, id=session_id
        )
        if not ended:
            raise not_found("Session")

    async def change_password(self, actor: Actor, *, current: str, new: str, keep_session_id: str = "") -> str:
        """The actor's own password, by the current one; all other sessions end. Returns the new device cookie.

        Raises `Refused` with `field` `currentPassword` or `password`, and `Throttled` after too many wrong ones.

        Args:
            actor: Whose password it is.
            current: Their password until now.
            new: The next one.
            keep: The id of a session that stays.
        """
        user = None
        if actor.user_id is not None:
            user = await fetch_model(
                self._database, User, "user_by_id", id=actor.user_id, workspace_id=actor.workspace_id
            )
        if user is None or user.password_hash is None:
            raise Refused("forbidden", "Your account has no password: ask an admin to set one")
        async with self._known_device_slots:
            attempt = await self._limits.reserve_password_check(user.id)
            right = await asyncio.to_thread(secrets.verify_password, current, user.password_hash)
        if not right:
            await self._record_failure(user.email, user.id, user, attempt, actor.address)
            raise _incorrect_password()
        password_hash = await hash_valid_password(new, user.email)
        async with self._database.transaction() as transaction:
            changed = await transaction.execute(
                "user_update_password",
                id=user.id,
                workspace_id=user.workspace_id,
                expected_hash=user.password_hash,
                password_hash=password_hash,
            )
            if not changed:
                raise _incorrect_password()
            await attempt.release(transaction)
            await transaction.execute("session_delete_others", user_id=user.id, id=keep_session_id)
            await audit.record(transaction, actor, self._clock.now(), "user.change", user.id, password="changed")  # noqa: S106 - a word for the audit
        return self._devices.issue(replace(user, password_hash=password_hash))

    async def get_identity(self, actor: Actor) -> Identity:
        """Who asks."""
        user = None
        if actor.user_id is not None:
            user = await fetch_model(
                self._database, User, "user_by_id", id=actor.user_id, workspace_id=actor.workspace_id
            )
        workspace = await fetch_model(self._database, Workspace, "workspace_by_id", id=actor.workspace_id)
        return Identity(actor, user, workspace)

    async def _record_failure(
        self, account: str, counter_key: str, user: User | None, attempt: Attempt, address: str
    ) -> None:
        """Every failure is logged; the audit has the first of each hour, so that guessing does not fill it.

        The same statements run where there is no such user: how long it takes says nothing.
        """
        actions = ["user.sign_in_failed"] if attempt.left else ["user.sign_in_failed", "user.sign_in_limited"]
        async with self._database.transaction() as transaction:
            for action in actions:
                scope = f"{action}:{user.id if user is not None else counter_key}"
                first = await is_first(transaction, scope, AUDIT_INTERVAL_SECONDS, self._clock)
                if first and user is not None:
                    actor = Actor(user.workspace_id, user.role, address=address)
                    await audit.record(transaction, actor, self._clock.now(), action, user.id, email=user.email)
        log.warning("sign_in.failed", account=account, address=address)
        if not attempt.left:
            log.warning("sign_in.rate_limited", account=account, address=address)


def _invalid_credentials() -> Refused:
    return Refused("unauthorized", "Incorrect email or password")


def _incorrect_password() -> Refused:
    return Refused("invalid_request", "Current password is incorrect", "currentPassword")
