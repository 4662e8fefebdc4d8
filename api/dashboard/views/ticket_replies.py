"""Replies of a ticket: sends, cancels and retries them, and changes what the composer contains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from api.dashboard.address_fields import join_recipients, split_recipients
from api.dashboard.composer import KEEP_STATUS, MODE, selected_uploads
from api.dashboard.page import PageResult, PageRoute, Redirect, Visit
from api.dashboard.saved_texts import TEMPLATE, insert_text
from api.dashboard.views.ticket import find_ticket, list_query, show_ticket, ticket_path
from router.admin.replies.reply_request import ReplyRequest
from router.errors import Refused


async def send(visit: Visit) -> Redirect:
    form = visit.form
    to, status = split_recipients(form.get("to", "")), form.get("status", "")
    if not to:
        raise Refused("no_recipient", "To must name at least one address", "to")
    request = ReplyRequest(
        text=form.get("text", ""),
        to=to,
        cc=split_recipients(form.get("cc", "")),
        bcc=split_recipients(form.get("bcc", "")),
        subject=form.get("subject", "").strip() or None,
        quote="quote" in form,
        status=None if status == KEEP_STATUS else status,
        if_last_message_id=form.get("ifLastMessageId") or None,
        template_id=form.get(TEMPLATE) or None,
        attachments=tuple(selected_uploads(visit)),
        force="force" in form,
    )
    await visit.services.replies.create(visit.actor, visit.path_params["id"], request)
    return Redirect(ticket_path(visit))


async def fill(visit: Visit) -> PageResult:
    """Shows the form again with further recipients or a saved text; the field `fill` says with which."""
    ticket = await find_ticket(visit)
    what, _, value = visit.form.get("fill", "").partition(":")
    changed: Mapping[str, str] = {}
    if what == "text":
        changed = await insert_text(visit, ticket)
    elif what == "all":
        defaults = await visit.services.replies.read_composer(visit.actor, ticket.id)
        changed = {"cc": _append(visit.form.get("cc", ""), join_recipients(defaults.reply_all_cc))}
    elif what == "to":
        changed = {"to": _append(visit.form.get("to", ""), value)}
    elif what == "no-template":
        changed = {TEMPLATE: ""}
    return await show_ticket(replace(visit, form={**visit.form, **changed}))


async def cancel(visit: Visit) -> Redirect:
    """Cancels a queued reply. Its text is a draft again, with which the composer opens."""
    await visit.services.replies.cancel(visit.actor, visit.path_params["reply"])
    query = list_query(visit)
    return Redirect(f"{ticket_path(visit)}{'&' if query else '?'}{MODE}=reply#composer", flash="reply-canceled")


async def retry(visit: Visit) -> Redirect:
    view = await visit.services.replies.retry(visit.actor, visit.path_params["reply"])
    return Redirect(f"{ticket_path(visit)}#{view.reply.message_id}", flash="reply-retried")


def _append(text: str, addresses: str) -> str:
    given = text.strip().rstrip(",;")
    return f"{given}, {addresses}" if given and addresses else given or addresses


FLASH_MESSAGES = {
    "reply-canceled": "Reply not sent. Its text is a draft again.",
    "reply-retried": "Queued to be sent again.",
}
PAGES = (
    PageRoute("POST", "/tickets/{id}/replies", send, "agent", form_view=show_ticket, takes_files=True),
    PageRoute("POST", "/tickets/{id}/compose", fill, "agent", form_view=show_ticket, takes_files=True),
    PageRoute("POST", "/tickets/{id}/replies/{reply}/cancel", cancel, "agent", form_view=show_ticket),
    PageRoute("POST", "/tickets/{id}/replies/{reply}/retry", retry, "agent", form_view=show_ticket),
)
