"""`/tickets/{id}/block-sender` and `/allow-sender`: lists the sender of a ticket, or the domain of the sender."""

from __future__ import annotations

from api.dashboard.page import HtmlPage, PageRoute, Redirect, Visit
from api.dashboard.views.allowed_senders import requested_authentication
from api.dashboard.views.ticket import find_ticket, list_query, ticket_path
from router.choice import Choice
from router.enumerations import BLOCK_ACTION

# What of the sender is listed.
_PART: Choice[str] = Choice("part", ("address", "domain"))


async def show_block_form(visit: Visit) -> HtmlPage:
    return await _show_form(visit, "Block sender", is_allowing=False)


async def show_allow_form(visit: Visit) -> HtmlPage:
    return await _show_form(visit, "Always allow sender", is_allowing=True)


async def block(visit: Visit) -> Redirect:
    await visit.services.blocked_senders.create(
        visit.actor,
        await _requested_sender(visit),
        action=visit.form.get("action", "refuse"),
        note=visit.form.get("note", ""),
    )
    return Redirect(ticket_path(visit), flash="sender-blocked")


async def allow(visit: Visit) -> Redirect:
    await visit.services.allowed_senders.create(
        visit.actor,
        await _requested_sender(visit),
        require_auth=requested_authentication(visit),
        note=visit.form.get("note", ""),
    )
    return Redirect(ticket_path(visit), flash="sender-allowed")


async def _show_form(visit: Visit, label: str, *, is_allowing: bool) -> HtmlPage:
    ticket = await find_ticket(visit)
    address = ticket.from_address
    context = {
        "address": address,
        "label": label,
        "parts": [("address", address), ("domain", f"All addresses at {_domain(address)}")],
        "block_action": BLOCK_ACTION,
        "is_allowing": is_allowing,
        "action": f"/tickets/{ticket.id}/{'allow' if is_allowing else 'block'}-sender{list_query(visit)}",
        "cancel_path": ticket_path(visit),
    }
    return HtmlPage("ticket_sender.html", f"{label}: {address}", context)


async def _requested_sender(visit: Visit) -> str:
    address = (await find_ticket(visit)).from_address
    part = _PART.parse(visit.form.get("part", "address"))
    return address if part == "address" else f"@{_domain(address)}"


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


PAGES = (
    PageRoute("GET", "/tickets/{id}/block-sender", show_block_form, "admin", compress=True),
    PageRoute("POST", "/tickets/{id}/block-sender", block, "admin", form_view=show_block_form),
    PageRoute("GET", "/tickets/{id}/allow-sender", show_allow_form, "admin", compress=True),
    PageRoute("POST", "/tickets/{id}/allow-sender", allow, "admin", form_view=show_allow_form),
)
