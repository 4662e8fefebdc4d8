"""Authentication by API key or session cookie.

Every request queries the database, so a revocation takes effect at once. The time of last use is written in the
background, and a failure of that write never affects the request.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from router import secrets
from router.admin.access.keys import lower_role
from router.clock import SECOND, Clock
from router.errors import Refused, Unavailable
from router.model import Actor, Micros
from router.store.database import Database

LAST_USE_INTERVAL: Micros = 60 * SECOND
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated actor. `scope` identifies the API key or session of the request."""

    actor: Actor
    scope: str
    is_session: bool = False

    @property
    def session_id(self) -> str:
        """The `SessionInfo.id` of the session, or `""` for an API key."""
        return self.scope.removeprefix("session:") if self.is_session else ""


class AuthenticationService:
    """Authenticates requests. Call `close` at the end of the process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._pending_writes: set[asyncio.Task[None]] = set()

    async def authenticate_key(self, key: str, *, address: str = "") -> Caller:
        """Raises `Refused("unauthorized")` for an unknown, revoked or expired key, or a disabled user."""
        row = await self._database.fetch_one("key_by_hash", hash=secrets.hash_api_key(key))
        now = self._clock.now()
        if row is None or row["revoked_at"] is not None or row["disabled_at"] is not None:
            raise Refused("unauthorized", "The API key is invalid or was revoked")
        if row["expires_at"] is not None and row["expires_at"] <= now:
            raise Refused("unauthorized", "The API key has expired")
        if row["last_used_at"] is None or row["last_used_at"] < now - LAST_USE_INTERVAL:
            self._schedule_write("key_mark_used", id=row["id"], now=now, horizon=now - LAST_USE_INTERVAL)
        actor = Actor(
            workspace_id=row["workspace_id"],
            role=lower_role(row["role"], row["user_role"]),
            user_id=row["user_id"],
            key_id=row["id"],
            address=address,
        )
        return Caller(actor, f"key:{row['id']}")

    async def authenticate_session(self, token: str, *, address: str = "") -> Caller:
        """Raises `Refused("unauthorized")` for an unknown or expired session, or a disabled user."""
        row = await self._database.fetch_one("session_by_hash", hash=secrets.hash_api_key(token))
        now = self._clock.now()
        if row is None or row["expires_at"] <= now or row["disabled_at"] is not None:
            raise Refused("unauthorized", "Your session has ended: sign in again")
        if row["last_used_at"] < now - LAST_USE_INTERVAL:
            self._schedule_write("session_mark_used", hash=row["hash"], now=now, horizon=now - LAST_USE_INTERVAL)
        actor = Actor(row["workspace_id"], row["role"], user_id=row["user_id"], address=address)
        return Caller(actor, f"session:{row['hash'][:32]}", is_session=True)

    async def close(self) -> None:
        while self._pending_writes:
            await asyncio.wait(self._pending_writes)

    def _schedule_write(self, query: str, **values: object) -> None:
        task = asyncio.get_running_loop().create_task(self._run_write(query, values))
        self._pending_writes.add(task)
        task.add_done_callback(self._pending_writes.discard)

    async def _run_write(self, query: str, values: dict[str, object]) -> None:
        try:
            await self._database.execute(query, **values)
        except Unavailable as error:
            log.debug("api.last_use_not_saved", reason=str(error))
