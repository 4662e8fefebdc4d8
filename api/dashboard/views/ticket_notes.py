"""Internal notes of a ticket: adds, edits and removes them, and saves what is not added yet as a draft."""

from __future__ import annotations

from api.dashboard.page import PageRoute, Redirect, Visit
from api.dashboard.views.ticket import show_ticket, ticket_path


async def add_note(visit: Visit) -> Redirect:
    await visit.services.tickets.notes.add(visit.actor, visit.path_params["id"], visit.form.get("text", ""))
    return Redirect(ticket_path(visit), flash="noted")


async def save_draft(visit: Visit) -> Redirect:
    """Saves the draft of a note; browsers with JavaScript use the REST call."""
    text = visit.form.get("text", "")
    draft = await visit.services.tickets.drafts.save(visit.actor, visit.path_params["id"], "note", text)
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
    PageRoute("POST", "/tickets/{id}/draft", save_draft, "agent", form_view=show_ticket),
    PageRoute("POST", "/tickets/{id}/notes/{note}", edit_note, "agent", form_view=show_ticket),
    PageRoute("POST", "/tickets/{id}/notes/{note}/remove", remove_note, "agent", form_view=show_ticket),
)
