"""API calls for the drafts of the authenticated user."""

from __future__ import annotations

from typing import Any

from api.route import Call, Route
from api.schema.drafts import DraftAnswer, DraftParameters, DraftSave
from api.schema.shape import EmptyBody, NoQuery
from router.admin.tickets.drafts import Draft


async def show(call: Call[EmptyBody, DraftParameters]) -> DraftAnswer:
    kind = call.query.kind
    return await _answer(call, kind, await call.services.tickets.drafts.get(call.actor, call.ids["id"], kind))


async def save(call: Call[DraftSave, NoQuery]) -> DraftAnswer:
    body = call.body
    lists = {name: tuple(getattr(body, name)) for name in ("to", "cc", "bcc", "attachments")}
    draft = await call.services.tickets.drafts.save(
        call.actor, call.ids["id"], body.kind, body.text, html=body.html, **lists
    )
    return await _answer(call, body.kind, draft)


async def _answer(call: Call[Any, Any], kind: str, draft: Draft | None) -> DraftAnswer:
    uploads = [] if draft is None else await call.services.uploads.get_many(call.actor, draft.attachments)
    return DraftAnswer.from_draft(kind, draft, uploads)


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
