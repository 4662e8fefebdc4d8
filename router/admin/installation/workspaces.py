"""Settings of the actor's workspace."""

from __future__ import annotations

from router.admin import audit, validation
from router.admin.fetch import lock_integration
from router.clock import Clock
from router.errors import not_found_error
from router.local_time import LOCALE
from router.model import Actor, Workspace
from router.store.database import Database, QueryExecutor, fetch_model


class WorkspaceService:
    """Reads and changes the actor's workspace."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, actor: Actor) -> Workspace:
        return await _fetch_workspace(self._database, actor, "workspace_by_id")

    async def change(
        self,
        actor: Actor,
        *,
        name: str | None = None,
        default_integration_id: str | None = None,
        clear_default_integration: bool = False,
        timezone: str | None = None,
        locale: str | None = None,
    ) -> Workspace:
        """Changes the given fields.

        With `clear_default_integration`, mail to a postmaster without an active alias is posted to no integration.
        """
        if timezone is not None:
            validation.validate_timezone(timezone)
        async with self._database.transaction() as transaction:
            # Locks the integration first, as the deletion of an integration does. The same order prevents deadlocks.
            if default_integration_id is not None:
                await lock_integration(transaction, actor, default_integration_id, "defaultIntegrationId")
            workspace = await _fetch_workspace(transaction, actor, "workspace_lock")
            default = None if clear_default_integration else workspace.default_integration_id
            await transaction.execute(
                "workspace_update",
                id=actor.workspace_id,
                name=workspace.name if name is None else validation.validate_line(name, "name"),
                default_integration_id=default_integration_id or default,
                timezone=timezone or workspace.timezone,
                locale=workspace.locale if locale is None else LOCALE.parse(locale),
            )
            given = [
                each
                for each, value in (("name", name), ("timezone", timezone), ("locale", locale))
                if value is not None
            ]
            await audit.record(
                transaction,
                actor,
                self._clock.now(),
                "workspace.change",
                actor.workspace_id,
                name=name,
                defaultIntegrationId=default_integration_id,
                withoutDefault=(clear_default_integration and workspace.default_integration_id is not None) or None,
                timezone=timezone,
                locale=locale,
                before={each: getattr(workspace, each) for each in given} or None,
            )
            return await _fetch_workspace(transaction, actor, "workspace_by_id")


async def _fetch_workspace(transaction: QueryExecutor, actor: Actor, query: str) -> Workspace:
    workspace = await fetch_model(transaction, Workspace, query, id=actor.workspace_id)
    if workspace is None:
        raise not_found_error("Workspace")
    return workspace
