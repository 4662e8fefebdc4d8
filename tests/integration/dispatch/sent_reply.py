"""A ticket with a reply that was handed over, for tests of bounces."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from router.model import TicketReply
from router.reply_tokens import bounce_address
from router.routing.route import Target
from tests.support import mails
from tests.support.installation import Installation, seeded_installation
from tests.support.replies import queue_reply
from tests.support.stores import Store

ANN, BEN = "ann@customer.test", "ben@customer.test"


@dataclass
class SentReply:
    """A ticket with a reply to Ann and Ben that was handed over, and what tests ask of them."""

    installation: Installation
    ticket_id: str
    reply: TicketReply

    async def token(self, address: str = ANN) -> str:
        rows = await self.installation.execute(
            "SELECT token FROM reply_recipients WHERE reply_id = :id AND address = :address",
            id=self.reply.id,
            address=address,
        )
        return str(rows[0]["token"])

    async def target(self, address: str = ANN) -> Target:
        return await self.installation.resolve(bounce_address(await self.token(address), "example.com").upper())

    async def bounce(self, content: bytes, address: str = ANN, reverse_path: str = "") -> str:
        """Accepts a bounce at the token of a recipient and reads it; returns the id of its message."""
        target = await self.target(address)
        message_id = await self.installation.accept_message(content, target, reverse_path=reverse_path)
        await self.read()
        return message_id

    async def read(self) -> None:
        while await self.installation.core.bounce_runner.read_due():
            pass
        assert await self.installation.count_rows("bounce_queue") == 0

    async def states(self) -> dict[str, tuple[str, object, str]]:
        rows = await self.installation.execute("SELECT address, state, code, text FROM reply_recipients")
        return {str(row["address"]): (str(row["state"]), row["code"], str(row["text"])) for row in rows}

    async def status(self) -> str:
        return str((await self.installation.execute("SELECT status FROM tickets ORDER BY id"))[0]["status"])

    async def events(self) -> list[str]:
        rows = await self.installation.execute("SELECT type FROM ticket_events ORDER BY ticket_id, sequence")
        return [str(row["type"]) for row in rows]

    async def posts(self) -> list[str]:
        rows = await self.installation.execute(
            "SELECT event FROM deliveries WHERE target = 'integration' AND event <> 'updated' ORDER BY id"
        )
        return [str(row["event"]) for row in rows]


@asynccontextmanager
async def open_sent_reply(store: Store) -> AsyncIterator[SentReply]:
    async with seeded_installation(store) as installation:
        ticket_id = await installation.accept_ticket(mails.plain())
        reply = await queue_reply(installation, ticket_id, [ANN, BEN])
        for table in ("replies", "reply_recipients"):
            await installation.execute(f"UPDATE {table} SET state = 'sent'")
        await installation.execute(
            "UPDATE deliveries SET state = 'delivered', next_attempt_at = NULL WHERE target = 'smarthost'"
        )
        await installation.execute("UPDATE tickets SET status = 'waiting'")
        yield SentReply(installation, ticket_id, reply)
