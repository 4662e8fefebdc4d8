"""Normalisation of the entries of a `WorkspaceDocument`, and the references between them. Pure.

Functions with a `location` raise `InvalidDocument` for invalid values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from router.admin import validation
from router.admin.routes.aliases import normalize_forwarded_from, normalize_local_part
from router.checks import policy
from router.errors import Refused
from router.local_time import LOCALE
from router.mail.address import AddressError, domain_key, local_key
from router.model import Integration
from router.provisioning.document import AliasDefinition, IntegrationDefinition, WorkspaceDocument
from router.provisioning.entry import InvalidDocument, normalize
from router.provisioning.reply_settings import normalize_reply_settings


def normalize_document(document: WorkspaceDocument, existing: Collection[str]) -> WorkspaceDocument:
    """Normalises the names in the document, and checks time zones and locale. Raises `InvalidDocument`.

    `existing` names and ids are not validated, because they may predate the current rules.
    """

    def normalize_name(name: str, location: str, key: str) -> str:
        return (
            name
            if name in existing
            else normalize(lambda text: validation.validate_line(text, key), name, f"{location}.{key}")
        )

    _check_local_settings(document)
    _check_sender_checks(document)
    workspace, users, integrations, aliases = (
        document.workspace,
        document.users,
        document.integrations,
        document.aliases,
    )
    if workspace.name is not None:
        workspace = workspace.model_copy(update={"name": normalize_name(workspace.name, "workspace", "name")})
    if workspace.default_integration:
        ref = normalize_name(workspace.default_integration, "workspace", "default_integration")
        workspace = workspace.model_copy(update={"default_integration": ref})
    if users is not None:
        users = [
            user.model_copy(update={"name": normalize_name(user.name, f"users[{n}]", "name")}) if user.name else user
            for n, user in enumerate(users, start=1)
        ]
    if integrations is not None:
        integrations = [
            each.model_copy(update={"name": normalize_name(each.name, f"integrations[{n}]", "name")})
            for n, each in enumerate(integrations, start=1)
        ]
    if aliases is not None:
        aliases = [
            alias.model_copy(update={"integration": normalize_name(alias.integration, f"aliases[{n}]", "integration")})
            if alias.integration is not None
            else alias
            for n, alias in enumerate(aliases, start=1)
        ]
        aliases = [_normalize_forwarded_from(alias, f"aliases[{n}]") for n, alias in enumerate(aliases, start=1)]
        aliases = [normalize_reply_settings(alias, f"aliases[{n}]") for n, alias in enumerate(aliases, start=1)]
    return document.model_copy(
        update={"workspace": workspace, "users": users, "integrations": integrations, "aliases": aliases}
    )


def _check_local_settings(document: WorkspaceDocument) -> None:
    workspace = document.workspace
    if workspace.timezone is not None:
        normalize(validation.validate_timezone, workspace.timezone, "workspace.timezone")
    if workspace.locale is not None:
        normalize(LOCALE.parse, workspace.locale, "workspace.locale")
    for n, user in enumerate(document.users or (), start=1):
        if user.timezone:
            normalize(validation.validate_timezone, user.timezone, f"users[{n}].timezone")


def _check_sender_checks(document: WorkspaceDocument) -> None:
    entries = [("workspace", document.workspace.sender_checks)]
    entries += [(f"aliases[{n}]", alias.sender_checks) for n, alias in enumerate(document.aliases or (), start=1)]
    for location, entry in entries:
        if entry is not None:
            try:
                policy.change_overrides("{}", entry.model_dump())
            except Refused as refused:
                raise InvalidDocument(f"{location}.sender_checks: {refused.message}") from None


def _normalize_forwarded_from(alias: AliasDefinition, location: str) -> AliasDefinition:
    if alias.forwarded_from is None:
        return alias
    key = alias_key(alias.address, location)
    address = normalize(
        lambda text: normalize_forwarded_from(text, key, "forwarded_from"), alias.forwarded_from, location
    )
    return alias.model_copy(update={"forwarded_from": address})


def alias_key(address: str, location: str) -> tuple[str, str]:
    """Returns (domain, local key) of an address."""
    local, at, domain = address.strip().rpartition("@")
    try:
        if at and local and domain:
            name = domain_key(domain)
            try:
                return name, normalize_local_part(local, name).key
            except Refused:
                return name, local_key(local)
    except AddressError:
        pass
    raise InvalidDocument(f"{location}.address: {address!r} is not a valid email address")


def new_local_part(address: str, domain: str, location: str) -> str:
    local = address.strip().rpartition("@")[0]
    return normalize(lambda text: normalize_local_part(text, domain).written, local, f"{location}.address")


def match_integrations(
    entries: Iterable[IntegrationDefinition], existing: Sequence[Integration]
) -> list[tuple[IntegrationDefinition, Integration | None]]:
    """Pairs each entry with the existing integration of the same id or name; with None if the entry is new."""
    by_id = {integration.id: integration for integration in existing}
    entry_list = list(entries)
    matches = {n: by_id[entry.id] for n, entry in enumerate(entry_list) if entry.id in by_id}
    unmatched = [integration for integration in existing if integration not in matches.values()]
    for n, entry in enumerate(entry_list):
        if n not in matches:
            match = next((integration for integration in unmatched if integration.name == entry.name), None)
            if match is not None:
                unmatched.remove(match)
                matches[n] = match
    return [(entry, matches.get(n)) for n, entry in enumerate(entry_list)]


class IntegrationReferences:
    """Resolves references to integrations: a unique name or an id.

    Integrations of the document take precedence over those of the workspace.
    """

    def __init__(self, existing: Sequence[Integration]) -> None:
        self._names = {integration.id: integration.name for integration in existing}
        self._ids: dict[str, str | None] = {}
        self._ambiguous: set[str] = set()
        self._in_document: set[str] = set()
        for integration in existing:
            self._ids[integration.id] = integration.id
            if integration.name in self._ids:
                self._ambiguous.add(integration.name)
            self._ids[integration.name] = integration.id

    def add_entry(self, entry: IntegrationDefinition, current: Integration | None, location: str) -> None:
        """Adds an integration of the document. Raises `InvalidDocument` for a duplicate."""
        if entry.ref in self._in_document:
            raise InvalidDocument(
                f"{location}: integration {entry.ref!r} is listed twice: give each entry an id and refer to it by id"
            )
        self._in_document.add(entry.ref)
        self._ambiguous.discard(entry.ref)
        self._ids[entry.ref] = None if current is None else current.id

    def require(self, ref: str, location: str) -> None:
        """Raises `InvalidDocument` if the reference is unknown or ambiguous."""
        if ref not in self._ids:
            raise InvalidDocument(f"{location}: {ref!r} is not an integration of this workspace or file")
        if ref in self._ambiguous:
            raise InvalidDocument(f"{location}: integration name {ref!r} is ambiguous: refer to it by its id")

    def set_created(self, entry: IntegrationDefinition, integration: Integration) -> None:
        self._ids[entry.ref] = integration.id

    def find_id(self, ref: str) -> str | None:
        """Returns the id, or None if the integration is unknown or not created yet."""
        return self._ids.get(ref)

    def find_name(self, integration_id: str | None) -> str | None:
        """Returns the name of an integration for display, or its id if the integration is unknown; None for None."""
        return None if integration_id is None else self._names.get(integration_id, integration_id)
