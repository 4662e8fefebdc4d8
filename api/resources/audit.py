"""Who changed what."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.operations import AuditAnswer, AuditList
from api.schema.shape import EmptyBody, PageParameters


async def page(call: Call[EmptyBody, PageParameters]) -> AuditList:
    found = await call.services.audit.list(call.actor, limit=call.query.limit, cursor=call.query.cursor)
    return AuditList(audit=[AuditAnswer.from_model(entry) for entry in found.items], next_cursor=found.next_cursor)


ROUTES = (Route("GET", "/audit", page, "Audit log, newest first", "admin", AuditList, query=PageParameters),)
