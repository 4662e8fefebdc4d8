"""Adds messages with the results of sender checks in each state, and tickets held as spam."""

from dataclasses import replace

from router.checks.check_queue import CheckQueue
from router.checks.decision import SenderFacts
from router.checks.results import MessageChecks
from router.checks.spam_verdict import SpamSymbol, SpamVerdict
from router.mail.auth_results import AuthResult
from tests.support import mails
from tests.support.installation import DOMAIN, Installation
from tests.system.upgrade.recorded_workspace import RecordedInstallation

RESULTS = (
    AuthResult("spf", "fail", "customer.test"),
    AuthResult("dkim", "permerror", "customer.test", "s1", "no key", "AbCdEf12"),
    AuthResult("dmarc", "fail", "customer.test"),
)
VERDICT = SpamVerdict("rspamd", 7.5, 6.0, "add header", (SpamSymbol("FORGED_SENDER", 2.5, "From and envelope differ"),))
FAILED = SenderFacts("customer.test", "fail", "reject")


async def create_checked_tickets(recorded: RecordedInstallation) -> None:
    services, admin = recorded.installation.services, recorded.admin
    await services.blocked_senders.create(admin, "@lottery.test", action="spam", note="since July")
    await services.allowed_senders.create(admin, "ann@customer.test", note="our accountant")
    await services.workspaces.change(admin, sender_checks={"on_fail": "quarantine", "spam_score": 8.0})
    alias_id = (await recorded.installation.resolve(f"night@{DOMAIN}")).alias_id
    await services.aliases.change(admin, alias_id or "", sender_checks={"on_spam": "flag"})
    checker = _Checker(recorded)
    checks = MessageChecks("done", results=RESULTS, relay_results=RESULTS[:1], spam=VERDICT, facts=FAILED)
    await checker.check(checks)
    released = await checker.check(checks)
    await services.spam.mark(admin, released, spam=False)
    await services.spam.mark(recorded.agent, await checker.check(replace(checks, facts=SenderFacts())), spam=True)
    await checker.check(replace(checks, facts=replace(FAILED, dmarc_policy="none")))  # a warning
    await checker.check(replace(checks, facts=SenderFacts(allowed="ann@customer.test")))
    await checker.check(replace(checks, facts=SenderFacts(blocked="@lottery.test")))
    await checker.check(MessageChecks("skipped"))
    await checker.check_again(checks)
    await checker.claim()
    await checker.accept()  # waits for its check
    await checker.queue_again()
    await recorded.installation.execute("UPDATE workspaces SET spam_alerted_at = created_at + 1")


class _Checker:
    """A process that checks senders; the recorded one does not, so that its other deliveries do not wait."""

    def __init__(self, recorded: RecordedInstallation) -> None:
        first = recorded.installation
        settings = {**first.settings, "checks.enabled": True}
        self._installation = Installation(first.store, settings, clock=first.clock)
        self._installation.workspace_id = first.workspace_id
        self._queue = CheckQueue(first.database, self._installation.core.writers, first.clock)

    async def accept(self) -> str:
        """Returns the id of the ticket."""
        target = await self._installation.resolve(f"night@{DOMAIN}")
        return await self._installation.accept_ticket(mails.plain(subject="Checked"), target)

    async def check(self, checks: MessageChecks) -> str:
        ticket_id = await self.accept()
        await self._store(checks)
        return ticket_id

    async def check_again(self, checks: MessageChecks) -> None:
        await self.check(checks)
        await self.queue_again()
        await self._store(checks)

    async def queue_again(self) -> None:
        """Queues the newest checked message for another check."""
        (row,) = await self._installation.execute("SELECT max(message_id) AS id FROM message_checks")
        await self._installation.database.fetch_one("check_queue_add", message_id=row["id"])

    async def claim(self) -> None:
        """Leaves a claimed message, as a process does that is killed."""
        await self.accept()
        await self._queue.claim(1)

    async def _store(self, checks: MessageChecks) -> None:
        (claimed,) = await self._queue.claim(1)
        await self._queue.store(claimed.message, replace(checks, checked_at=self._installation.clock.now()))
