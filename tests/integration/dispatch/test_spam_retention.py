"""Which tickets held as spam are erased, and which are kept."""

from unittest.mock import AsyncMock

import pytest

from router import ids
from router.admin.installation.loss_audit import audit_losses
from router.dispatch import retention
from router.dispatch.retention import ErasedCounts
from tests.integration.dispatch.test_retention import DAY, new_retention
from tests.support import mails
from tests.support.installation import Installation
from tests.support.spam import hold_as_spam, release_from_spam


async def tickets(installation: Installation) -> set[object]:
    return {row["id"] for row in await installation.execute("SELECT id FROM tickets")}


async def test_only_tickets_held_as_spam_for_long_enough_are_erased(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MAX_TICKETS", 2)
    with ids.dated_by(installation.clock.now):
        expired = [await installation.accept_ticket() for _ in range(5)]
        released, kept, late = [await installation.accept_ticket() for _ in range(3)]
        await hold_as_spam(installation, *expired, released)
        await release_from_spam(installation, released)
        installation.clock.advance(days=31)
        await hold_as_spam(installation, late)
        recent = await installation.accept_ticket()
        await hold_as_spam(installation, recent)
        assert (await new_retention(installation, tickets=DAY).sweep()).tickets == 0, "by default they are kept"
        pause = AsyncMock()
        erased = await new_retention(installation, spam=30 * DAY, pause=pause).sweep()
    assert (erased.tickets, erased.messages) == (5, 5)
    assert pause.await_count >= 5
    assert await tickets(installation) == {released, kept, late, recent}
    assert await installation.count_rows("deliveries") == 4
    assert (await audit_losses(installation.database)).list_faults() == []


async def test_a_ticket_that_is_released_during_the_run_is_kept(installation: Installation) -> None:
    with ids.dated_by(installation.clock.now):
        first, second = [await installation.accept_ticket() for _ in range(2)]
        await hold_as_spam(installation, first, second)
        installation.clock.advance(days=31)

        async def release() -> None:
            await release_from_spam(installation, second)

        erased = await new_retention(installation, spam=30 * DAY, pause=release).sweep()
    assert erased.tickets == 1
    assert await tickets(installation) == {second}
    assert await installation.count_rows("deliveries", "state = 'pending'") == 1


async def test_large_messages_of_spam_are_erased_in_steps(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MAX_CHUNKS", 2)
    with ids.dated_by(installation.clock.now):
        await hold_as_spam(installation, await installation.accept_ticket(mails.plain() + b"x" * 1_300_000))
        installation.clock.advance(days=31)
        erased = await new_retention(installation, spam=30 * DAY).sweep()
    assert erased == ErasedCounts(tickets=1, messages=1, small_rows=erased.small_rows)
    assert await installation.count_rows("raw_chunks") == 0
