"""Exports the configuration of a workspace as a `WorkspaceDocument`.

The export is deterministic, so it can be kept under version control. Applying it to the same workspace changes nothing,
unless a reference resolves to a different secret.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from router.admin.paging import MAX_LIMIT, Page
from router.channels.channel import Channel
from router.checks import policy
from router.model import Actor, Alias, Domain, Integration, User, Workspace
from router.provisioning.document import (
    AliasDefinition,
    CompleteDocument,
    IntegrationDefinition,
    SenderChecksDefinition,
    SendingDefinition,
    UserDefinition,
    WorkspaceDefinition,
    WorkspaceDocument,
)
from router.provisioning.sections import SECTIONS
from router.provisioning.sending_entries import export_sending
from router.services import Services

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The current configuration. Integrations are sorted oldest first, all other lists alphabetically.

    `sections` has the objects of each section of `SECTIONS` by its key.
    """

    workspace: Workspace
    users: tuple[User, ...]
    domains: tuple[Domain, ...]
    integrations: tuple[Integration, ...]
    aliases: tuple[Alias, ...]
    sections: Mapping[str, Sequence[Any]]


async def take_snapshot(services: Services, actor: Actor) -> Snapshot:
    """Reads the configuration in several transactions; concurrent changes may be partly included."""
    users = await _fetch_all_pages(lambda cursor: services.users.list(actor, limit=MAX_LIMIT, cursor=cursor))
    domains = await _fetch_all_pages(lambda cursor: services.domains.list(actor, limit=MAX_LIMIT, cursor=cursor))
    integrations = await _fetch_all_pages(
        lambda cursor: services.integrations.list(actor, limit=MAX_LIMIT, cursor=cursor)
    )
    aliases = await _fetch_all_pages(lambda cursor: services.aliases.list(actor, limit=MAX_LIMIT, cursor=cursor))
    return Snapshot(
        workspace=await services.workspaces.get(actor),
        users=tuple(sorted(users, key=lambda user: user.email)),
        domains=tuple(sorted(domains, key=lambda domain: domain.name)),
        integrations=tuple(sorted(integrations, key=lambda integration: integration.id)),
        aliases=tuple(sorted(aliases, key=lambda alias: (alias.domain, alias.local_key))),
        sections={section.key: await section.read(services, actor) for section in SECTIONS},
    )


def export_document(snapshot: Snapshot, channels: Mapping[str, Channel]) -> WorkspaceDocument:
    """Converts a snapshot to a document. Secrets become references to environment variables."""
    names = Counter(integration.name for integration in snapshot.integrations)
    refs = {each.id: each.id if names[each.name] > 1 else each.name for each in snapshot.integrations}
    settings = _export_settings(snapshot.integrations, channels)
    default = snapshot.workspace.default_integration_id
    template_names = {each.id: each.name for each in snapshot.sections.get("templates", ())}
    sections = {each.key: each.export(snapshot.sections.get(each.key, ())) for each in SECTIONS}
    return CompleteDocument(
        **sections,
        workspace=WorkspaceDefinition(
            name=snapshot.workspace.name,
            default_integration=refs.get(default or "", ""),
            timezone=snapshot.workspace.timezone,
            locale=snapshot.workspace.locale,
            sender_checks=SenderChecksDefinition(**policy.effective_values(snapshot.workspace.check_policy)),
        ),
        domains=[domain.name for domain in snapshot.domains],
        mx_managed_upstream=[domain.name for domain in snapshot.domains if domain.mx_managed == "upstream"],
        sending=_export_sending(snapshot.domains),
        integrations=[
            IntegrationDefinition(
                id=each.id if names[each.name] > 1 else None,
                name=each.name,
                type=each.type,
                settings=settings[each.id],
            )
            for each in snapshot.integrations
        ],
        aliases=[
            _export_alias(alias, refs.get(alias.integration_id or ""), template_names) for alias in snapshot.aliases
        ],
        users=[_export_user(user) for user in snapshot.users],
    )


def _export_user(user: User) -> UserDefinition:
    return UserDefinition(
        email=user.email,
        name=user.name,
        role=user.role,
        disabled=user.disabled_at is not None,
        timezone=user.timezone,
    )


def _export_sending(domains: Iterable[Domain]) -> list[SendingDefinition]:
    taken: set[str] = set()
    return export_sending(domains, lambda name: f"env:{_unique_name(f'SMARTHOST_PASSWORD_{_slug(name)}', taken)}")


def _slug(name: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")


def _export_alias(alias: Alias, integration: str | None, template_names: Mapping[str, str]) -> AliasDefinition:
    """`template_names` has the names of the templates by id."""
    return AliasDefinition(
        address=alias.email,
        integration=integration,
        status=alias.status,
        forwarded_from=alias.forwarded_from,
        sender_checks=_export_overrides(alias),
        sender_name=alias.sender_name or None,
        signature=alias.signature or None,
        reply_to_token=bool(alias.reply_to_token) or None,
        acknowledge=template_names.get(alias.acknowledge_template_id or ""),
    )


def _export_overrides(alias: Alias) -> SenderChecksDefinition | None:
    overrides = policy.read_overrides(alias.check_policy)
    return SenderChecksDefinition(**overrides) if overrides else None


def _export_settings(integrations: Iterable[Integration], channels: Mapping[str, Channel]) -> dict[str, dict[str, str]]:
    """Returns the settings of each integration id.

    The name of each environment variable is unique, such as `SLACK_WEBHOOK_SUPPORT` for the setting `webhook_url`.
    """
    taken: set[str] = set()
    exported: dict[str, dict[str, str]] = {}
    for each in integrations:
        slug = _slug(each.name) or "CHANNEL"
        settings = exported[each.id] = {}
        for field in channels[each.type].fields if each.type in channels else ():
            if field.secret and field.is_set(each):
                name = f"{each.type}_{field.key.removesuffix('_url')}".upper()
                settings[field.key] = f"env:{_unique_name(f'{name}_{slug}', taken)}"
            elif field.name in each.settings:
                settings[field.key] = each.settings[field.name]
    return exported


def _unique_name(base: str, taken: set[str]) -> str:
    name, n = base, 1
    while name in taken:
        n += 1
        name = f"{base}_{n}"
    taken.add(name)
    return name


async def _fetch_all_pages(fetch: Callable[[str | None], Awaitable[Page[T]]]) -> list[T]:
    page = await fetch(None)
    items = list(page.items)
    while page.next_cursor is not None:
        page = await fetch(page.next_cursor)
        items += page.items
    return items
