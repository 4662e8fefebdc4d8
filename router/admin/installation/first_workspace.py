"""Creates workspaces with a first admin and an API key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from router import ids, secrets
from router.admin.access import setup_link
from router.admin.access.keys import insert_key
from router.admin.access.users import insert_user, normalize_email
from router.clock import Clock
from router.errors import Refused
from router.model import ApiKey, Micros, User
from router.store.database import Database, QueryExecutor

FIRST_WORKSPACE_NAME = "Email Router"


@dataclass(frozen=True, slots=True)
class FirstLogin:
    """The credentials of the first admin. The database contains only hashes of `password`, `key` and `link`."""

    workspace_id: str
    user_id: str
    email: str
    password: str
    key: str
    key_id: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """A workspace with its first admin and an API key, not yet inserted."""

    login: FirstLogin
    name: str
    password_hash: str
    key_hash: str
    key_hint: str
    created_at: Micros

    async def insert(self, transaction: QueryExecutor) -> None:
        """Raises `Refused("conflict")` if the email address is in use."""
        login = self.login
        await transaction.execute("workspace_insert", id=login.workspace_id, name=self.name, created_at=self.created_at)
        await insert_user(
            transaction,
            User(
                id=login.user_id,
                workspace_id=login.workspace_id,
                email=login.email,
                name="",
                role="admin",
                password_hash=self.password_hash,
                created_at=self.created_at,
                disabled_at=None,
            ),
        )
        await insert_key(
            transaction,
            ApiKey(
                id=login.key_id,
                workspace_id=login.workspace_id,
                user_id=login.user_id,
                name=setup_link.FIRST_KEY_NAME,
                role="admin",
                hash=self.key_hash,
                hint=self.key_hint,
                created_at=self.created_at,
                expires_at=None,
                last_used_at=None,
                revoked_at=None,
            ),
        )


async def generate_workspace(name: str, email: str, now: Micros, *, link: str = "") -> NewWorkspace:
    """`link` is the token of the setup link, or `""` for no link."""
    address = normalize_email(email)
    password = secrets.new_password()
    password_hash = await asyncio.to_thread(secrets.hash_password, password)
    key, key_hash, hint = secrets.new_api_key()
    login = FirstLogin(ids.new_id("ws"), ids.new_id("user"), address, password, key, ids.new_id("key"), link)
    return NewWorkspace(login, name, password_hash, key_hash, hint, now)


class SetupService:
    """Creates the first workspace of an installation, its admin and an API key."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def is_needed(self) -> bool:
        row = await self._database.fetch_one("workspace_count")
        return row is None or row["workspaces"] == 0

    async def create_first_workspace(self, email: str) -> FirstLogin:
        """Raises `conflict` if the installation already has a workspace."""
        now = self._clock.now()
        link = setup_link.new_token()
        workspace = await generate_workspace(FIRST_WORKSPACE_NAME, email, now, link=link)
        async with self._database.transaction() as transaction:
            # A concurrent setup waits for the lock of this row and then finds the workspace.
            await transaction.execute("routing_increment_version")
            row = await transaction.fetch_one("workspace_count")
            if row is not None and row["workspaces"]:
                raise Refused("conflict", "This database is already set up: it has a workspace")
            await workspace.insert(transaction)
            fact = setup_link.link_record(link, workspace.login.user_id, workspace.password_hash, now)
            await transaction.execute("installation_insert", name=setup_link.LINK_FACT, value=fact)
        return workspace.login

    async def record_file_key(self, login: FirstLogin) -> None:
        """Records that the API key was written to a file, so that completing the setup revokes the key."""
        async with self._database.transaction() as transaction:
            await transaction.execute("installation_insert", name=setup_link.FILE_KEY_FACT, value=login.key_id)
