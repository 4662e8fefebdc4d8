"""Senders that no mail is taken from."""

from __future__ import annotations

from api.dashboard import manage
from api.dashboard.page import Html, Page, See, Visit


async def page(visit: Visit) -> Html:
    found = await visit.services.blocked_senders.list(
        visit.actor, limit=manage.PER_PAGE, cursor=visit.query.get("cursor")
    )
    return manage.list_page(visit, "blocked_senders.html", "Blocked senders", found)


async def create(visit: Visit) -> See:
    await visit.services.blocked_senders.create(visit.actor, visit.form.get("sender", ""))
    return See("/manage/blocked-senders", note="sender-blocked")


async def ask(visit: Visit) -> Html:
    sender = visit.form.get("sender") or visit.query.get("sender", "")
    return manage.confirmation_page(
        visit,
        f"Unblock {sender}?",
        ["Mail from this sender is then accepted. Messages that were rejected while it was blocked are not recovered."],
        action="/manage/blocked-senders/remove",
        label="Unblock sender",
        cancel_path="/manage/blocked-senders",
        sender=sender,
    )


async def delete(visit: Visit) -> See:
    await visit.services.blocked_senders.delete(visit.actor, visit.form.get("sender", ""))
    return See("/manage/blocked-senders", note="sender-unblocked")


NOTES = {
    "sender-blocked": "Sender blocked.",
    "sender-unblocked": "Sender unblocked.",
}
PAGES = (
    Page("GET", "/manage/blocked-senders", page, "viewer"),
    Page("POST", "/manage/blocked-senders", create, "admin", again=page),
    Page("GET", "/manage/blocked-senders/remove", ask, "admin"),
    Page("POST", "/manage/blocked-senders/remove", delete, "admin", again=ask),
)
