"""API keys. The database contains only a hash and a short hint of each key.

A key's permissions are limited by its own role and by the current role of its user.
"""

from __future__ import annotations

from dataclasses import dataclass

from router import ids, secrets
from router.admin import audit, validation
from router.admin.fetch import fetch_by_id, fetch_page
from router.admin.paging import DEFAULT_LIMIT, Page
from router.clock import Clock
from router.enumerations import ROLE, Role
from router.errors import Refused, not_found_error
from router.filters import KeyFilter
from router.model import Actor, ApiKey, Micros, User
from router.store.database import Database, QueryExecutor, fetch_model
from router.store.fragments import model_values

_ALL_KEYS = KeyFilter()


@dataclass(frozen=True, slots=True)
class NewKey:
    """A created key. `plaintext` is returned only here."""

    key: ApiKey
    plaintext: str


def lower_role(one: Role, other: Role) -> Role:
    return max(one, other, key=ROLE.values.index)


class KeyService:
    """Manages API keys. Users who are not admins have access only to their own keys."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(
        self,
        actor: Actor,
        key_filter: KeyFilter = _ALL_KEYS,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[ApiKey]:
        values = key_filter.parameters() | {
            "now": self._clock.now(),
            "user_id": None if actor.role == "admin" else actor.user_id,
        }
        return await fetch_page(self._database, actor, ApiKey, "key_page", limit=limit, cursor=cursor, **values)

    async def create(
        self,
        actor: Actor,
        *,
        name: str,
        role: str | None = None,
        user_id: str | None = None,
        expires_at: Micros | None = None,
    ) -> NewKey:
        """Creates a key for a user, by default the actor's user.

        `role` must not exceed the user's role, which is the default.
        """
        now = self._clock.now()
        if expires_at is not None and expires_at <= now:
            raise Refused("invalid_request", "expiresAt must be in the future", "expiresAt")
        owner_id = actor.user_id if user_id is None else user_id
        if owner_id is None:
            raise Refused("invalid_request", "userId is required: every API key belongs to a user", "userId")
        plaintext, key_hash, hint = secrets.new_api_key()
        async with self._database.transaction() as transaction:
            owner = await fetch_model(transaction, User, "user_lock", id=owner_id, workspace_id=actor.workspace_id)
            if owner is None or owner.disabled_at is not None:
                raise Refused("invalid_request", "userId must be an active user of this workspace", "userId")
            key_role = owner.role if role is None else ROLE.parse(role)
            if lower_role(key_role, owner.role) != key_role:
                raise Refused("invalid_request", f"role must not exceed the user's role, which is {owner.role}", "role")
            key = ApiKey(
                id=ids.new_id("key"),
                workspace_id=actor.workspace_id,
                user_id=owner.id,
                name=validation.validate_line(name, "name"),
                role=key_role,
                hash=key_hash,
                hint=hint,
                created_at=now,
                expires_at=expires_at,
                last_used_at=None,
                revoked_at=None,
            )
            await insert_key(transaction, key)
            await audit.record(
                transaction, actor, now, "key.create", key.id, name=key.name, role=key.role, userId=key.user_id
            )
        return NewKey(key, plaintext)

    async def get(self, actor: Actor, key_id: str) -> ApiKey:
        return await _fetch_key(self._database, actor, key_id)

    async def revoke(self, actor: Actor, key_id: str) -> None:
        """Revokes a key, which stays in the list."""
        async with self._database.transaction() as transaction:
            key = await _fetch_key(transaction, actor, key_id)
            now = self._clock.now()
            if await transaction.execute("key_revoke", id=key.id, workspace_id=actor.workspace_id, now=now):
                await audit.record(transaction, actor, now, "key.revoke", key.id, name=key.name)


async def insert_key(transaction: QueryExecutor, key: ApiKey) -> None:
    await transaction.execute("key_insert", **model_values(key))


async def _fetch_key(transaction: QueryExecutor, actor: Actor, key_id: str) -> ApiKey:
    key = await fetch_by_id(transaction, actor, ApiKey, "key_by_id", key_id)
    if actor.role != "admin" and key.user_id != actor.user_id:
        raise not_found_error("Key")
    return key
