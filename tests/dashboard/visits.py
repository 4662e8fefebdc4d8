"""How a browser gets to every page there is: a page without a row here fails `test_every_page_is_visited`.

`VISITS` has the path of each page that a person opens, by the path it is declared with; `{name}` stands for what
`prepare` makes. Pages for nobody in particular are opened signed out.
"""

from api.dashboard.views import PAGES
from tests.api.desk import Desk
from tests.support import mails

VISITS = {
    "/": "/",
    "/sign-in": "/sign-in?next=/tickets",
    "/welcome": "/welcome?token={link}",
    "/account": "/account",
    "/tickets": "/tickets?status=open",
    "/tickets/mine": "/tickets/mine",
    "/tickets/unassigned": "/tickets/unassigned",
    "/tickets/{id}": "/tickets/{ticket}",
}
# What a person opens: not the forms that are sent, nor what is only ever a part of a page.
OPENED = {page.path: page for page in PAGES if page.method == "GET" and not page.media and not page.part}


async def prepare(desk: Desk) -> dict[str, str]:
    """Something to see on every page; what the paths above name."""
    await desk.alias()
    ticket = await desk.ticket(mails.with_attachment())
    await desk.services.tickets.claim(desk.actor, ticket)
    await desk.services.tickets.note(desk.actor, ticket, "Called back.")
    other = await desk.ticket(mails.html(subject="Where is my order?"))
    await desk.services.tickets.set_status(desk.actor, other, "waiting")
    await desk.ticket(mails.plain(subject="An invoice " + "that has a very long subject " * 10))
    return {"ticket": ticket, "other": other, "link": desk.login.link}
