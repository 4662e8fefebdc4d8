"""How a browser gets to every page there is: a page without a row here fails `test_every_page_is_visited`.

`VISITS` has the path of each page that a person opens, by the path it is declared with; `{name}` stands for what
`prepare` makes. Pages for nobody in particular are opened signed out.
"""

from api.dashboard.views import PAGES
from tests.api.desk import Desk
from tests.dashboard.past import attempt, month
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
    "/set-up": "/set-up",
    "/manage": "/manage",
    "/manage/domains": "/manage/domains",
    "/manage/domains/{id}": "/manage/domains/{domain}",
    "/manage/domains/{id}/delete": "/manage/domains/{owned}/delete",
    "/manage/aliases": "/manage/aliases",
    "/manage/aliases/{id}": "/manage/aliases/{alias}",
    "/manage/aliases/{id}/delete": "/manage/aliases/{alias}/delete",
    "/manage/integrations": "/manage/integrations",
    "/manage/integrations/{id}": "/manage/integrations/{integration}",
    "/manage/integrations/{id}/delete": "/manage/integrations/{integration}/delete",
    "/manage/users": "/manage/users",
    "/manage/users/{id}": "/manage/users/{user}",
    "/manage/users/{id}/delete": "/manage/users/{user}/delete",
    "/manage/keys": "/manage/keys",
    "/manage/keys/{id}/revoke": "/manage/keys/{key}/revoke",
    "/manage/blocked-senders": "/manage/blocked-senders",
    "/manage/blocked-senders/remove": "/manage/blocked-senders/remove?sender=@spam.example",
    "/manage/workspace": "/manage/workspace",
    "/manage/audit": "/manage/audit",
    "/activity": "/activity",
    "/activity/deliveries/{id}": "/activity/deliveries/{dead}",
    "/activity/trace": "/activity/trace?q={other}",
    "/activity/trace/{id}": "/activity/trace/{message}",
    "/activity/health": "/activity/health",
}
# What a person opens: not the forms that are sent, nor what is only ever a part of a page.
OPENED = {page.path: page for page in PAGES if page.method == "GET" and not page.media and not page.part}


async def prepare(desk: Desk) -> dict[str, str]:
    """Something to see on every page; what the paths above name."""
    owned, integration, alias = await desk.alias()
    ticket = await desk.ticket(mails.with_attachment(subject="Die Tür klemmt"))
    await desk.services.tickets.claim(desk.actor, ticket)
    await desk.services.tickets.note(desk.actor, ticket, "Called back.")
    other = await desk.ticket(mails.html(subject="Where is my order?"))
    await desk.ticket(mails.plain(subject="An invoice " + "that has a very long subject " * 10))
    watched = await _watched(desk, other)
    await desk.services.tickets.set_status(desk.actor, other, "waiting")
    return {
        "ticket": ticket,
        "other": other,
        "link": desk.login.link,
        **watched,
        **await _managed(desk, owned, integration, alias),
    }


async def _watched(desk: Desk, ticket: str) -> dict[str, str]:
    """What happened: a delivery that failed, one that arrived, a month of mails, and a ticket of two mails."""
    found = (await desk.services.messages.find(desk.actor, ticket))[0]
    await desk.mail(mails.reply_to(f"<{found.rfc_message_id}>"))
    arrived, dead = (await desk.services.deliveries.list(desk.actor)).items[:2]
    await attempt(desk, dead.id, "rejected", 400, "no_text")
    await desk.store.database.run("dispatch_dead", id=dead.id, reason="Slack did not take the message: no_text (400)")
    await attempt(desk, arrived.id, "sent", 200, "ok")
    await desk.store.database.run("dispatch_delivered", id=arrived.id, now=desk.clock.now() + 350_000, via="message")
    await month(desk)
    return {"dead": dead.id, "message": dead.message_id}


async def _managed(desk: Desk, owned: str, integration: str, alias: str) -> dict[str, str]:
    """What there is to manage: also a domain that waits, and an integration that fails."""
    services = desk.services
    waiting = await services.domains.create(desk.actor, "help.example.com")
    user = await services.users.create(desk.actor, email="grace@example.org", name="Grace Hopper", role="agent")
    key = await services.keys.create(desk.actor, name="import of the old tickets", user_id=user.id, role="viewer")
    await services.blocked_senders.create(desk.actor, "@spam.example")
    await desk.store.database.run(
        "dispatch_failing",
        id=integration,
        reason="the webhook was removed or switched off in Slack",
        now=desk.clock.now(),
        probe_interval=60,
        probe_at=desk.clock.now() + 60,
    )
    return {
        "owned": owned,
        "integration": integration,
        "alias": alias,
        "domain": waiting.domain.id,
        "user": user.id,
        "key": key.key.id,
    }
