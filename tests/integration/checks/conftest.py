"""An installation that checks senders, and checks whose results the test chooses."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from router.checks.check_queue import CheckQueue, QueuedMessage
from router.checks.check_transaction import StoredChecks
from router.checks.decision import SenderFacts
from router.checks.results import MessageChecks
from router.mail.auth_results import AuthResult, AuthWord
from tests.support.installation import Installation
from tests.support.stores import Store

PASS = SenderFacts(from_domain="customer.test", dmarc="pass", dmarc_policy="reject", aligned=True)
FAIL = SenderFacts(from_domain="customer.test", dmarc="fail", dmarc_policy="reject")


@dataclass
class QueuedInstallation:
    """An installation and the queue of its messages."""

    installation: Installation
    queue: CheckQueue

    async def claim(self) -> list[QueuedMessage]:
        return await self.queue.claim(10)

    async def check(self, facts: SenderFacts = PASS) -> StoredChecks:
        """Checks the oldest queued message with chosen facts."""
        claimed = await self.queue.claim(1)
        return await self.queue.store(claimed[0].message, results(self.installation.clock.now(), facts))

    async def set_policy(self, text: str) -> None:
        await self.installation.execute("UPDATE aliases SET check_policy = :text", text=text)

    async def delivery(self) -> dict[str, object]:
        return (await self.installation.all_rows("deliveries"))[-1]

    async def ticket(self) -> dict[str, object]:
        return (await self.installation.all_rows("tickets"))[-1]


def results(now: int, facts: SenderFacts = PASS) -> MessageChecks:
    word: AuthWord = "pass" if facts.dmarc == "pass" else "fail"
    return MessageChecks("done", now, results=(AuthResult("dmarc", word, facts.from_domain),), facts=replace(facts))


@pytest.fixture
async def checked(store: Store) -> AsyncIterator[QueuedInstallation]:
    installation = Installation(store, {"checks.enabled": True})
    await installation.seed()
    yield QueuedInstallation(
        installation, CheckQueue(installation.database, installation.core.writers, installation.clock)
    )
    await installation.close()
