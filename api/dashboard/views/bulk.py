"""`/tickets/bulk`: the form below a list that changes the selected tickets in the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from api.dashboard.inbox import request_of_form, selected_tickets
from api.dashboard.page import PageRoute, Redirect, Visit
from api.dashboard.views.ticket_spam import report_many
from router.admin.tickets.change_writer import TicketChange
from router.admin.tickets.changes import AssignChange, ChoiceChange, ClaimChange, UnassignChange
from router.admin.tickets.tag_names import TagsChange
from router.enumerations import TICKET_STATUS
from router.errors import Refused


async def change_selected(visit: Visit) -> Redirect:
    action = visit.form.get("action", "")
    if action not in {*_CHANGES, *_SPAM_ACTIONS}:
        raise Refused("invalid_request", f"action must be one of: {', '.join([*_CHANGES, *_SPAM_ACTIONS])}", "action")
    path = request_of_form(visit).here_path()
    ids = selected_tickets(visit.form)
    if not ids:
        return Redirect(path, flash="none-selected")
    if action in _SPAM_ACTIONS:
        spam = action != "not-spam"
        block = "address" if action == "spam-block" else None
        return report_many(
            path, await visit.services.spam.mark_many(visit.actor, ids, spam=spam, block=block), spam=spam
        )
    result = await visit.services.tickets.change_many(visit.actor, ids, _CHANGES[action](visit.form))
    changed = [done.event_id for done in result.done if done.event_id is not None]
    undo = () if action == "tag" else changed  # tags cannot be undone
    parts: list[tuple[str, int | None]] = []
    if changed or not result.failed:
        parts.append(("bulk-one" if len(changed) == 1 else "bulk-changed", len(changed)))
    if result.failed:
        code = result.failed[0][1].code
        parts.append((f"{code if code in _REASONS else 'other'}-failed", len(result.failed)))
    return Redirect(path, *parts[0], undo=undo, also=parts[1:])


def _assign(form: Mapping[str, str]) -> TicketChange:
    user_id = form.get("userId", "")
    return AssignChange(user_id) if user_id else UnassignChange()


_CHANGES: Mapping[str, Callable[[Mapping[str, str]], TicketChange]] = {
    "claim": lambda _: ClaimChange(),
    "assign": _assign,
    "resolve": lambda _: ChoiceChange(TICKET_STATUS, "resolved"),
    "status": lambda form: ChoiceChange(TICKET_STATUS, form.get("status", "")),
    "tag": lambda form: TagsChange.parse(add=[form.get("tag", "")]),
}
_SPAM_ACTIONS = ("spam", "not-spam", "spam-block")
# Why tickets are refused, by the code of the error.
_REASONS = {
    "already_claimed": "A colleague is the assignee.",
    "forbidden": "Only the assignee and admins can assign a ticket to somebody else.",
    "not_open": "Resolved tickets have to be reopened first.",
    "other": "Reload the page and try again.",
}
FLASH_MESSAGES = {
    "bulk-changed": "{n} tickets changed.",
    "bulk-one": "1 ticket changed.",
    "none-selected": "No tickets were selected.",
    **{
        f"{code}-failed": f"Selected tickets that were not changed: {{n}}. {reason}"
        for code, reason in _REASONS.items()
    },
}
PAGES = (PageRoute("POST", "/tickets/bulk", change_selected, "agent"),)
