"""Example paths of the pages that a browser can open.

`VISITS` maps the declared path of each such page to its example. `populate` returns the values of the placeholders.
"""

from dataclasses import replace

from api.dashboard.views import PAGES
from router.enumerations import TICKET_PRIORITY
from router.model import DomainKey
from router.store.fragments import model_values
from tests.integration.dashboard.past import insert_month, record_attempt
from tests.support import mails
from tests.support.installation.http import ServedInstallation
from tests.support.installation.replies import Outcome, add_reply, allow_sending
from tests.support.sender_checks import FORGED, SPAM, done, recheck_service, store_checks

VISITS = {
    "/": "/",
    "/sign-in": "/sign-in?next=/tickets",
    "/welcome": "/welcome?token={link}",
    "/set-password": "/set-password?token={password_link}",
    "/account": "/account",
    "/tickets": "/tickets?status=waiting",
    "/tickets/mine": "/tickets/mine",
    "/tickets/unassigned": "/tickets/unassigned",
    "/tickets/spam": "/tickets/spam",
    "/tickets/open": "/tickets/open?sort=waiting&automatic=exclude",
    "/tickets/{id}": "/tickets/{ticket}",
    "/tickets/delete": "/tickets/delete?t-{ticket}=1&t-{other}=1&list=spam",
    "/tickets/{id}/tags": "/tickets/{ticket}/tags",
    "/tickets/{id}/delete": "/tickets/{ticket}/delete",
    "/tickets/{id}/allow-sender": "/tickets/{ticket}/allow-sender",
    "/tickets/{id}/block-sender": "/tickets/{ticket}/block-sender",
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
    "/manage/allowed-senders": "/manage/allowed-senders",
    "/manage/allowed-senders/remove": "/manage/allowed-senders/remove?sender=@good.example",
    "/manage/blocked-senders": "/manage/blocked-senders",
    "/manage/blocked-senders/remove": "/manage/blocked-senders/remove?sender=@spam.example",
    "/manage/tags": "/manage/tags",
    "/manage/tags/{id}": "/manage/tags/{tag}",
    "/manage/tags/{id}/delete": "/manage/tags/{tag}/delete",
    "/manage/templates": "/manage/templates",
    "/manage/templates/{id}": "/manage/templates/{template}",
    "/manage/templates/{id}/delete": "/manage/templates/{template}/delete",
    "/manage/canned-responses": "/manage/canned-responses",
    "/manage/canned-responses/{id}": "/manage/canned-responses/{canned}",
    "/manage/canned-responses/{id}/delete": "/manage/canned-responses/{canned}/delete",
    "/manage/workspace": "/manage/workspace",
    "/activity/audit": "/activity/audit",
    "/activity": "/activity",
    "/activity/overview": "/activity/overview?days=30",
    "/activity/deliveries": "/activity/deliveries",
    "/manage/audit": "/manage/audit",
    "/activity/deliveries/{id}": "/activity/deliveries/{dead}",
    "/activity/trace": "/activity/trace?q={other}",
    "/activity/trace/{id}": "/activity/trace/{message}",
    "/activity/health": "/activity/health",
    "/activity/outbox": "/activity/outbox",
}
OPENABLE_PAGES = {page.path: page for page in PAGES if page.method == "GET" and not page.media and not page.is_fragment}


async def populate(served: ServedInstallation) -> dict[str, str]:
    owned, integration, alias = await served.create_alias()
    ticket = await served.accept_ticket(mails.with_attachment(subject="Die Tür klemmt"))
    await served.services.tickets.claim(served.actor, ticket)
    await served.services.tickets.notes.add(served.actor, ticket, "Called back.")
    await served.services.tickets.tags.tag_ticket(served.actor, ticket, add=["Billing", "Spare parts"])
    tag = (await served.services.tickets.tags.find(served.actor, "billing")).tag
    await served.services.tickets.tags.change(served.actor, tag.id, color="#1d76db")
    other = await served.accept_ticket(mails.html(subject="Where is my order?"))
    await served.services.tickets.tags.tag_ticket(
        served.actor, other, add=["Urgent customer", "x" * 50, "VIP", "Billing"]
    )
    await served.accept_ticket(mails.plain(subject="An invoice " + "that has a very long subject " * 10))
    for ticket_id, priority in ((ticket, "urgent"), (other, "low")):
        await served.services.tickets.set_choice(served.actor, ticket_id, TICKET_PRIORITY, priority)
    spam = await served.accept_ticket(mails.plain(subject="You have won", from_="Prizes <prizes@spam.example>"))
    await served.services.spam.mark(served.actor, spam, spam=True)
    watched = await _add_activity(served, other)
    reply = await _add_replies(served)
    await served.services.tickets.set_status(served.actor, other, "waiting")
    await _add_checks(served, ticket, other)
    return {
        "ticket": ticket,
        "tag": tag.id,
        "other": other,
        "reply": reply,
        "link": served.login.link,
        **watched,
        **await _add_managed_objects(served, owned, integration, alias),
    }


