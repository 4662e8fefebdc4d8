"""`/tickets/{id}`: the conversation of a ticket and its actions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any
from urllib.parse import quote

from markupsafe import escape

from api.dashboard import display_names, message_display, reply_link, users
from api.dashboard.change_feed import newest_id
from api.dashboard.page import HtmlPage, PageRoute, Redirect, Visit
from router.admin.paging import MAX_LIMIT
from router.admin.tickets.timeline import MessageExcerpt, Timeline, TimelineEntry
from router.choice import Choice
from router.enumerations import TICKET_CHOICES, TICKET_STATUS
from router.filters import DeliveryFilter
from router.mail.contents import Attachment
from router.model import TicketEvent

# Maximum bytes of HTML for the texts on a page. The ticket's first and newest messages do not count.
MAX_TEXT_BYTES = 40_000
MAX_FILE_LIST_BYTES = 20_000  # maximum bytes of HTML for the file lists on a page
MIN_TEXT_BYTES = 600  # bytes of HTML allowed for the text of each message, even beyond MAX_TEXT_BYTES
MIN_FILES = 3  # number of files listed for each message, even beyond MAX_FILE_LIST_BYTES
_FILE_LINK_BYTES = 200  # approximate HTML size of a file's link, without the file name


@dataclass(frozen=True, slots=True)
class PageEntry:
    """A message, note or change on the page.

    `text` and `files` are the shown parts. `omitted_before` counts the entries omitted directly before this one.
    """

    event: TicketEvent
    detail: dict[str, Any]
    omitted_before: int
    position: str
    message: MessageExcerpt | None = None
    text: str = ""
    is_truncated: bool = False
    files: tuple[Attachment, ...] = ()
    more_files: int = 0


async def show_ticket(visit: Visit) -> HtmlPage:
    newest = newest_id(await visit.services.tickets.list_newest_ids(visit.actor))
    before = visit.query.get("before")
    timeline = await visit.services.tickets.get_timeline(visit.actor, visit.path_params["id"], before)
    ticket = timeline.ticket
    entries = _page_entries(timeline)
    workspace_users = await users.list_users(visit)
    named_ids = [ticket.assigned_to, *(entry.event.user_id for entry in entries)]
    named_ids += [entry.detail.get(name) for entry in entries for name in ("to", "from") if _is_user(entry, name)]
    context = {
        "ticket": ticket,
        "entries": entries,
        "displays": await message_display.read_displays(visit, timeline, ticket_path(visit)),
        "deliveries": await visit.services.deliveries.list(
            visit.actor, DeliveryFilter(ticket_id=ticket.id, without_updates=True), limit=MAX_LIMIT
        ),
        "is_older": before is not None,
        "reply_link": reply_link.build_mailto(timeline.reply_addresses, ticket.subject),
        "names": await display_names.resolve(visit, named_ids),
        "assignees": [user for user in workspace_users if user.role != "viewer" and user.disabled_at is None],
        # The buttons for the status depend on the current status.
        "choices": [choice for choice in TICKET_CHOICES if choice is not TICKET_STATUS],
        "can_assign": visit.has_role("agent")
        and (visit.has_role("admin") or ticket.assigned_to == visit.actor.user_id),
        "newest_id": newest,
    }
    return HtmlPage("ticket.html", f"#{ticket.number} {ticket.subject or '(no subject)'}", context)


async def claim(visit: Visit) -> Redirect:
    await visit.services.tickets.claim(visit.actor, visit.path_params["id"])
    return _redirect_to_ticket(visit, "claimed")


async def unclaim(visit: Visit) -> Redirect:
    await visit.services.tickets.unclaim(visit.actor, visit.path_params["id"])
    return _redirect_to_ticket(visit, "unclaimed")


async def assign(visit: Visit) -> Redirect:
    await visit.services.tickets.assign(visit.actor, visit.path_params["id"], visit.form.get("userId", ""))
    return _redirect_to_ticket(visit, "assigned")


def _choice_route(choice: Choice[Any]) -> PageRoute:
    """Returns the route of the form that sets a field of a ticket."""

    async def set_choice(visit: Visit) -> Redirect:
        value = visit.form.get(choice.name, "")
        await visit.services.tickets.set_choice(visit.actor, visit.path_params["id"], choice, value)
        return _redirect_to_ticket(visit, f"{choice.name}-set")

    return PageRoute("POST", f"/tickets/{{id}}/{choice.name}", set_choice, "agent", form_view=show_ticket)


async def add_note(visit: Visit) -> Redirect:
    await visit.services.tickets.notes.add(visit.actor, visit.path_params["id"], visit.form.get("text", ""))
    return _redirect_to_ticket(visit, "noted")


def _redirect_to_ticket(visit: Visit, flash: str) -> Redirect:
    return Redirect(ticket_path(visit), flash=flash)


def ticket_path(visit: Visit) -> str:
    """Returns the path of the ticket of the request, whose number may be written as `#42`."""
    return f"/tickets/{quote(visit.path_params['id'], safe='')}"


def _page_entries(timeline: Timeline) -> list[PageEntry]:
    """Returns the entries, oldest first. Newer messages have priority within the size limits."""
    text_bytes_left, file_bytes_left = MAX_TEXT_BYTES, MAX_FILE_LIST_BYTES
    entries = []
    for entry in reversed(timeline.entries):
        excerpt = entry.excerpt
        if excerpt is None:
            entries.append(_page_entry(entry))
            continue
        text = excerpt.text if excerpt.is_full else _truncate(excerpt.text, max(MIN_TEXT_BYTES, text_bytes_left))
        text_bytes_left -= 0 if excerpt.is_full else _html_size(text)
        files = _listed_files(excerpt.attachments, file_bytes_left)
        file_bytes_left -= sum(map(_file_link_size, files))
        entries.append(
            replace(
                _page_entry(entry),
                text=text,
                is_truncated=excerpt.is_truncated or len(text) < len(excerpt.text),
                files=files,
                more_files=len(excerpt.attachments) - len(files),
            )
        )
    return entries[::-1]


def _page_entry(entry: TimelineEntry) -> PageEntry:
    return PageEntry(entry.event, json.loads(entry.event.detail), entry.omitted_before, entry.position, entry.excerpt)


def _truncate(text: str, size: int) -> str:
    """Truncates the text so that it takes at most about `size` bytes of HTML."""
    cut = text.encode()[:size].decode(errors="ignore")
    weight = _html_size(cut)
    return cut if weight <= size else cut[: len(cut) * size // weight]


def _listed_files(files: Sequence[Attachment], size: int) -> tuple[Attachment, ...]:
    totals = list(accumulate(map(_file_link_size, files)))
    return tuple(file for n, file in enumerate(files) if n < MIN_FILES or totals[n] <= size)


def _file_link_size(file: Attachment) -> int:
    return _FILE_LINK_BYTES + _html_size(file.filename)


def _html_size(text: str) -> int:
    return len(escape(text).encode())


def _is_user(entry: PageEntry, name: str) -> bool:
    return str(entry.detail.get(name, "")).startswith("user_")


FLASH_MESSAGES = {
    "claimed": "Ticket assigned to you.",
    "unclaimed": "Ticket unassigned.",
    "assigned": "Ticket assigned.",
    **{f"{choice.name}-set": f"{choice.name.capitalize()} changed." for choice in TICKET_CHOICES},
    "noted": "Note added.",
}
PAGES = (
    PageRoute("GET", "/tickets/{id}", show_ticket, "viewer", compress=True),
    PageRoute("POST", "/tickets/{id}/claim", claim, "agent", form_view=show_ticket),
    PageRoute("POST", "/tickets/{id}/unclaim", unclaim, "agent", form_view=show_ticket),
    PageRoute("POST", "/tickets/{id}/assign", assign, "agent", form_view=show_ticket),
    *(_choice_route(choice) for choice in TICKET_CHOICES),
    PageRoute("POST", "/tickets/{id}/notes", add_note, "agent", form_view=show_ticket),
)
