"""Adds replies in every state, bounces and acknowledgements, and what they need: keys, smarthosts, templates."""

from collections.abc import AsyncIterator

from emailrouter import use_cases
from emailrouter.assembly import deliver
from router.admin.domains.smarthost_setting import SmarthostSetting
from router.admin.replies.reply_request import ReplyRequest
from router.admin.routes.reply_settings import ReplySettingsChange
from router.dispatch.bounce_queue import BounceQueue
from router.dispatch.submission_work import CompletedSubmission
from router.model import Actor
from router.outbound.smarthost.outcome import SubmissionOutcome
from router.reply_tokens import bounce_address
from tests.support import mails
from tests.support.bounces import FORMS, report
from tests.support.installation import DOMAIN
from tests.support.replies import DAY, ManualSubmissions
from tests.support.smarthost import ScriptedSmarthost
from tests.system.upgrade.recorded_workspace import RecordedInstallation

FIRST_WITH_REPLIES = 8  # the version of the schema
SENDER_DOMAIN = "replies.test"  # has a smarthost of its own, which is failing
ASSIGNED_ID = "0100018c1f2e3d4c-5b6a7980-0001-4000-8000-0123456789ab-000000"  # by Amazon SES
UNKNOWN = "550 5.1.1 User unknown"
RELAYED = "Action: relayed\nStatus: 2.1.5"


async def create_replies(recorded: RecordedInstallation, smarthost: ScriptedSmarthost) -> None:
    """Uses the smarthost of the installation, which accepts mail."""
    replies = _Replies(recorded, smarthost)
    await replies.submissions.outbox.start(smarthost.url)
    sender_id = await _set_up_sending(recorded)
    await _create_texts(recorded)
    await replies.hand_over()
    await replies.bounce()
    await replies.fail()
    await replies.acknowledge()
    await replies.park(sender_id)
    await replies.interrupt()
    await replies.defer()
    await replies.reopen()
    await replies.queue()
    await replies.cancel()
    await _lose_records(recorded, sender_id)


async def _set_up_sending(recorded: RecordedInstallation) -> str:
    """Turns on sending for domains, with keys that sign, wait or are retired. Returns the id of `SENDER_DOMAIN`."""
    services, admin = recorded.installation.services, recorded.admin
    pending_id, sender_id = [await _add_domain(recorded, name) for name in ("pending.test", SENDER_DOMAIN)]
    own_id = recorded.installation.domain_id
    for domain_id in (own_id, sender_id, pending_id):
        await services.sending.set_enabled(admin, domain_id, True)
    await _publish(recorded, sender_id)
    await _publish(recorded, own_id)
    await services.sending.rotate(admin, own_id)
    await _publish(recorded, own_id)  # retires the first keys
    setting = SmarthostSetting("smtp://mailer@smarthost.test:587", "secret")
    await services.sending.set_smarthost(admin, sender_id, setting)
    return sender_id


async def _add_domain(recorded: RecordedInstallation, name: str) -> str:
    domains, domain_id = recorded.installation.services.domains, await recorded.add_active_domain(name)
    recorded.publish_token(name, (await domains.get(recorded.admin, domain_id)).domain.token)
    await domains.verify(recorded.admin, domain_id)
    return domain_id


async def _publish(recorded: RecordedInstallation, domain_id: str) -> None:
    domains = recorded.installation.services.domains
    for record in (await domains.get(recorded.admin, domain_id)).sending_records:
        recorded.dns.set(record.name, "TXT", *record.expected)
    await domains.verify(recorded.admin, domain_id)


async def _lose_records(recorded: RecordedInstallation, domain_id: str) -> None:
    """Removes the records of sending from the DNS, until the checks have noticed it."""
    installation = recorded.installation
    for record in (await installation.services.domains.get(recorded.admin, domain_id)).sending_records:
        if record.purpose == "dkim":
            recorded.dns.remove(record.name)
    for _ in range(2):
        installation.clock.advance(days=2)
        await use_cases.build_domain_checks(installation.core).recheck_due()


async def _create_texts(recorded: RecordedInstallation) -> None:
    """Creates templates and canned responses, and an alias with all settings of replies."""
    services, admin = recorded.installation.services, recorded.admin
    help_id = await recorded.add_alias("help", "general")
    template = await services.templates.create(
        admin, name="Received", subject="[#{ticket}] {subject}", body="Hi {name|there}"
    )
    html = "<p>Hi {name}</p><div data-editable></div>"
    await services.templates.create(admin, name="Refund", body=html, mode="editable_html")
    await services.templates.create(admin, name="Closed", body="<p>We are closed.</p>", mode="static_html")
    await services.canned_responses.create(admin, title="Thanks", body="Thank you, {name}")
    await services.canned_responses.create(admin, title="Hours", body="We open at 9.", alias_id=help_id)
    settings = ReplySettingsChange("{agent}, {workspace}", "{agent}\nAcme", True, template.id)
    await services.aliases.change(admin, help_id, reply_settings=settings)