async def _add_checks(served: ServedInstallation, verified: str, forged: str) -> None:
    """Gives the first ticket a verified sender, and the second a forged one and one whose check is due."""
    (message,) = await served.services.messages.find(served.actor, verified)
    await store_checks(served, message.id, replace(done("pass"), rechecked=True))
    newest, first = await served.services.messages.find(served.actor, forged)
    await store_checks(served, first.id, done("fail", spam=SPAM), FORGED)
    await store_checks(served, newest.id, done("none"), FORGED)
    await recheck_service(served).recheck(served.actor, newest.id)


async def _add_replies(served: ServedInstallation) -> str:
    """Adds tickets with replies in each state, and a smarthost that is failing. Returns a reply that is queued."""
    await allow_sending(served)
    ticket = await served.accept_ticket(mails.plain(subject="Can you repair it?", headers={"Cc": "bob@customer.test"}))
    sent = {"ada@customer.test": Outcome("sent", 250, "2.0.0 Ok")}
    await add_reply(served, served.actor, ticket, "Yes, we can.", sent)
    outcomes = {
        "ada@customer.test": Outcome("bounced", 550, "5.1.1 <ada@customer.test>: User unknown <b>"),
        "bob@customer.test": Outcome("retrying", 451, "4.7.1 Try again later"),
        "carl@customer.test": Outcome("delayed", 421, "4.4.1 No answer from host"),
        "dora@customer.test": Outcome("failed", 552, "5.3.4 Message too big"),
        "eve@customer.test": Outcome("sending"),
    }
    await add_reply(served, served.actor, ticket, "When does it suit you?", outcomes, to=tuple(outcomes))
    await served.execute(
        "INSERT INTO smarthosts (id, url, status, last_error, failing_since, probe_at)"
        " SELECT id, 'smtp://smarthost.test:587', 'failing', 'Login failed: 535 5.7.8 Bad credentials', :now, :now"
        " FROM domains WHERE sending = 'active'",
        now=served.clock.now(),
    )
    other = await served.accept_ticket(mails.plain(subject="And the other one?"))
    return (await add_reply(served, served.actor, other)).reply.id


async def _add_activity(served: ServedInstallation, ticket: str) -> dict[str, str]:
    found = (await served.services.messages.find(served.actor, ticket))[0]
    await served.accept_message(mails.reply_to(f"<{found.rfc_message_id}>"))
    arrived, dead = (await served.services.deliveries.list(served.actor)).items[:2]
    await record_attempt(served, dead.id, "rejected", 400, "no_text")
    await served.database.execute("dispatch_mark_dead", id=dead.id, reason="Slack rejected the message: no_text (400)")
    await record_attempt(served, arrived.id, "sent", 200, "ok")
    await served.database.execute(
        "dispatch_mark_delivered", id=arrived.id, now=served.clock.now() + 350_000, via="message"
    )
    await insert_month(served)
    return {"dead": dead.id, "message": dead.message_id}


async def _add_managed_objects(served: ServedInstallation, owned: str, integration: str, alias: str) -> dict[str, str]:
    services = served.services
    waiting = await services.domains.create(served.actor, "help.example.com")
    # Without a check, whose queries no name server answers here.
    await served.database.execute("domain_set_sending", id=waiting.domain.id, sending="pending")
    dkim = DomainKey(waiting.domain.id, "er203001", "rsa", "", "MIIB" * 98, served.clock.now())
    await served.database.execute("domain_key_insert", **model_values(dkim))
    user = await services.users.create(served.actor, email="grace@example.org", name="Grace Hopper", role="agent")
    link = await services.users.password_link(served.actor, user.id)
    key = await services.keys.create(served.actor, name="import of the old tickets", user_id=user.id, role="viewer")
    await services.allowed_senders.create(served.actor, "@good.example", note="Partner")
    await services.blocked_senders.create(served.actor, "@spam.example", action="spam")
    template = await services.templates.create(
        served.actor, name="Received", subject="[#{ticket}] {subject}", body="<p>Hi {name}</p>", mode="static_html"
    )
    canned = await services.canned_responses.create(served.actor, title="Opening hours", body="Hi {name},\n{link}")
    await served.database.execute(
        "dispatch_mark_failing",
        id=integration,
        reason="the webhook was removed or disabled in Slack",
        now=served.clock.now(),
        probe_interval=60,
        probe_at=served.clock.now() + 60,
    )
    return {
        "owned": owned,
        "integration": integration,
        "alias": alias,
        "domain": waiting.domain.id,
        "user": user.id,
        "password_link": (link.url or "").partition("?token=")[2],
        "key": key.key.id,
        "template": template.id,
        "canned": canned.id,
    }
