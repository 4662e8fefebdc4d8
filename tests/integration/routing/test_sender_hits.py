"""Hits of allowed and blocked senders are written in batches, and counted on while the database is unavailable."""

from contextlib import AbstractAsyncContextManager

import pytest

from router.errors import Unavailable
from router.mail.address import parse_mailbox
from router.routing import sender_hits
from router.routing.route import Refusal
from router.routing.sender_hits import SenderHit, SenderHits, add_hits
from router.side_tasks import SideTasks
from router.store.database import QueryExecutor, run_statements
from tests.support.installation import Installation
from tests.support.waiting import poll_until


async def blocked_hits(installation: Installation) -> dict[str, int]:
    return {
        each.sender: each.hits
        for each in await installation.services.blocked_senders.list_all(installation.workspace_id)
    }


async def refuse(installation: Installation, sender: str) -> None:
    mailbox = parse_mailbox("support@example.com")
    assert await installation.core.routing_cache.resolve(mailbox, reverse_path=sender) == Refusal("blocked")


async def test_refused_recipients_are_counted_and_written_later(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_hits, "WRITE_INTERVAL", 0.05)
    await installation.services.blocked_senders.create_many(installation.actor, ["@bad.test", "eve@bad.test"])
    for sender in ("eve@bad.test", "a@bad.test", "b@bad.test"):
        await refuse(installation, sender)
    assert await blocked_hits(installation) == {"@bad.test": 0, "eve@bad.test": 0}

    async def is_written() -> bool:
        return await blocked_hits(installation) == {"@bad.test": 2, "eve@bad.test": 1}

    await poll_until(is_written, "the hits are written")
    (listed, _) = await installation.services.blocked_senders.list_all(installation.workspace_id)
    assert listed.last_hit_at == installation.clock.now()
    await refuse(installation, "a@bad.test")
    await installation.core.sender_hits.close()
    assert await blocked_hits(installation) == {"@bad.test": 3, "eve@bad.test": 1}


async def test_hits_survive_a_database_that_is_unavailable(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installation.services.blocked_senders.create(installation.actor, "@bad.test")
    await refuse(installation, "a@bad.test")

    def unavailable() -> AbstractAsyncContextManager[QueryExecutor]:
        raise Unavailable("unavailable")

    with monkeypatch.context() as patch:
        patch.setattr(installation.database, "transaction", unavailable)
        await installation.core.sender_hits.close()
    await installation.core.sender_hits.close()
    assert await blocked_hits(installation) == {"@bad.test": 1}


async def test_a_defect_does_not_end_the_counting(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    await installation.services.blocked_senders.create(installation.actor, "@bad.test")
    await refuse(installation, "a@bad.test")
    with monkeypatch.context() as patch:
        patch.setattr(sender_hits, "add_hits", None)
        await installation.core.sender_hits.close()
    assert installation.core.side_tasks.failures == 1
    await installation.core.sender_hits.close()
    assert await blocked_hits(installation) == {"@bad.test": 1}


async def test_the_number_of_counted_entries_is_bounded(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_hits, "MAX_COUNTED", 2)
    monkeypatch.setattr(sender_hits, "BATCH", 1)
    added = await installation.services.blocked_senders.create_many(
        installation.actor, ["@a.test", "@b.test", "@c.test"]
    )
    hits = SenderHits(installation.database, installation.clock, SideTasks().run_async)
    for listed in (*added.added, *added.added):
        hits.add(SenderHit("blocked", installation.workspace_id, listed.sender))
    await hits.close()
    assert await blocked_hits(installation) == {"@a.test": 2, "@b.test": 2, "@c.test": 0}


async def test_hits_of_a_message_are_added_in_its_transaction(installation: Installation) -> None:
    workspace_id, now = installation.workspace_id, installation.clock.now()
    await installation.services.allowed_senders.create(installation.actor, "@good.test")
    hits = {SenderHit("allowed", workspace_id, "@good.test"): 1, SenderHit("blocked", workspace_id, "@deleted.test"): 1}
    for at in (now, now - 1):
        async with installation.database.transaction() as transaction:
            await run_statements(transaction, add_hits(hits, at))
    (listed,) = await installation.services.allowed_senders.list_all(workspace_id)
    assert (listed.hits, listed.last_hit_at) == (2, now)
