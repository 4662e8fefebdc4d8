"""API call for the audit log."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.operations import AuditAnswer, AuditList
from api.schema.shape import EmptyBody, PageParameters


async def list_page(call: Call[EmptyBody, PageParameters]) -> AuditList:
    page = await call.services.audit.list(call.actor, limit=call.query.limit, cursor=call.query.cursor)
    return AuditList(audit=[AuditAnswer.from_model(entry) for entry in page.items], next_cursor=page.next_cursor)


ROUTES = (
    Route(
        "GET",
        "/audit",
        "listAuditEntries",
        list_page,
        "List audit log entries",
        "admin",
        AuditList,
        query=PageParameters,
    ),
)
