"""One ticket: the conversation, and what people do to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

from markupsafe import escape

from api.dashboard import display_names, reply_link, users
from api.dashboard.change_feed import newest_id
from api.dashboard.page import Html, Page, See, Visit
from router.admin.paging import MAX_LIMIT
from router.admin.tickets.timeline import MessageExcerpt, Timeline, TimelineEntry
from router.mail.contents import Attachment
from router.model import TICKET_STATUSES, TicketEvent

# Between the first mail and the newest, which are whole, so many bytes of mails and of the names of their files, as
# they weigh on the page: the page stays light, whatever strangers write.
MAX_BYTES = 40_000
MAX_FILE_BYTES = 20_000
MIN_BYTES = 600  # of each mail, in any case: none is shown without its beginning
FEW_FILES = 3  # of each mail, in any case
_FILE_BYTES = 200  # what the link to a file weighs without its name


@dataclass(frozen=True, slots=True)
class Entry:
    """A mail, or what somebody did. text, files: what the page shows of the mail; cut: `text` is not all of it."""

    event: TicketEvent
    detail: dict[str, Any]
    omitted_before: int
    position: str
    mail: MessageExcerpt | None = None
    text: str = ""
    cut: bool = False
    files: tuple[Attachment, ...] = ()
    more_files: int = 0


async def show(visit: Visit) -> Html:
    seen = newest_id(await visit.services.tickets.list_newest_ids(visit.actor))
    before = visit.query.get("before")
    timeline = await visit.services.tickets.get_timeline(visit.actor, visit.ids["id"], before)
    ticket = timeline.ticket
    entries = _entries(timeline)
    colleagues = await users.list_users(visit)
    mentioned = [ticket.assigned_to, *(entry.event.user_id for entry in entries)]
    mentioned += [entry.detail.get(name) for entry in entries for name in ("to", "from") if _is_user(entry, name)]
    context = {
        "ticket": ticket,
        "entries": entries,
        "deliveries": await visit.services.deliveries.list(visit.actor, ticket_id=ticket.id, limit=MAX_LIMIT),
        "older": before is not None,
        "reply": reply_link.build_mailto(timeline.reply_addresses, ticket.subject),
        "names": await display_names.resolve(visit, mentioned),
        "people": [user for user in colleagues if user.role != "viewer" and user.disabled_at is None],
        "statuses": TICKET_STATUSES,
        "may_give": visit.can("agent") and (visit.can("admin") or ticket.assigned_to == visit.actor.user_id),
        "seen": seen,
    }
    return Html("ticket.html", f"#{ticket.number} {ticket.subject or '(no subject)'}", context)


async def claim(visit: Visit) -> See:
    await visit.services.tickets.claim(visit.actor, visit.ids["id"])
    return _back(visit, "claimed")


async def unclaim(visit: Visit) -> See:
    await visit.services.tickets.unclaim(visit.actor, visit.ids["id"])
    return _back(visit, "unclaimed")


async def assign(visit: Visit) -> See:
    await visit.services.tickets.assign(visit.actor, visit.ids["id"], visit.form.get("userId", ""))
    return _back(visit, "assigned")


async def set_status(visit: Visit) -> See:
    await visit.services.tickets.set_status(visit.actor, visit.ids["id"], visit.form.get("status", ""))
    return _back(visit, "status-set")


async def note(visit: Visit) -> See:
    await visit.services.tickets.add_note(visit.actor, visit.ids["id"], visit.form.get("text", ""))
    return _back(visit, "noted")


def _back(visit: Visit, said: str) -> See:
    return See(f"/tickets/{visit.ids['id']}", note=said)


def _entries(timeline: Timeline) -> list[Entry]:
    """The entries, oldest first; what the newest mails leave of the bounds goes to the older ones."""
    left, files_left = MAX_BYTES, MAX_FILE_BYTES
    entries = []
    for one in reversed(timeline.entries):
        mail = one.excerpt
        if mail is None:
            entries.append(_entry(one))
            continue
        text = mail.text if mail.is_full else _cut(mail.text, max(MIN_BYTES, left))
        left -= 0 if mail.is_full else _weight(text)
        files = _listed(mail.attachments, files_left)
        files_left -= sum(map(_file_weight, files))
        entries.append(
            replace(
                _entry(one),
                text=text,
                cut=mail.is_truncated or len(text) < len(mail.text),
                files=files,
                more_files=len(mail.attachments) - len(files),
            )
        )
    return entries[::-1]


def _entry(one: TimelineEntry) -> Entry:
    return Entry(one.event, json.loads(one.event.detail), one.omitted_before, one.position, one.excerpt)


def _cut(text: str, size: int) -> str:
    """As much of it as weighs `size` bytes; where many of its characters have to be escaped, less."""
    cut = text.encode()[:size].decode(errors="ignore")
    weight = _weight(cut)
    return cut if weight <= size else cut[: len(cut) * size // weight]


def _listed(files: Sequence[Attachment], size: int) -> tuple[Attachment, ...]:
    left = list(accumulate(map(_file_weight, files)))
    return tuple(file for n, file in enumerate(files) if n < FEW_FILES or left[n] <= size)


def _file_weight(file: Attachment) -> int:
    return _FILE_BYTES + _weight(file.filename)


def _weight(text: str) -> int:
    """Bytes of a text on a page."""
    return len(escape(text).encode())


def _is_user(entry: Entry, name: str) -> bool:
    return str(entry.detail.get(name, "")).startswith("user_")


NOTES = {
    "claimed": "Ticket assigned to you.",
    "unclaimed": "Ticket unassigned.",
    "assigned": "Ticket assigned.",
    "status-set": "Status changed.",
    "noted": "Note added.",
}
PAGES = (
    Page("GET", "/tickets/{id}", show, "viewer"),
    Page("POST", "/tickets/{id}/claim", claim, "agent", again=show),
    Page("POST", "/tickets/{id}/unclaim", unclaim, "agent", again=show),
    Page("POST", "/tickets/{id}/assign", assign, "agent", again=show),
    Page("POST", "/tickets/{id}/status", set_status, "agent", again=show),
    Page("POST", "/tickets/{id}/notes", note, "agent", again=show),
)
