"""Tickets held as spam, as a check of their messages leaves them."""

from router.clock import SECOND
from router.store.database import run_statements
from router.store.spam_marks import SpamActor, mark_spam, release_spam
from tests.support.installation import Installation

_SYSTEM = SpamActor("system", None)


async def hold_as_spam(installation: Installation, *ticket_ids: str) -> None:
    reasons = dict.fromkeys(ticket_ids, "rspamd: 21.4 of 15")
    async with installation.database.transaction() as transaction:
        marks = mark_spam(reasons, dict.fromkeys(ticket_ids, _SYSTEM), installation.clock.now())
        await run_statements(transaction, marks)


async def release_from_spam(installation: Installation, *ticket_ids: str) -> None:
    now = installation.clock.now()
    async with installation.database.transaction() as transaction:
        released = release_spam(ticket_ids, dict.fromkeys(ticket_ids, _SYSTEM), now, expires_at=now + 86_400 * SECOND)
        await run_statements(transaction, released)
