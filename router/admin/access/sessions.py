"""Sessions: signing in and out with email address and password.

A session ends on sign-out, on expiry, and when its user is disabled or deleted. A password change ends all sessions of
the user, or all but the one that changed the password. Only the hash of a session token is stored. Responses do not
reveal whether an account exists, and their timing hardly does.
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
from router.admin.access.password_policy import hash_valid_password
from router.admin.access.sign_in_limits import SignInClient, SignInLimits
from router.clock import SECOND, Clock
from router.enumerations import AuditAction
from router.errors import Refused, not_found_error
from router.model import Actor, Micros, User, Workspace
from router.ratelimit.attempt_limiter import CountedAttempt, count_once
from router.secrets import SecretBox
from router.store.database import Database, fetch_model, fetch_models

SESSION_LIFETIME: Micros = 14 * 86400 * SECOND
# Applies separately to known and to unknown devices. A password verification takes 19 MiB of memory.
MAX_CONCURRENT_VERIFICATIONS = 2
MAX_SESSIONS = 100
# The audit log records each kind of failure of an account once in a window of this length.
AUDIT_INTERVAL_SECONDS = 3600
_SESSION_ID = re.compile(r"[0-9a-f]{32}")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session of a user who has just signed in.

    `token` and `device_cookie` are secret cookie values.
    """

    token: str
    user: User
    expires_at: Micros
    device_cookie: str


@dataclass(frozen=True, slots=True)
class Identity:
    """The user and workspace of an actor, each None if it was deleted.

    `user` is also None for an actor without a user.
    """

    actor: Actor
    user: User | None
    workspace: Workspace | None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session of a user. `id` is not a secret."""

    id: str
    address: str
    created_at: Micros
    last_used_at: Micros
    expires_at: Micros


class SessionService:
    """Manages sessions. Counts some failures in memory, so use one instance per process."""

    def __init__(self, database: Database, clock: Clock, box: SecretBox) -> None:
        self._database = database
        self._clock = clock
        self._devices = DeviceCookies(box, clock)
        self._limits = SignInLimits(database, clock)
        self._verification_slots = asyncio.Semaphore(MAX_CONCURRENT_VERIFICATIONS)
        # Attempts from known devices must not wait behind a flood of other attempts.
        self._known_device_slots = asyncio.Semaphore(MAX_CONCURRENT_VERIFICATIONS)

    async def sign_in(self, email: str, password: str, *, address: str, device: str = "") -> NewSession:
        """Signs a user in. `device` is the device cookie of the client, or `""`.

        Raises:
            Refused: `unauthorized` for wrong credentials or a disabled user.
            RateLimited: The account or the client has too many failures.
        """
        client = SignInClient.from_unknown_device(address, email)
        known_device = self._devices.read(device)
        if known_device is None:
            self._limits.check(client)
        user = None
        if client.account:
            user = await fetch_model(self._database, User, "user_by_email", email=client.account)
        if known_device is not None and known_device.belongs_to(user):
            client = replace(client, device_id=known_device.id)
        stored_hash = user.password_hash if user is not None and user.disabled_at is None else None
        async with self._known_device_slots if client.device_id else self._verification_slots:
            attempt = await self._limits.reserve(client)
            is_valid = await asyncio.to_thread(secrets.verify_password, password, stored_hash or secrets.UNUSABLE_HASH)
            if is_valid:
                self._limits.release(client)
        if user is None or not is_valid:
            await self._record_failure(client.account, client.counter_key, user, attempt, address)
            raise _invalid_credentials()
        return await self.start(user, address=address, attempt=attempt)

    async def start(self, user: User, *, address: str, attempt: CountedAttempt | None = None) -> NewSession:
        """Starts a session for an authenticated user.

        Args:
            user: The user as read at authentication.
            attempt: The counted attempt, which has succeeded; None if no password was checked.

        Raises:
            Refused: `unauthorized` if the user was deleted, disabled or given a new password meanwhile.
        """
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            current = await fetch_model(transaction, User, "user_lock", id=user.id, workspace_id=user.workspace_id)
            if current is None or current.disabled_at is not None or current.password_hash != user.password_hash:
                raise _invalid_credentials()
            device_cookie = self._devices.issue(current)
            session = NewSession(random.token_urlsafe(32), current, now + SESSION_LIFETIME, device_cookie)
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
        await self._database.execute("session_delete", hash=secrets.hash_api_key(token))

    async def list(self, actor: Actor) -> tuple[SessionInfo, ...]:
        """Lists sessions of the actor's user, the most recently used first, up to `MAX_SESSIONS`."""
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
        """Ends a session of the actor's user. Raises `Refused("not_found")`."""
        ended = _SESSION_ID.fullmatch(session_id) and await self._database.execute(
            "session_delete_one", user_id=actor.user_id or "", workspace_id=actor.workspace_id, id=session_id
        )
        if not ended:
            raise not_found_error("Session")

    async def change_password(self, actor: Actor, *, current: str, new: str, keep_session_id: str = "") -> str:
        """Changes the password of the actor's user. Returns a new device cookie.

        Ends all sessions of the user except `keep_session_id`.

        Raises:
            Refused: The current password is wrong, or the policy rejects the new password.
            RateLimited: The current password was wrong too often.
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
            is_valid = await asyncio.to_thread(secrets.verify_password, current, user.password_hash)
        if not is_valid:
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
            await transaction.execute("password_link_delete", user_id=user.id)
            await audit.record(transaction, actor, self._clock.now(), "user.change", user.id, password="changed")  # noqa: S106 - not a password
        return self._devices.issue(replace(user, password_hash=password_hash))

    async def get_identity(self, actor: Actor) -> Identity:
        user = None
        if actor.user_id is not None:
            user = await fetch_model(
                self._database, User, "user_by_id", id=actor.user_id, workspace_id=actor.workspace_id
            )
        workspace = await fetch_model(self._database, Workspace, "workspace_by_id", id=actor.workspace_id)
        return Identity(actor, user, workspace)

    async def _record_failure(
        self, account: str, counter_key: str, user: User | None, attempt: CountedAttempt, address: str
    ) -> None:
        """Logs a failed attempt.

        The audit log records each kind of failure of a user only once an hour, so that guessing cannot fill it. For a
        nonexistent user, the same counts are written, so that the timing reveals less.
        """
        actions: list[AuditAction] = ["user.sign_in_failed"]
        if not attempt.remaining:
            actions.append("user.sign_in_limited")
        async with self._database.transaction() as transaction:
            for action in actions:
                scope = f"{action}:{user.id if user is not None else counter_key}"
                first = await count_once(transaction, scope, AUDIT_INTERVAL_SECONDS, self._clock)
                if first and user is not None:
                    actor = Actor(user.workspace_id, user.role, address=address)
                    await audit.record(transaction, actor, self._clock.now(), action, user.id, email=user.email)
        log.warning("sign_in.failed", account=account, address=address)
        if not attempt.remaining:
            log.warning("sign_in.rate_limited", account=account, address=address)


def _invalid_credentials() -> Refused:
    return Refused("unauthorized", "Incorrect email or password")


def _incorrect_password() -> Refused:
    return Refused("invalid_request", "Current password is incorrect", "currentPassword")
