"""The canned responses of a workspace: texts for a part of a reply, at one alias or at all of them.

Agents use them, and only admins change them.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass, replace

from router import ids
from router.admin import audit, validation
from router.admin.fetch import fetch_by_id, fetch_page
from router.admin.paging import DEFAULT_LIMIT, Page
from router.admin.templates.ticket_values import TicketValues
from router.clock import Clock
from router.errors import Refused, not_found_error
from router.filters import CannedResponseFilter
from router.model import Actor, Alias, CannedResponse
from router.replies import placeholders
from router.replies.placeholders import Rendered
from router.store.database import Database, QueryExecutor, fetch_model, fetch_models, retry_on_conflict
from router.store.fragments import model_values
from router.tag import caseless_key

MAX_CANNED_RESPONSES = 200  # for each workspace
MAX_TITLE_LENGTH = 100
MAX_BODY_LENGTH = 5000
ALL_ALIASES = ""  # the `alias_id` of a change that makes a canned response one for all aliases
_ALL_RESPONSES = CannedResponseFilter()


@dataclass(frozen=True, slots=True)
class CannedResponseChange:
    """The fields of a canned response that are set. None keeps a value."""

    title: str | None = None
    body: str | None = None
    alias_id: str | None = None


class CannedResponseService:
    """Manages the canned responses of the actor's workspace.

    Titles are unique regardless of case, separately for each alias and for all aliases.
    """

    def __init__(self, database: Database, clock: Clock, *, link_base: str | None) -> None:
        self._database = database
        self._clock = clock
        self._values = TicketValues(database, clock, link_base=link_base)

    async def list(
        self,
        actor: Actor,
        response_filter: CannedResponseFilter = _ALL_RESPONSES,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[CannedResponse]:
        return await fetch_page(
            self._database,
            actor,
            CannedResponse,
            "canned_response_page",
            limit=limit,
            cursor=cursor,
            **response_filter.parameters(),
        )

    async def list_all(self, actor: Actor) -> builtins.list[CannedResponse]:
        """Lists the canned responses in alphabetical order."""
        found = await fetch_models(
            self._database, CannedResponse, "canned_response_list", workspace_id=actor.workspace_id
        )
        return sorted(found, key=lambda response: caseless_key(response.title))

    async def list_usable(self, actor: Actor, alias_id: str | None) -> builtins.list[CannedResponse]:
        """Lists those for answers from an alias in alphabetical order: its own, and those for all aliases."""
        return [response for response in await self.list_all(actor) if response.alias_id in (None, alias_id)]

    async def get(self, actor: Actor, response_id: str) -> CannedResponse:
        return await fetch_by_id(self._database, actor, CannedResponse, "canned_response_by_id", response_id)

    async def find(self, actor: Actor, title_or_id: str) -> CannedResponse:
        """Returns the canned response with an id or a title. Raises `conflict` if several have the title."""
        found = await self.list_all(actor)
        key = caseless_key(title_or_id)
        matches = [each for each in found if each.id == title_or_id] or [
            each for each in found if caseless_key(each.title) == key
        ]
        if not matches:
            raise not_found_error("Canned response")
        if len(matches) > 1:
            raise Refused("conflict", f"Title {title_or_id!r} is ambiguous: use the id")
        return matches[0]

    @retry_on_conflict
    async def create(self, actor: Actor, *, title: str, body: str, alias_id: str | None = None) -> CannedResponse:
        """Creates a canned response, for all aliases if `alias_id` is None.

        Raises:
            Refused: `unknown_placeholder`; `not_found` for the alias; `conflict` if the title is taken, or the limit is
                reached.
        """
        now = self._clock.now()
        empty = CannedResponse(ids.new_id("can"), actor.workspace_id, None, "", "", now, now)
        response = apply_change(empty, CannedResponseChange(title, body, alias_id))
        async with self._database.transaction() as transaction:
            await transaction.fetch_one("workspace_lock", id=actor.workspace_id)
            await _require_alias(transaction, actor, response)
            await _require_title(transaction, actor, response)
            await transaction.execute("canned_response_insert", **model_values(response))
            await audit.record(transaction, actor, now, "canned_response.create", response.id, title=response.title)
        return response

    @retry_on_conflict
    async def change(self, actor: Actor, response_id: str, change: CannedResponseChange) -> CannedResponse:
        """Changes the given fields. Raises `Refused` like `create`."""
        async with self._database.transaction() as transaction:
            await transaction.fetch_one("workspace_lock", id=actor.workspace_id)
            current = await fetch_by_id(transaction, actor, CannedResponse, "canned_response_by_id", response_id)
            changed = apply_change(current, change)
            if changed == current:
                return current
            changed = replace(changed, updated_at=self._clock.now())
            await _require_alias(transaction, actor, changed)
            await _require_title(transaction, actor, changed)
            await transaction.execute("canned_response_update", **model_values(changed))
            await audit.record(
                transaction,
                actor,
                changed.updated_at,
                "canned_response.change",
                response_id,
                title=changed.title,
                before={"title": current.title},
            )
        return changed

    async def delete(self, actor: Actor, response_id: str) -> None:
        async with self._database.transaction() as transaction:
            response = await fetch_by_id(transaction, actor, CannedResponse, "canned_response_by_id", response_id)
            await transaction.execute("canned_response_delete", id=response.id, workspace_id=actor.workspace_id)
            await audit.record(
                transaction, actor, self._clock.now(), "canned_response.delete", response.id, title=response.title
            )

    async def render(self, actor: Actor, response_id: str, ticket_id: str) -> Rendered:
        """Renders a canned response for a ticket, which is given by its id or number."""
        response = await self.get(actor, response_id)
        return placeholders.render(response.body, await self._values.read(actor, ticket_id))

    async def preview(self, actor: Actor, response: CannedResponse, ticket_id: str = "") -> Rendered:
        """Renders a canned response for a ticket; without one, with the values of an invented ticket."""
        return placeholders.render(response.body, await self._values.read_or_sample(actor, ticket_id))


async def _require_alias(transaction: QueryExecutor, actor: Actor, response: CannedResponse) -> None:
    if response.alias_id is None:
        return
    alias = await fetch_model(transaction, Alias, "alias_by_id", id=response.alias_id, workspace_id=actor.workspace_id)
    if alias is None:
        raise Refused("not_found", "Alias not found", "aliasId")


async def _require_title(transaction: QueryExecutor, actor: Actor, response: CannedResponse) -> None:
    """Raises `conflict` if the title is taken or the limit is reached. The workspace must be locked."""
    rows = await transaction.fetch_all("canned_response_titles", workspace_id=actor.workspace_id)
    others = [row for row in rows if row["id"] != response.id]
    titles = {caseless_key(row["title"]) for row in others if row["alias_id"] == response.alias_id}
    if caseless_key(response.title) in titles:
        raise Refused("conflict", f"The canned response {response.title} already exists", "title")
    if len(others) >= MAX_CANNED_RESPONSES:
        limit = f"A workspace must not have more than {MAX_CANNED_RESPONSES} canned responses: remove others"
        raise Refused("conflict", limit)


def apply_change(response: CannedResponse, change: CannedResponseChange) -> CannedResponse:
    """Returns the canned response with the changes, normalised. Raises `Refused`."""
    changed = response
    if change.title is not None:
        title = validation.validate_line(change.title, "title", max_length=MAX_TITLE_LENGTH)
        changed = replace(changed, title=title)
    if change.body is not None:
        body = validation.validate_text(change.body, "body", max_length=MAX_BODY_LENGTH)
        placeholders.validate(body, "body")
        changed = replace(changed, body=body)
    if change.alias_id is not None:
        changed = replace(changed, alias_id=change.alias_id or None)
    return changed
