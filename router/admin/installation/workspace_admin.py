"""Creates and erases workspaces.

For the command line only: an API key or session never has access beyond its own workspace.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.admin import audit, validation
from router.admin.installation.first_workspace import FirstLogin, generate_workspace
from router.clock import Clock
from router.errors import not_found_error
from router.model import Actor, Workspace
from router.store.database import Database, fetch_model

# Small batches keep transactions short, so that they do not block mail for other workspaces.
BATCH_SIZE = 200


@dataclass(frozen=True, slots=True)
class WorkspaceContents:
    """The numbers of objects that erasing a workspace deletes."""

    domains: int
    users: int
    tickets: int
    messages: int


class WorkspaceAdminService:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(self, name: str, email: str) -> FirstLogin:
        """Raises `conflict` if the email address is in use."""
        now = self._clock.now()
        workspace = await generate_workspace(validation.validate_line(name, "name"), email, now)
        workspace_id = workspace.login.workspace_id
        async with self._database.transaction() as transaction:
            await workspace.insert(transaction)
            actor = Actor(workspace_id, "admin")
            await audit.record(transaction, actor, now, "workspace.create", workspace_id, name=workspace.name)
        return workspace.login

    async def count_contents(self, workspace_id: str) -> WorkspaceContents:
        row = await self._database.fetch_one("operator_count_contents", id=workspace_id)
        return (
            WorkspaceContents(row["domains"], row["users"], row["tickets"], row["messages"])
            if row
            else WorkspaceContents(0, 0, 0, 0)
        )

    async def erase(self, workspace_id: str) -> None:
        """Erases a workspace except its audit log. An interrupted erasure can be repeated.

        The domains are deleted first, so that their mail is rejected.
        """
        actor = Actor(workspace_id, "admin")
        async with self._database.transaction() as transaction:
            workspace = await fetch_model(transaction, Workspace, "workspace_lock", id=workspace_id)
            if workspace is None:
                raise not_found_error("Workspace")
            await transaction.execute("operator_delete_domains", id=workspace_id)
            await transaction.execute("operator_delete_smarthosts")
            await transaction.execute("routing_increment_version")
            await audit.record(
                transaction, actor, self._clock.now(), "workspace.delete", workspace_id, name=workspace.name
            )
        for query in ("operator_erase_tickets", "operator_erase_messages"):
            while await self._database.execute(query, id=workspace_id, limit=BATCH_SIZE) == BATCH_SIZE:
                pass
        await self._database.execute("operator_erase_bounces")
        await self._database.execute("operator_erase_workspace", id=workspace_id)
