"""Extreme content: long names, non-Latin scripts, and many objects and failures."""

from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP

from tests.integration.dashboard.past import record_attempt
from tests.support import mails
from tests.support.dns import DnsStandIn
from tests.support.installation.http import PASSWORD, ServedInstallation

LONG = "Donaudampfschiffahrtsgesellschaftskapitän" * 5  # 205 characters without a line-break opportunity
HEBREW = "שלום: הדלת תקועה (שוב)"
EMOJI = "🚪🔥 It burns 👩‍👩‍👧‍👦 and burns"


@dataclass(frozen=True)
class ExtremeIds:
    """Ids of the created objects, by placeholder in a path pattern."""

    ids: dict[str, str]

    def path(self, pattern: str) -> str:
        return pattern.format_map(self.ids)


async def populate_extremes(served: ServedInstallation, dns: DnsStandIn) -> ExtremeIds:
    services, actor = served.services, served.actor
    await services.workspaces.change(actor, name=LONG[:200])
    person = await services.users.create(
        actor, email=f"{'a' * 60}@{'b' * 60}.{'c' * 60}.example", name=LONG[:200], role="agent", password=PASSWORD
    )
    domain, integration, alias = await served.create_alias()
    await services.integrations.change(actor, integration, name=LONG[:200])
    for n in range(50):
        await services.aliases.create(
            actor, domain_id=domain, local_part=f"{'team-' * 8}{n}", integration_id=integration
        )
    wrong = await services.domains.create(actor, "wrong.example.com")
    dns.set("wrong.example.com", "MX", *(f"{n} {'mx' * 20}{n}.elsewhere.test." for n in range(4)))
    dns.set("_emailrouter.wrong.example.com", "TXT", f"emailrouter-verification={'0' * 40}")
    await services.domains.verify(actor, wrong.domain.id)
    key = await services.keys.create(actor, name=LONG[:200], user_id=person.id)
    await services.blocked_senders.create(actor, f"{'s' * 60}@{'d' * 60}.{'e' * 60}.example")
    long = await served.accept_ticket(
        mails.plain(
            subject=LONG,
            from_=f"{LONG} <{'a' * 60}@{'b' * 60}.example>",
            text=LONG * 20,
            headers=dict.fromkeys(("Reply-To", "X-Original-From"), f"{LONG} <{'c' * 60}@{'d' * 60}.example>"),
        )
    )
    await services.tickets.assign(actor, long, person.id)
    await services.tickets.tags.tag_ticket(actor, long, add=[f"{n:02} {LONG[: 47 - n % 2]}" for n in range(20)])
    for name, color in ((f"00 {LONG[:47]}", "#ffffff"), (f"01 {LONG[:46]}", "#000000")):
        tag = (await services.tickets.tags.find(actor, name)).tag.id
        await services.tickets.tags.change(actor, tag, color=color)
    hebrew = await served.accept_ticket(
        mails.plain(subject=HEBREW, text=f"{HEBREW}\n{HEBREW}\n", from_="דוד <d@customer.test>")
    )
    await served.accept_ticket(mails.plain(subject=EMOJI))
    await served.accept_ticket(mails.plain(subject="", from_="", text=""))
    talk, place = await _add_long_conversation(served)
    files = await served.accept_ticket(_message_with_files())
    dead, waiting = (await services.deliveries.list(actor)).items[:2]
    answer = "<html>" + "x" * 400
    for delivery in (dead, waiting):
        for _ in range(3):
            await record_attempt(served, delivery.id, "rejected", 502, answer)
    await served.database.execute("dispatch_mark_dead", id=dead.id, reason=f"Slack rejected the message: {LONG} (502)")
    await served.database.execute(
        "dispatch_mark_failing", id=integration, reason=f"the host {LONG} has no address", now=served.clock.now(),
        probe_interval=60, probe_at=served.clock.now() + 60,
    )  # fmt: skip
    template = await services.templates.create(
        actor, name=LONG[:200], subject=f"{{subject}} {LONG[:100]}", body=f"<p>{LONG}</p>{{link}}", mode="static_html"
    )
    canned = await services.canned_responses.create(actor, title=LONG[:100], body=f"{LONG}\n{{link}}")
    return ExtremeIds(
        {
            "person": person.id, "domain": domain, "integration": integration, "alias": alias, "wrong": wrong.domain.id,
            "key": key.key.id, "tag": tag, "long": long, "hebrew": hebrew, "talk": talk, "place": place, "files": files,
            "template": template.id, "canned": canned.id,
            "dead": dead.id, "waiting": waiting.id, "message": dead.message_id,
        }
    )  # fmt: skip


async def _add_long_conversation(served: ServedInstallation) -> tuple[str, str]:
    """Returns a ticket with more messages than a page shows, and the position of the tenth reply in the ticket."""
    ticket = await served.accept_ticket(mails.plain(subject="A long story", message_id="<0@story.test>"))
    places = [""]
    for n in range(1, 32):
        message_id = await served.accept_message(
            mails.reply_to(f"<{n - 1}@story.test>", message_id=f"<{n}@story.test>")
        )
        places.append(message_id.partition("_")[2])
        if n % 5 == 0:
            await served.services.tickets.notes.add(served.actor, ticket, f"Called back, for the {n}th time.")
    return ticket, places[10]


def _message_with_files() -> bytes:
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"], message["To"], message["Subject"] = mails.CUSTOMER, mails.SUPPORT, "All the pictures"
    message["Message-ID"] = mails.new_message_id()
    message.set_content("Forty of them.\n")
    for n in range(40):
        name = f"{LONG}.png" if n == 7 else f"picture {n}.png"
        message.add_attachment(b"x" * 10 ** (n % 5), maintype="image", subtype="png", filename=name)
    return message.as_bytes()
