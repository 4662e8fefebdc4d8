"""API call for the audit log."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.operations import AuditAnswer, AuditList, AuditListParameters
from api.schema.shape import EmptyBody, PageParameters
from router.filters import AuditFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> AuditList:
    query = call.query
    audit_filter = AuditFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.audit.list(call.actor, audit_filter, limit=query.limit, cursor=query.cursor)
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
        query=AuditListParameters,
    ),
)