class _Replies:
    """A process that sends replies. The tickets are at the alias `help`."""

    def __init__(self, recorded: RecordedInstallation, smarthost: ScriptedSmarthost) -> None:
        self._recorded = recorded
        self._installation = recorded.installation
        self._smarthost = smarthost
        self.submissions = ManualSubmissions(recorded.installation, smarthost)
        self._ticket_id = ""  # of most replies
        self._parked_id = ""
        self._handed_over = ""

    async def hand_over(self) -> None:
        """Hands a reply over to three recipients; the customer and a stranger answer."""
        text, self._smarthost.final_text = self._smarthost.final_text, f"Ok {ASSIGNED_ID}"
        self._smarthost.answers["mail"] = ["553 5.7.1 Sender address rejected"]  # the one with the token
        self._ticket_id = await self._accept("The lamp is broken")
        upload_id = await self._upload()
        self._handed_over = await self._reply(
            quote=True,
            html="<p>Please <b>try</b> again.</p>",
            cc=("ben@customer.test",),
            bcc=("cleo@customer.test",),
            attachments=(upload_id,),
        )
        await self.submissions.submit_due()
        self._smarthost.final_text = text
        own_id = await self._message_id(self._handed_over)
        await self._answer(own_id, from_="ann@customer.test")
        await self._answer(own_id, from_="stranger@elsewhere.test")

    async def bounce(self) -> None:
        """Reads reports of each kind, and leaves one in the queue that a process has claimed, as if it was killed."""
        reply_id, delayed_id = await self._reply(), await self._reply()
        await self.submissions.submit_due()
        await self._send_bounce(reply_id, FORMS["Postfix"].build("ann@customer.test"))
        await self._send_bounce(delayed_id, FORMS["Postfix delay"].build("ann@customer.test"))
        await self._send_bounce(delayed_id, report(f"Final-Recipient: rfc822; ann@customer.test\n{RELAYED}"))
        while await self._installation.core.bounce_runner.read_due():
            pass
        await self._send_bounce(self._handed_over, FORMS["Exim"].build("ben@customer.test"))
        core = self._installation.core
        assert await BounceQueue(core.database, core.writers, core.clock, max_age=DAY).claim(1)

    async def fail(self) -> None:
        self._smarthost.answers["rcpt"] = [UNKNOWN]
        await self._reply()
        await self.submissions.submit_due()

    async def cancel(self) -> None:
        """Cancels a reply; its draft has all fields."""
        reply_id = await self._reply(
            html="<p>Wait.</p>",
            cc=("ben@customer.test",),
            bcc=("cleo@customer.test",),
            attachments=(await self._upload(),),
            undo_seconds=120,
        )
        await self._installation.services.replies.cancel(self._recorded.agent, reply_id)

    async def acknowledge(self) -> None:
        """Acknowledges a ticket, and queues another one."""
        await self._accept("Acknowledged", from_="dan@customer.test")
        assert await deliver.build_acknowledgements(self._installation.core).send_due() == 1
        await self.submissions.submit_due()
        await self._accept("Not acknowledged yet", from_="eve@customer.test")

    async def park(self, domain_id: str) -> None:
        """Lets the smarthost of a domain fail."""
        await self._recorded.add_alias("sales", "general", domain_id=domain_id)
        self._parked_id = await self._accept("Parked", address=f"sales@{SENDER_DOMAIN}")
        await self._reply(self._parked_id)
        self._installation.clock.advance(1)
        (submission,) = await self.submissions.claim()
        outcome = SubmissionOutcome("smarthost", "auth", 535, "5.7.8 Authentication failed")
        await self.submissions.outbox.record(CompletedSubmission(submission, outcome, 0.0))

    async def defer(self) -> None:
        """Defers a reply that an API key has created."""
        self._smarthost.answers["rcpt"] = ["451 4.2.1 Try again later"]
        await self._reply(actor=await self._recorded.authenticate_key())
        self._installation.clock.advance(1)
        (submission,) = await self.submissions.claim()
        await self.submissions.record(submission, await self.submissions.send(submission))

    async def reopen(self) -> None:
        for ticket_id in (self._ticket_id, self._parked_id):
            await self._installation.tickets.set_status(self._recorded.admin, ticket_id, "open")

    async def interrupt(self) -> None:
        """Leaves a reply whose final dot was written, as a process does that is killed."""
        await self._reply()
        self._installation.clock.advance(1)
        (submission,) = await self.submissions.claim()
        assert await self.submissions.outbox.begin_final_dot(submission)

    async def queue(self) -> None:
        await self._reply(status="open", undo_seconds=120)

    async def _accept(self, subject: str, *, from_: str = "ann@customer.test", address: str = f"help@{DOMAIN}") -> str:
        target = await self._installation.resolve(address)
        return await self._installation.accept_ticket(mails.plain(subject=subject, from_=from_), target)

    async def _reply(self, ticket_id: str = "", actor: Actor | None = None, **request: object) -> str:
        """Creates a reply that is due now, by default as the agent; returns its id."""
        defaults = {"text": "Please try again.", "undo_seconds": 0, "quote": False}
        wanted = ReplyRequest(**{**defaults, **request})  # type: ignore[arg-type]
        author = actor or self._recorded.agent
        view = await self._installation.services.replies.create(author, ticket_id or self._ticket_id, wanted)
        return view.reply.id

    async def _upload(self) -> str:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"a,b\n1,2\n"

        return (
            await self._installation.services.uploads.add(self._recorded.agent, "table.csv", "text/csv", chunks())
        ).id

    async def _message_id(self, reply_id: str) -> str:
        (row,) = await self._installation.execute(
            "SELECT m.rfc_message_id FROM messages m JOIN replies r ON r.message_id = m.id WHERE r.id = :id",
            id=reply_id,
        )
        return f"<{row['rfc_message_id']}>"

    async def _answer(self, message_id: str, *, from_: str) -> None:
        target = await self._installation.resolve(f"help@{DOMAIN}")
        await self._installation.accept_message(mails.reply_to(message_id, from_=from_), target)

    async def _send_bounce(self, reply_id: str, content: bytes) -> None:
        """Accepts a bounce of the first recipient of a reply."""
        row = (await self.submissions.recipients(reply_id))[0]
        target = await self._installation.resolve(bounce_address(str(row["token"]), DOMAIN))
        await self._installation.accept_message(content, target, reverse_path="")
