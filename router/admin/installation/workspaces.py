"""Settings of the actor's workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from router.admin import audit, validation
from router.admin.fetch import lock_integration
from router.checks import policy
from router.clock import Clock
from router.errors import not_found_error
from router.local_time import LOCALE
from router.model import Actor, Workspace
from router.store.database import Database, QueryExecutor, fetch_model
from router.store.fragments import model_values


class WorkspaceService:
    """Reads and changes the actor's workspace.

    `on_routing_change` is called after the commit of a change of the sender checks.
    """

    def __init__(self, database: Database, clock: Clock, *, on_routing_change: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._on_routing_change = on_routing_change

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
        sender_checks: Mapping[str, object] | None = None,
    ) -> Workspace:
        """Changes the given fields.

        With `clear_default_integration`, mail to a postmaster without an active alias is posted to no integration.
        `sender_checks` has changes by field name of `CheckPolicy`; None restores a default.
        """
        async with self._database.transaction() as transaction:
            # Locks the integration first, as the deletion of an integration does. The same order prevents deadlocks.
            if default_integration_id is not None:
                await lock_integration(transaction, actor, default_integration_id, "defaultIntegrationId")
            workspace = await _fetch_workspace(transaction, actor, "workspace_lock")
            changed = replace(
                workspace,
                name=workspace.name if name is None else validation.validate_line(name, "name"),
                default_integration_id=default_integration_id
                or (None if clear_default_integration else workspace.default_integration_id),
                timezone=workspace.timezone if timezone is None else validation.validate_timezone(timezone),
                locale=workspace.locale if locale is None else LOCALE.parse(locale),
                check_policy=policy.change_overrides(workspace.check_policy, sender_checks or {}),
            )
            await transaction.execute("workspace_update", **_changeable_values(changed))
            if sender_checks:
                await transaction.execute("routing_increment_version")
            texts = {"name": name, "timezone": timezone, "locale": locale}
            await audit.record(
                transaction,
                actor,
                self._clock.now(),
                "workspace.change",
                actor.workspace_id,
                defaultIntegrationId=default_integration_id,
                withoutDefault=(clear_default_integration and workspace.default_integration_id is not None) or None,
                **texts,
                **_audited_checks(changed, sender_checks),
                before=_audited_values(workspace, texts) | _audited_checks(workspace, sender_checks) or None,
            )
        if sender_checks:
            self._on_routing_change()
        return changed


def _changeable_values(workspace: Workspace) -> dict[str, object]:
    values = model_values(workspace)
    return {name: values[name] for name in values if name not in ("last_ticket_number", "created_at")}


def _audited_values(workspace: Workspace, given: Mapping[str, str | None]) -> dict[str, str]:
    return {name: getattr(workspace, name) for name, value in given.items() if value is not None}


def _audited_checks(workspace: Workspace, changes: Mapping[str, object] | None) -> dict[str, str]:
    return policy.audited_values(policy.effective_values(workspace.check_policy), changes or ())


async def _fetch_workspace(transaction: QueryExecutor, actor: Actor, query: str) -> Workspace:
    workspace = await fetch_model(transaction, Workspace, query, id=actor.workspace_id)
    if workspace is None:
        raise not_found_error("Workspace")
    return workspace
