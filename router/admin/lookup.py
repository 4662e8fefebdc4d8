"""Things by the names that people call them: a domain, an address, a person, a ticket's number; else by their id.

Each method returns the id to hand to a use case. What has the form of an id is taken for one, unlooked at: whether it
exists is the use case's answer. Refusals name what was asked for. Called by the command line.
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
    """Looks in the actor's workspace alone, except `workspace`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_workspaces(self) -> list[Workspace]:
        """Every workspace there is, oldest first."""
        found: list[Workspace] = []
        while True:
            after = found[-1].id if found else ""
            page = await fetch_models(self._database, Workspace, "operator_workspaces", after=after, limit=200)
            found += page
            if len(page) < 200:
                return found

    async def find_workspace(self, text: str) -> Workspace:
        """A workspace by id, or by a name that no other one has."""
        found = [known for known in await self.list_workspaces() if text in (known.id, known.name)]
        if len(found) > 1:
            raise Refused("conflict", f"Workspace name {text!r} is ambiguous: use the id ({_format_ids(found)})")
        if not found:
            raise Refused("not_found", f"Workspace {text!r} not found")
        return found[0]

    async def find_domain_id(self, actor: Actor, text: str) -> str:
        """By name, in either form of an international one."""
        if ids.looks_valid(text, "dom"):
            return text
        try:
            name = domain_key(text.strip())
        except AddressError:
            name = text
        row = await self._database.fetch_one("operator_domain", workspace_id=actor.workspace_id, name=name)
        return _require_id(row, "Domain", text)

    async def find_alias_id(self, actor: Actor, text: str) -> str:
        """By address; `*@domain` is the catch-all."""
        if ids.looks_valid(text, "alias"):
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
        """By a name that no other one has."""
        if ids.looks_valid(text, "int"):
            return text
        rows = await self._database.fetch_all("operator_integrations", workspace_id=actor.workspace_id, name=text)
        if len(rows) > 1:
            raise Refused("conflict", f"Integration name {text!r} is ambiguous: use the id")
        return _require_id(rows[0] if rows else None, "Integration", text)

    async def find_user_id(self, actor: Actor, text: str) -> str:
        """By address."""
        if ids.looks_valid(text, "user"):
            return text
        if "@" not in text:
            raise Refused("invalid_request", f"{text!r} is neither an email address nor a user id")
        user = await fetch_model(self._database, User, "user_by_email", email=normalize_email(text))
        known = user is not None and user.workspace_id == actor.workspace_id
        return _require_id({"id": user.id} if user is not None and known else None, "User", text)

    async def find_ticket_id(self, actor: Actor, text: str) -> str:
        """By number, with or without its `#`."""
        if ids.looks_valid(text, "ticket"):
            return text
        number = validation.parse_ticket_number(text)
        if number is None:
            raise Refused("invalid_request", f"{text!r} is neither a ticket number nor a ticket id")
        row = await self._database.fetch_one("operator_ticket", workspace_id=actor.workspace_id, number=number)
        return _require_id(row, "Ticket", text)


def _require_id(row: Row | None, what: str, text: str) -> str:
    if row is None:
        raise Refused("not_found", f"{what} {text!r} not found in this workspace")
    found: str = row["id"]
    return found


def _format_ids(workspaces: list[Workspace]) -> str:
    return ", ".join(workspace.id for workspace in workspaces)
