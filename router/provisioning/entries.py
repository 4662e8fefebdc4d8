"""Normalization of the entries of a `WorkspaceDocument`, and the references between them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

from router.admin import validation
from router.admin.routes.aliases import normalize_local_part
from router.errors import Refused
from router.local_time import LOCALES
from router.mail.address import AddressError, domain_key, local_key
from router.model import Integration
from router.provisioning.document import IntegrationEntry, InvalidDocument, WorkspaceDocument
from router.routing.senders import entry_form

K = TypeVar("K")
V = TypeVar("V")


def index_unique(part: str, key: str, pairs: Iterable[tuple[K, V]]) -> dict[K, V]:
    """The entries by what tells them apart; raises `InvalidDocument` when two are the same."""
    found: dict[K, V] = {}
    for n, (name, entry) in enumerate(pairs, start=1):
        if name in found:
            said = "@".join(reversed(name)) if isinstance(name, tuple) else name
            raise InvalidDocument(f"{part}[{n}]{f'.{key}' if key else ''}: {said} is listed twice")
        found[name] = entry
    return found


def normalize(rule: Callable[[str], str], text: str, place: str) -> str:
    """The text in its one form; what the rule refuses is the file's fault."""
    try:
        return rule(text)
    except Refused as refused:
        raise InvalidDocument(f"{place}: {refused.message}") from None


def normalize_document(wanted: WorkspaceDocument, known: Collection[str]) -> WorkspaceDocument:
    """Normalizes the names in the document. Raises `InvalidDocument` for an invalid name.

    Args:
        wanted: The document.
        known: Existing names and ids. They are not validated, because they may predate the current rules.
    """

    def form(name: str, place: str, key: str) -> str:
        return (
            name
            if name in known
            else normalize(lambda text: validation.validate_line(text, key), name, f"{place}.{key}")
        )

    _check_local_settings(wanted)
    workspace, users, integrations, aliases = wanted.workspace, wanted.users, wanted.integrations, wanted.aliases
    if workspace.name is not None:
        workspace = workspace.model_copy(update={"name": form(workspace.name, "workspace", "name")})
    if workspace.default_integration:
        ref = form(workspace.default_integration, "workspace", "default_integration")
        workspace = workspace.model_copy(update={"default_integration": ref})
    if users is not None:
        users = [
            user.model_copy(update={"name": form(user.name, f"users[{n}]", "name")}) if user.name else user
            for n, user in enumerate(users, start=1)
        ]
    if integrations is not None:
        integrations = [
            each.model_copy(update={"name": form(each.name, f"integrations[{n}]", "name")})
            for n, each in enumerate(integrations, start=1)
        ]
    if aliases is not None:
        aliases = [
            alias.model_copy(update={"integration": form(alias.integration, f"aliases[{n}]", "integration")})
            if alias.integration is not None
            else alias
            for n, alias in enumerate(aliases, start=1)
        ]
    return wanted.model_copy(
        update={"workspace": workspace, "users": users, "integrations": integrations, "aliases": aliases}
    )


def _check_local_settings(wanted: WorkspaceDocument) -> None:
    """Raises `InvalidDocument` for an unknown time zone or locale."""
    workspace = wanted.workspace
    if workspace.timezone is not None:
        normalize(validation.validate_timezone, workspace.timezone, "workspace.timezone")
    if workspace.locale is not None:
        normalize(
            lambda text: validation.validate_choice(text, LOCALES, "locale"), workspace.locale, "workspace.locale"
        )
    for n, user in enumerate(wanted.users or (), start=1):
        if user.timezone:
            normalize(validation.validate_timezone, user.timezone, f"users[{n}].timezone")


def alias_key(address: str, place: str) -> tuple[str, str]:
    """(domain, local key) of an alias's address; raises `InvalidDocument`. Whether it may be had: `new_alias`."""
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
    raise InvalidDocument(f"{place}.address: {address!r} is not a valid email address")


def new_local_part(address: str, domain: str, place: str) -> str:
    """The local part of an alias that is to be made; raises `InvalidDocument`."""
    local = address.strip().rpartition("@")[0]
    return normalize(lambda text: normalize_local_part(text, domain).written, local, f"{place}.address")


def normalize_blocked_sender(text: str) -> str:
    """The one form of a blocked sender; raises `InvalidDocument`."""
    try:
        return entry_form(text)
    except ValueError as error:
        raise InvalidDocument(f"blocked_senders: {text!r} {error}") from None


def match_integrations(
    entries: Iterable[IntegrationEntry], known: Sequence[Integration]
) -> list[tuple[IntegrationEntry, Integration | None]]:
    """Each entry with the integration it stands for: by its id where that is known, else by name, oldest first."""
    by_id = {integration.id: integration for integration in known}
    listed = list(entries)
    chosen = {n: by_id[entry.id] for n, entry in enumerate(listed) if entry.id in by_id}
    free = [integration for integration in known if integration not in chosen.values()]
    for n, entry in enumerate(listed):
        if n not in chosen:
            found = next((integration for integration in free if integration.name == entry.name), None)
            if found is not None:
                free.remove(found)
                chosen[n] = found
    return [(entry, chosen.get(n)) for n, entry in enumerate(listed)]


class IntegrationReferences:
    """What integrations are called by aliases and the workspace: a name that is unique, or an id.

    What the file has comes before what the workspace has; what will be made has no id until it is.
    """

    def __init__(self, known: Sequence[Integration]) -> None:
        self._names = {integration.id: integration.name for integration in known}
        self._ids: dict[str, str | None] = {}
        self._ambiguous: set[str] = set()
        self._of_file: set[str] = set()
        for integration in known:
            self._ids[integration.id] = integration.id
            if integration.name in self._ids:
                self._ambiguous.add(integration.name)
            self._ids[integration.name] = integration.id

    def add_entry(self, entry: IntegrationEntry, current: Integration | None, place: str) -> None:
        """An entry of the file: what is there already, or will be made."""
        if entry.ref in self._of_file:
            raise InvalidDocument(
                f"{place}: integration {entry.ref!r} is listed twice: give each entry an id and refer to it by that id"
            )
        self._of_file.add(entry.ref)
        self._ambiguous.discard(entry.ref)
        self._ids[entry.ref] = None if current is None else current.id

    def require(self, ref: str, place: str) -> None:
        """Raises `InvalidDocument` for a reference to nothing, or to one of several."""
        if ref not in self._ids:
            raise InvalidDocument(f"{place}: {ref!r} is not an integration of this workspace or file")
        if ref in self._ambiguous:
            raise InvalidDocument(f"{place}: integration name {ref!r} is ambiguous: refer to it by its id")

    def set_created(self, entry: IntegrationEntry, integration: Integration) -> None:
        """It has an id now."""
        self._ids[entry.ref] = integration.id

    def find_id(self, ref: str) -> str | None:
        """None while it is not made yet."""
        return self._ids.get(ref)

    def find_name(self, integration_id: str | None) -> str | None:
        """For people."""
        return None if integration_id is None else self._names.get(integration_id, integration_id)
