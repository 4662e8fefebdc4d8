"""Deadlocks between transactions on PostgreSQL."""

import asyncio

import asyncpg

from tests.support.installation import Installation
from tests.support.mails import mail
from tests.support.postgres import PostgresServer, wait_until_blocked
from tests.support.stores import postgres_store


async def test_a_deadlock_rejects_no_message(postgres_server: PostgresServer) -> None:
    """Two replies lock their tickets while another transaction locks them in the opposite order."""
    async with postgres_store(postgres_server) as store:
        installation = Installation(store)
        await installation.seed()
        for n in range(2):
            await installation.accept.accept(installation.envelope(), mail(f"<{n}@customer.test>"))
        replies = [mail(f"<re-{n}@customer.test>", extra=[f"In-Reply-To: <{n}@customer.test>"]) for n in range(2)]
        first, second = sorted(str(row["id"]) for row in await installation.all_rows("tickets"))
        other = await asyncpg.connect(store.url)
        touch = "UPDATE tickets SET subject = subject WHERE id = $1"
        await other.execute("SET deadlock_timeout = '1min'")
        await other.execute("BEGIN")
        await other.execute(touch, second)
        accepting = [
            asyncio.create_task(installation.accept.accept(installation.envelope(), reply)) for reply in replies
        ]
        await wait_until_blocked(other.fetchval)
        await other.execute(touch, first)  # the group commit has locked the first ticket and waits for the second
        await other.execute("COMMIT")
        await other.close()
        await asyncio.gather(*accepting)
        assert len(await installation.all_rows("messages")) == 4
        assert len(await installation.all_rows("tickets")) == 2
        await installation.close()
