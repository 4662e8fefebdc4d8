"""Marks tickets as spam and releases them: one ticket on its page, and those of a message that offers to undo it."""

from __future__ import annotations

from dataclasses import replace

from api.dashboard import inbox, redirects
from api.dashboard.flash import UNDO_NOT_SPAM, UNDO_SPAM, parse_tickets
from api.dashboard.page import PageRoute, Redirect, Visit
from api.dashboard.ticket_pane import find_adjacent
from api.dashboard.views.ticket import find_ticket, list_query, show_ticket, ticket_path
from router.admin.tickets.spam import SpamResult


async def mark(visit: Visit) -> Redirect:
    """Marks a ticket, which makes room for the next ticket of the list, or for the list."""
    marked = await visit.services.spam.mark(
        visit.actor, visit.path_params["id"], spam=True, block=visit.form.get("block") or None
    )
    request = inbox.request_of_ticket(visit, replace(marked, spam=0))
    _, following = await find_adjacent(visit, marked, request)
    path = request.list_path() if following is None else f"/tickets/{following.id}{request.ticket_query()}"
    flash = "spam-blocked" if visit.form.get("block") else "spam-marked"
    back = f"/tickets/{marked.id}{list_query(visit)}"
    return Redirect(path, flash, number=marked.number, undo=[marked.id], undo_path=back)


async def release(visit: Visit) -> Redirect:
    ticket = await find_ticket(visit)
    await visit.services.spam.mark(visit.actor, ticket.id, spam=False)
    return Redirect(ticket_path(visit), "not-spam-marked", number=ticket.number, undo=[ticket.id])


def report_many(path: str, result: SpamResult, *, spam: bool) -> Redirect:
    """Reports a change of many tickets: what was done first, then what was not."""
    blocked, known, missing = len(result.blocked), len(result.already_blocked), result.missing
    counts = [
        ("spam" if spam else "not-spam", len(result.changed)),
        ("senders-blocked", blocked),
        ("senders-known", known),
        ("senderless", result.without_sender),
    ]
    parts: list[tuple[str, int | None]] = [
        (f"{name}-{'one' if number == 1 else 'many'}", number) for name, number in counts if number
    ]
    if blocked and result.changed:
        parts.append(("undo-keeps-blocked", None))
    if missing:
        parts.append(("other-failed", missing))
    first, *also = parts or [("spam-many" if spam else "not-spam-many", 0)]
    return Redirect(path, *first, undo=result.changed, also=also)


async def undo_mark(visit: Visit) -> Redirect:
    return await _undo(visit, spam=False)


async def undo_release(visit: Visit) -> Redirect:
    return await _undo(visit, spam=True)


async def _undo(visit: Visit, *, spam: bool) -> Redirect:
    tickets = parse_tickets(visit.form.get("events", ""))
    await visit.services.spam.mark_many(visit.actor, tickets, spam=spam)
    return Redirect(redirects.local_path(visit.form.get("back")), "undone")


FLASH_MESSAGES = {
    "spam-marked": "Marked #{n} as spam.",
    "spam-blocked": "Marked #{n} as spam and blocked its sender. Undo keeps the sender blocked.",
    "spam-one": "1 ticket marked as spam.",
    "spam-many": "{n} tickets marked as spam.",
    "senders-blocked-one": "1 sender blocked.",
    "senders-blocked-many": "{n} senders blocked.",
    "senders-known-one": "1 sender was blocked before.",
    "senders-known-many": "{n} senders were blocked before.",
    "senderless-one": "1 ticket has no sender address to block.",
    "senderless-many": "{n} tickets have no sender address to block.",
    "undo-keeps-blocked": "Undo keeps the senders blocked.",
    "not-spam-marked": "#{n} is not spam.",
    "not-spam-one": "1 ticket is not spam.",
    "not-spam-many": "{n} tickets are not spam.",
}
PAGES = (
    PageRoute("POST", UNDO_SPAM, undo_mark, "agent"),
    PageRoute("POST", UNDO_NOT_SPAM, undo_release, "agent"),
    PageRoute("POST", "/tickets/{id}/spam", mark, "agent", form_view=show_ticket),
    PageRoute("POST", "/tickets/{id}/not-spam", release, "agent", form_view=show_ticket),
)
