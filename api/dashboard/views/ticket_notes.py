"""Internal notes of a ticket: adds, edits and removes them. Saves what is not sent yet, also a reply, as a draft."""

from __future__ import annotations

from api.dashboard.address_fields import split_recipients
from api.dashboard.composer import selected_uploads
from api.dashboard.page import PageRoute, Redirect, Visit
from api.dashboard.views.ticket import show_ticket, ticket_path


async def add_note(visit: Visit) -> Redirect:
    await visit.services.tickets.notes.add(visit.actor, visit.path_params["id"], visit.form.get("text", ""))
    return Redirect(ticket_path(visit), flash="noted")


async def save_draft(visit: Visit) -> Redirect:
    """Saves the draft of a note or a reply; browsers with JavaScript use the REST call."""
    form, drafts = visit.form, visit.services.tickets.drafts
    ticket_id, text = visit.path_params["id"], form.get("text", "")
    if form.get("kind") == "reply":
        to, cc, bcc = (split_recipients(form.get(name, "")) for name in ("to", "cc", "bcc"))
        draft = await drafts.save(
            visit.actor, ticket_id, "reply", text, to=to, cc=cc, bcc=bcc, attachments=tuple(selected_uploads(visit))
        )
    else:
        draft = await drafts.save(visit.actor, ticket_id, "note", text)
    return Redirect(ticket_path(visit), flash="draft-removed" if draft is None else "draft-saved")


async def edit_note(visit: Visit) -> Redirect:
    note_id = visit.path_params["note"]
    text = visit.form.get("text", "")
    await visit.services.tickets.notes.edit(visit.actor, visit.path_params["id"], note_id, text)
    return Redirect(f"{ticket_path(visit)}#{note_id}", flash="note-saved")


async def remove_note(visit: Visit) -> Redirect:
    await visit.services.tickets.notes.remove(visit.actor, visit.path_params["id"], visit.path_params["note"])
    return Redirect(ticket_path(visit), flash="note-removed")


FLASH_MESSAGES = {
    "noted": "Note added.",
    "draft-saved": "Draft saved.",
    "draft-removed": "Draft removed.",
    "note-saved": "Note saved.",
    "note-removed": "Note removed.",
}
PAGES = (
    PageRoute("POST", "/tickets/{id}/notes", add_note, "agent", form_view=show_ticket),
    PageRoute("POST", "/tickets/{id}/draft", save_draft, "agent", form_view=show_ticket, takes_files=True),
    PageRoute("POST", "/tickets/{id}/notes/{note}", edit_note, "agent", form_view=show_ticket),
    PageRoute("POST", "/tickets/{id}/notes/{note}/remove", remove_note, "agent", form_view=show_ticket),
)
