"""Signing in: guessing is limited."""

import asyncio
from pathlib import Path

from router.admin.access import sessions
from router.errors import Refused
from router.ratelimit.failure_throttle import Throttled
from tests.support.installation import installation_over
from tests.support.stores import opened_sqlite


async def test_concurrent_guesses_are_throttled_like_sequential_ones(tmp_path: Path) -> None:
    """A hundred guesses at the same moment get no more answers than the same guesses one after another."""
    async with opened_sqlite(tmp_path) as store, installation_over(store) as installation:
        await installation.services.users.create(
            installation.actor, email="admin@example.org", role="admin", password="correct horse battery"
        )
        login = installation.services.sessions.login
        outcomes = await asyncio.gather(
            *(login("admin@example.org", "a guess of mine", address="192.0.2.7") for _ in range(40)),
            return_exceptions=True,
        )
    verified = [outcome for outcome in outcomes if isinstance(outcome, Refused) and outcome.code == "unauthorized"]
    throttled = [outcome for outcome in outcomes if isinstance(outcome, Throttled)]
    assert 0 < len(verified) <= sessions.BY_ACCOUNT.requests + sessions.VERIFYING_AT_ONCE - 1
    assert len(verified) + len(throttled) == 40
