"""What a workspace is configured to, gathered (`Snapshot`) and written as a `WorkspaceDocument`.

The same configuration always gives the same text, so that it can lie in a repository. Applying it to the workspace
that it came from changes nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from router.admin.access.users import UserService
from router.admin.domains.domains import DomainService
from router.admin.installation.workspaces import WorkspaceService
from router.admin.paging import MAX_LIMIT, Page
from router.admin.routes.aliases import AliasService
from router.admin.routes.blocked_senders import BlockedSenderService
from router.admin.routes.integrations import IntegrationService
from router.model import Actor, Alias, Domain, Integration, User, Workspace
from router.provisioning.document import AliasEntry, IntegrationEntry, UserEntry, WorkspaceDocument, WorkspaceEntry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProvisioningServices:
    """The use cases that a configuration is read and changed by."""

    workspaces: WorkspaceService
    users: UserService
    domains: DomainService
    integrations: IntegrationService
    aliases: AliasService
    blocked_senders: BlockedSenderService


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A workspace as it is now; integrations oldest first, all else by name."""

    workspace: Workspace
    users: tuple[User, ...]
    domains: tuple[Domain, ...]
    integrations: tuple[Integration, ...]
    aliases: tuple[Alias, ...]
    blocked_senders: tuple[str, ...]


async def take_snapshot(parts: ProvisioningServices, actor: Actor) -> Snapshot:
    """Read part by part: what changes meanwhile may be in or not."""
    users = await _fetch_all_pages(lambda cursor: parts.users.list(actor, limit=MAX_LIMIT, cursor=cursor))
    domains = await _fetch_all_pages(lambda cursor: parts.domains.list(actor, limit=MAX_LIMIT, cursor=cursor))
    integrations = await _fetch_all_pages(lambda cursor: parts.integrations.list(actor, limit=MAX_LIMIT, cursor=cursor))
    aliases = await _fetch_all_pages(lambda cursor: parts.aliases.list(actor, limit=MAX_LIMIT, cursor=cursor))
    return Snapshot(
        workspace=await parts.workspaces.get(actor),
        users=tuple(sorted(users, key=lambda user: user.email)),
        domains=tuple(sorted(domains, key=lambda domain: domain.name)),
        integrations=tuple(sorted(integrations, key=lambda integration: integration.id)),
        aliases=tuple(sorted(aliases, key=lambda alias: (alias.domain, alias.local_key))),
        blocked_senders=tuple(sorted(await parts.blocked_senders.list_all(actor.workspace_id))),
    )


def export_document(found: Snapshot) -> WorkspaceDocument:
    """The snapshot as a file's contents; secrets become references to variables that are named after their use."""
    names = Counter(integration.name for integration in found.integrations)
    refs = {each.id: each.id if names[each.name] > 1 else each.name for each in found.integrations}
    variables = _variable_names(found.integrations)
    default = found.workspace.default_integration_id
    return WorkspaceDocument(
        workspace=WorkspaceEntry(
            name=found.workspace.name,
            default_integration=refs.get(default or "", ""),
            timezone=found.workspace.timezone,
            locale=found.workspace.locale,
        ),
        domains=[domain.name for domain in found.domains],
        mx_managed_upstream=[domain.name for domain in found.domains if domain.mx_managed == "upstream"],
        blocked_senders=list(found.blocked_senders),
        integrations=[
            IntegrationEntry(
                id=each.id if names[each.name] > 1 else None,
                name=each.name,
                type=each.type,
                webhook_url=f"env:{variables[each.id]}",
            )
            for each in found.integrations
        ],
        aliases=[
            AliasEntry(address=alias.email, integration=refs.get(alias.integration_id or ""), status=alias.status)
            for alias in found.aliases
        ],
        users=[
            UserEntry(
                email=user.email,
                name=user.name,
                role=user.role,
                disabled=user.disabled_at is not None,
                timezone=user.timezone,
            )
            for user in found.users
        ],
    )


def _variable_names(integrations: tuple[Integration, ...]) -> dict[str, str]:
    """A variable's name for each integration, like `SLACK_WEBHOOK_SUPPORT`; no two are the same."""
    taken: set[str] = set()
    names = {}
    for each in integrations:
        slug = re.sub(r"[^A-Z0-9]+", "_", each.name.upper()).strip("_") or "CHANNEL"
        base = name = f"{re.sub(r'[^A-Z0-9]+', '_', each.type.upper())}_WEBHOOK_{slug}"
        n = 1
        while name in taken:
            n += 1
            name = f"{base}_{n}"
        taken.add(name)
        names[each.id] = name
    return names


async def _fetch_all_pages(fetch: Callable[[str | None], Awaitable[Page[T]]]) -> list[T]:
    page = await fetch(None)
    items = list(page.items)
    while page.next_cursor is not None:
        page = await fetch(page.next_cursor)
        items += page.items
    return items
