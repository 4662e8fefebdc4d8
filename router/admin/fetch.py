"""Fetches objects of the actor's workspace: one by its id, or a page of a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from router.admin import paging, validation
from router.admin.paging import Page
from router.enumerations import IdPrefix
from router.errors import Refused, not_found_error
from router.model import (
    Actor,
    Alias,
    ApiKey,
    AuditEntry,
    CannedResponse,
    Delivery,
    Domain,
    Integration,
    Message,
    Template,
    Ticket,
    User,
)
from router.store.database import QueryExecutor, fetch_model, fetch_models


class Identified(Protocol):
    @property
    def id(self) -> str: ...


M = TypeVar("M", bound=Identified)

# The prefix of the ids, and the noun of the `not_found` error.
_KINDS: Mapping[type[Any], tuple[IdPrefix, str]] = {
    Alias: ("alias", "Alias"),
    ApiKey: ("key", "Key"),
    AuditEntry: ("evt", "Audit entry"),
    CannedResponse: ("can", "Canned response"),
    Delivery: ("dlv", "Delivery"),
    Domain: ("dom", "Domain"),
    Integration: ("int", "Integration"),
    Message: ("msg", "Message"),
    Template: ("tpl", "Template"),
    Ticket: ("ticket", "Ticket"),
    User: ("user", "User"),
}


async def fetch_by_id(executor: QueryExecutor, actor: Actor, model: type[M], query: str, object_id: str) -> M:
    """Raises `not_found` if the id is malformed or the workspace has no such object.

    The number of a ticket is accepted in place of its id.
    """
    prefix, noun = _KINDS[model]
    if model is Ticket:
        object_id = await find_ticket_id(executor, actor, object_id)
    validation.validate_id(object_id, prefix, noun)
    found = await fetch_model(executor, model, query, id=object_id, workspace_id=actor.workspace_id)
    if found is None:
        raise not_found_error(noun)
    return found


async def find_ticket_id(executor: QueryExecutor, actor: Actor, text: str) -> str:
    """Returns the id of the ticket with a number (`42`, `#42`). Returns any other text unchanged."""
    number = validation.parse_ticket_number(text)
    if number is None:
        return text
    row = await executor.fetch_one("ticket_id_by_number", workspace_id=actor.workspace_id, number=number)
    return text if row is None else str(row["id"])


async def lock_integration(transaction: QueryExecutor, actor: Actor, integration_id: str, field: str) -> Integration:
    """Locks an integration that `field` of a request refers to. Raises `invalid_integration` if there is none."""
    integration = await fetch_model(
        transaction, Integration, "integration_lock", id=integration_id, workspace_id=actor.workspace_id
    )
    if integration is None:
        raise Refused("invalid_integration", "Integration not found", field)
    return integration


async def fetch_page(
    executor: QueryExecutor,
    actor: Actor,
    model: type[M],
    query: str,
    *,
    limit: int,
    cursor: str | None,
    **values: object,
) -> Page[M]:
    """Fetches a page of a list that is ordered by id, newest first. `values` are further parameters of `query`."""
    request = paging.page_request(_KINDS[model][0], limit, cursor)
    rows = await fetch_models(
        executor,
        model,
        query,
        workspace_id=actor.workspace_id,
        before=request.position,
        limit=request.row_limit,
        **values,
    )
    return request.to_page(rows, lambda row: row.id)
