"""Finds objects by the names that people use, such as domain names, email addresses and ticket numbers.

Text in the form of an id is returned unchanged, except by `find_workspace`.
"""

from __future__ import annotations

from router import ids
from router.admin import validation
from router.admin.access.users import normalize_email
from router.errors import Refused
from router.mail.address import AddressError, domain_key, local_key
from router.model import Actor, User, Workspace
from router.store.database import Database, Row, fetch_model, fetch_models


class LookupService:
    """Searches the actor's workspace. The methods for workspaces search all workspaces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_workspaces(self) -> list[Workspace]:
        workspaces: list[Workspace] = []
        while True:
            after = workspaces[-1].id if workspaces else ""
            page = await fetch_models(self._database, Workspace, "operator_workspaces", after=after, limit=200)
            workspaces += page
            if len(page) < 200:
                return workspaces

    async def find_workspace(self, text: str) -> Workspace:
        matches = [each for each in await self.list_workspaces() if text in (each.id, each.name)]
        if len(matches) > 1:
            raise Refused("conflict", f"Workspace name {text!r} is ambiguous: use the id ({_format_ids(matches)})")
        if not matches:
            raise Refused("not_found", f"Workspace {text!r} not found")
        return matches[0]

    async def find_domain_id(self, actor: Actor, text: str) -> str:
        """`text` is a domain name in A-labels or U-labels, or an id."""
        if ids.is_well_formed(text, "dom"):
            return text
        try:
            name = domain_key(text.strip())
        except AddressError:
            name = text
        row = await self._database.fetch_one("operator_domain", workspace_id=actor.workspace_id, name=name)
        return _require_id(row, "Domain", text)

    async def find_alias_id(self, actor: Actor, text: str) -> str:
        """`*@domain` finds the catch-all."""
        if ids.is_well_formed(text, "alias"):
            return text
        local, at, domain = text.strip().rpartition("@")
        if not at:
            raise Refused("invalid_request", f"{text!r} is neither an email address nor an alias id")
        try:
            name = domain_key(domain)
        except AddressError:
            name = domain
        row = await self._database.fetch_one(
            "operator_alias", workspace_id=actor.workspace_id, domain=name, local_key=local_key(local)
        )
        return _require_id(row, "Alias", text)

    async def find_integration_id(self, actor: Actor, text: str) -> str:
        if ids.is_well_formed(text, "int"):
            return text
        rows = await self._database.fetch_all("operator_integrations", workspace_id=actor.workspace_id, name=text)
        if len(rows) > 1:
            raise Refused("conflict", f"Integration name {text!r} is ambiguous: use the id")
        return _require_id(rows[0] if rows else None, "Integration", text)

    async def find_user_id(self, actor: Actor, text: str) -> str:
        if ids.is_well_formed(text, "user"):
            return text
        if "@" not in text:
            raise Refused("invalid_request", f"{text!r} is neither an email address nor a user id")
        user = await fetch_model(self._database, User, "user_by_email", email=normalize_email(text))
        is_member = user is not None and user.workspace_id == actor.workspace_id
        return _require_id({"id": user.id} if user is not None and is_member else None, "User", text)

    async def find_ticket_id(self, actor: Actor, text: str) -> str:
        if ids.is_well_formed(text, "ticket"):
            return text
        number = validation.parse_ticket_number(text)
        if number is None:
            raise Refused("invalid_request", f"{text!r} is neither a ticket number nor a ticket id")
        row = await self._database.fetch_one("ticket_id_by_number", workspace_id=actor.workspace_id, number=number)
        return _require_id(row, "Ticket", text)


def _require_id(row: Row | None, resource: str, text: str) -> str:
    if row is None:
        raise Refused("not_found", f"{resource} {text!r} not found in this workspace")
    object_id: str = row["id"]
    return object_id


def _format_ids(workspaces: list[Workspace]) -> str:
    return ", ".join(workspace.id for workspace in workspaces)
