"""One ticket: the conversation, and what people do to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from markupsafe import escape

from api.dashboard import display_names, people
from api.dashboard.live import newest_of
from api.dashboard.page import Html, Page, See, Visit
from router.admin.tickets.conversation import MessageView, TicketView
from router.errors import Refused
from router.mail.contents import Attachment
from router.model import TICKET_STATUSES, TicketEvent

# A page stays light whatever strangers write: so many entries, and so many bytes of mails and of the names of their
# files, as they weigh on the page, the newest first.
PER_PAGE = 30
MOST_OCTETS = 40_000
MOST_FILE_OCTETS = 20_000
FEW_FILES = 3  # of each mail, in any case
_FILE_OCTETS = 200  # what the link to a file weighs without its name


@dataclass(frozen=True, slots=True)
class Entry:
    """Something in the conversation: a mail, or what somebody did. text, quoted, files: what there is room for."""

    event: TicketEvent
    detail: dict[str, Any]
    mail: MessageView | None = None
    text: str = ""
    quoted: str = ""
    cut: bool = False
    files: tuple[Attachment, ...] = ()
    more_files: int = 0


async def show(visit: Visit) -> Html:
    seen = newest_of(await visit.services.tickets.newest(visit.actor))
    view = await visit.services.tickets.get(visit.actor, visit.ids["id"])
    ticket = view.ticket
    end = _end(visit.query.get("before"), len(view.events))
    start = max(0, end - PER_PAGE)
    entries = _entries(view, start, end)
    colleagues = await people.colleagues(visit)
    mentioned = [ticket.assigned_to, *(entry.event.user_id for entry in entries)]
    mentioned += [entry.detail.get(name) for entry in entries for name in ("to", "from") if _is_user(entry, name)]
    context = {
        "ticket": ticket,
        "entries": entries,
        "deliveries": view.deliveries,
        "earlier": start,
        "later": len(view.events) - end,
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
    await visit.services.tickets.note(visit.actor, visit.ids["id"], visit.form.get("text", ""))
    return _back(visit, "noted")


def _back(visit: Visit, said: str) -> See:
    return See(f"/tickets/{visit.ids['id']}", note=said)


def _end(before: str | None, most: int) -> int:
    """Where the shown part of the conversation ends."""
    if before is None:
        return most
    if not (before.isascii() and before.isdigit() and len(before) <= 6):
        raise Refused("invalid_request", "before must be a number")
    return max(1, min(int(before), most))


def _entries(view: TicketView, start: int, end: int) -> list[Entry]:
    """That part of the conversation, oldest first; what the newest mails leave of the room goes to the older ones."""
    mails = {mail.message.id: mail for mail in view.messages}
    room, file_room = MOST_OCTETS, MOST_FILE_OCTETS
    entries = []
    for event in reversed(view.events[start:end]):
        detail = json.loads(event.detail)
        mail = mails.get(event.id)
        if mail is None:
            entries.append(Entry(event, detail))
            continue
        text = _cut(mail.contents.text, room)
        room -= _weight(text)
        quoted = _cut(mail.contents.quoted, room // 2)
        room -= _weight(quoted)
        cut = len(text) < len(mail.contents.text) or len(quoted) < len(mail.contents.quoted)
        files = _listed(mail.contents.attachments, file_room)
        file_room -= sum(map(_file_weight, files))
        more = len(mail.contents.attachments) - len(files)
        entries.append(Entry(event, detail, mail, text, quoted, cut, files, more))
    return entries[::-1]


def _cut(text: str, size: int) -> str:
    """As much of it as there is room for; where many of its characters have to be escaped, less."""
    size = max(0, size)  # what was cut before may weigh a little more than there was room for
    cut = text.encode()[:size].decode(errors="ignore")
    weight = _weight(cut)
    return cut if weight <= size else cut[: len(cut) * size // weight]


def _listed(files: Sequence[Attachment], size: int) -> tuple[Attachment, ...]:
    left = list(accumulate(map(_file_weight, files)))
    return tuple(file for n, file in enumerate(files) if n < FEW_FILES or left[n] <= size)


def _file_weight(file: Attachment) -> int:
    return _FILE_OCTETS + _weight(file.filename)


def _weight(text: str) -> int:
    """Octets of a text on a page."""
    return len(escape(text).encode())


def _is_user(entry: Entry, name: str) -> bool:
    return str(entry.detail.get(name, "")).startswith("user_")


NOTES = {
    "claimed": "The ticket is yours.",
    "unclaimed": "The ticket is back in the queue.",
    "assigned": "The ticket has a new owner.",
    "status-set": "The status is changed.",
    "noted": "Your note is on the ticket.",
}
PAGES = (
    Page("GET", "/tickets/{id}", show, "viewer"),
    Page("POST", "/tickets/{id}/claim", claim, "agent", again=show),
    Page("POST", "/tickets/{id}/unclaim", unclaim, "agent", again=show),
    Page("POST", "/tickets/{id}/assign", assign, "agent", again=show),
    Page("POST", "/tickets/{id}/status", set_status, "agent", again=show),
    Page("POST", "/tickets/{id}/notes", note, "agent", again=show),
)
