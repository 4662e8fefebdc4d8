"""The beginning of an installation: the first workspace, its first admin and their first key, once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from router import ids, secrets
from router.admin.access import setup_link
from router.admin.access.users import sign_in_address
from router.clock import Clock
from router.errors import Refused
from router.store.database import Database

FIRST_NAME = "Email Router"


@dataclass(frozen=True, slots=True)
class FirstLogin:
    """What is shown once and kept nowhere."""

    workspace_id: str
    user_id: str
    email: str
    password: str
    key: str
    link: str = ""


class Setup:
    """Called by `emailrouter init`, by `serve` on an empty embedded database, and by the demo.

    `link` is the token of `router.admin.access.setup_link`: the first page of the dashboard, once.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def needed(self) -> bool:
        """Whether there is no workspace yet."""
        row = await self._database.one("workspace_count")
        return row is None or row["workspaces"] == 0

    async def first(self, email: str) -> FirstLogin:
        """Makes all three; of two at once one gets `conflict`, as does everyone after the first."""
        address = sign_in_address(email)
        password = secrets.new_password()
        password_hash = await asyncio.to_thread(secrets.hash_password, password)
        clear, key_hash, hint = secrets.new_api_key()
        now = self._clock.now()
        link = setup_link.new_token()
        login = FirstLogin(ids.new("ws"), ids.new("user"), address, password, clear, link)
        async with self._database.transaction() as session:
            # One row that everybody has: whoever else sets up waits here, and then finds the workspace.
            await session.run("routing_changed")
            row = await session.one("workspace_count")
            if row is not None and row["workspaces"]:
                raise Refused("conflict", "There is a workspace already: this database has been set up")
            await session.run("workspace_insert", id=login.workspace_id, name=FIRST_NAME, created_at=now)
            await session.run(
                "user_insert",
                id=login.user_id,
                workspace_id=login.workspace_id,
                email=address,
                name="",
                role="admin",
                password_hash=password_hash,
                created_at=now,
            )
            await session.run(
                "key_insert",
                id=ids.new("key"),
                workspace_id=login.workspace_id,
                user_id=login.user_id,
                name="first key",
                role="admin",
                hash=key_hash,
                hint=hint,
                created_at=now,
                expires_at=None,
            )
            fact = setup_link.fact(link, login.user_id, password_hash, now)
            await session.run("installation_keep", name=setup_link.FACT, value=fact)
        return login
