"""API calls for the drafts of the authenticated user."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.drafts import DraftAnswer, DraftParameters, DraftSave
from api.schema.shape import EmptyBody, NoQuery


async def show(call: Call[EmptyBody, DraftParameters]) -> DraftAnswer:
    kind = call.query.kind
    return DraftAnswer.from_draft(kind, await call.services.tickets.drafts.get(call.actor, call.ids["id"], kind))


async def save(call: Call[DraftSave, NoQuery]) -> DraftAnswer:
    body = call.body
    draft = await call.services.tickets.drafts.save(call.actor, call.ids["id"], body.kind, body.text)
    return DraftAnswer.from_draft(body.kind, draft)


async def delete(call: Call[EmptyBody, DraftParameters]) -> None:
    await call.services.tickets.drafts.delete(call.actor, call.ids["id"], call.query.kind)


_PATH = "/emails/tickets/{id}/draft"
ROUTES = (
    Route("GET", _PATH, "getTicketDraft", show, "Get your draft", "agent", DraftAnswer, query=DraftParameters),
    Route("PUT", _PATH, "saveTicketDraft", save, "Save your draft", "agent", DraftAnswer, body=DraftSave),
    Route(
        "DELETE", _PATH, "deleteTicketDraft", delete, "Delete your draft", "agent", query=DraftParameters, status=204
    ),
)
