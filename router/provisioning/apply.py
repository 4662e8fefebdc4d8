"""Applies a `WorkspaceDocument` to a workspace through the use cases.

Each call of a use case is a separate transaction. A rejected change stops the execution; the changes before it remain.
Applying is idempotent.
"""

from __future__ import annotations

from typing import assert_never

from router.admin.routes.reply_settings import ReplySettingsChange
from router.channels.poster import Poster, SettingChanges
from router.model import Actor, Alias, User
from router.provisioning.document import (
    AliasDefinition,
    IntegrationDefinition,
    UserDefinition,
    WorkspaceDefinition,
    WorkspaceDocument,
)
from router.provisioning.export import Snapshot
from router.provisioning.matching import plan_changes
from router.provisioning.plan import (
    AddAlias,
    AddDomain,
    AddIntegration,
    AddUser,
    ChangeAlias,
    ChangeIntegration,
    ChangeUser,
    ChangeWorkspace,
    Plan,
    PlanStep,
    Removable,
    Remove,
    SetMxUpstream,
)
from router.provisioning.section import SectionChange
from router.provisioning.sending_entries import SendingPlanner, SetSending
from router.provisioning.settings import ResolveReference, SettingsReader
from router.services import Services


class DocumentApplier:
    """Plans and applies documents."""

    def __init__(self, services: Services, poster: Poster, resolve: ResolveReference) -> None:
        self._services = services
        self._read_settings = SettingsReader(poster, resolve).read
        self._sending = SendingPlanner(services.sending, resolve)

    def plan(self, document: WorkspaceDocument, current: Snapshot, *, prune: bool) -> Plan:
        """Plans the changes. With `prune`, the plan deletes objects that are missing from the lists of the document.

        Raises:
            InvalidDocument: The document is invalid or does not fit the workspace.
            Refused: A secret is missing or invalid.
        """
        return plan_changes(document, current, self._read_settings, self._sending, prune=prune)

    async def execute(self, actor: Actor, plan: Plan) -> None:
        execution = _PlanExecution(self._services, actor, plan)
        for step in plan.steps:
            await execution.execute(step)


class _PlanExecution:
    """Executes the steps of a plan. Later steps can use the ids of created objects."""

    def __init__(self, services: Services, actor: Actor, plan: Plan) -> None:
        self._services = services
        self._actor = actor
        self._refs = plan.integration_refs
        self._domain_ids = plan.domain_ids

    async def execute(self, step: PlanStep) -> None:
        services, actor = self._services, self._actor
        match step:
            case AddUser(entry):
                await self._add_user(entry)
            case ChangeUser(user, entry):
                await self._change_user(user, entry)
            case AddIntegration(entry, kind, settings):
                await self._add_integration(entry, kind, settings)
            case ChangeIntegration(integration, entry, settings):
                await services.integrations.change(actor, integration.id, name=entry.name, settings=settings)
            case AddDomain() | SetMxUpstream() | SetSending():
                await self._change_domain(step)
            case AddAlias(entry, domain, local_part):
                await self._add_alias(entry, domain, local_part)
            case ChangeAlias(alias, entry):
                await self._change_alias(alias, entry)
            case ChangeWorkspace(entry):
                await self._change_workspace(entry)
            case Remove(kind, key):
                await self._remove(kind, key)
            case SectionChange():
                await step.execute(services, actor)
            case _:
                assert_never(step)

    async def _add_user(self, entry: UserDefinition) -> None:
        user = await self._services.users.create(
            self._actor, email=entry.email, name=entry.name, role=entry.role, timezone=entry.timezone or None
        )
        if entry.disabled:
            await self._services.users.change(self._actor, user.id, disabled=True)

    async def _change_user(self, user: User, entry: UserDefinition) -> None:
        await self._services.users.change(
            self._actor,
            user.id,
            name=entry.name,
            role=entry.role,
            disabled=entry.disabled,
            timezone=entry.timezone or None,
            clear_timezone=entry.timezone == "",
        )

    async def _add_integration(self, entry: IntegrationDefinition, kind: str, settings: SettingChanges) -> None:
        integration = await self._services.integrations.create(
            self._actor, type=kind, name=entry.name, settings=settings
        )
        self._refs.set_created(entry, integration)

    async def _change_domain(self, step: AddDomain | SetMxUpstream | SetSending) -> None:
        domains = self._services.domains
        match step:
            case AddDomain(name):
                self._domain_ids[name] = (await domains.create(self._actor, name)).domain.id
            case SetMxUpstream(name, upstream):
                await domains.set_mx_upstream(self._actor, self._domain_ids[name], upstream)
            case SetSending():
                await self._set_sending(step, self._domain_ids[step.domain])

    async def _set_sending(self, step: SetSending, domain_id: str) -> None:
        if not step.keeps_smarthost:
            await self._services.sending.set_smarthost(self._actor, domain_id, step.smarthost)
        if step.enabled is not None:
            await self._services.sending.set_enabled(self._actor, domain_id, step.enabled)

    async def _add_alias(self, entry: AliasDefinition, domain: str, local_part: str) -> None:
        alias = await self._services.aliases.create(
            self._actor,
            domain_id=self._domain_ids[domain],
            local_part=local_part,
            integration_id=self._refs.find_id(entry.integration or "") or "",
            forwarded_from=entry.forwarded_from,
            sender_checks=None if entry.sender_checks is None else entry.sender_checks.model_dump(),
            reply_settings=await self._reply_settings(entry),
        )
        if entry.status != alias.status:
            await self._services.aliases.change(self._actor, alias.id, status=entry.status)

    async def _change_alias(self, alias: Alias, entry: AliasDefinition) -> None:
        integration_id = None if entry.integration is None else self._refs.find_id(entry.integration)
        if integration_id == alias.integration_id:
            integration_id = None
        await self._services.aliases.change(
            self._actor,
            alias.id,
            integration_id=integration_id,
            status=entry.status,
            forwarded_from=entry.forwarded_from,
            sender_checks=None if entry.sender_checks is None else entry.sender_checks.model_dump(),
            reply_settings=await self._reply_settings(entry),
        )

    async def _reply_settings(self, entry: AliasDefinition) -> ReplySettingsChange:
        template_id = entry.acknowledge
        if entry.acknowledge:
            template_id = (await self._services.templates.find(self._actor, entry.acknowledge)).id
        return ReplySettingsChange(entry.sender_name, entry.signature, entry.reply_to_token, template_id)

    async def _change_workspace(self, entry: WorkspaceDefinition) -> None:
        default = entry.default_integration
        await self._services.workspaces.change(
            self._actor,
            name=entry.name,
            default_integration_id=self._refs.find_id(default) if default else None,
            clear_default_integration=default == "",
            timezone=entry.timezone,
            locale=entry.locale,
            sender_checks=None if entry.sender_checks is None else entry.sender_checks.model_dump(),
        )

    async def _remove(self, kind: Removable, key: str) -> None:
        match kind:
            case "user":
                await self._services.users.delete(self._actor, key)
            case "domain":
                await self._services.domains.delete(self._actor, key)
            case "integration":
                await self._services.integrations.delete(self._actor, key)
            case "alias":
                await self._services.aliases.delete(self._actor, key)
