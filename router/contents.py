"""What people read of a stored mail, and its octets: parsed when first needed, kept, made anew by a newer parser.

Parsing happens in whoever needs the text first (the deliverer, else the API), off the event loop and a few at a
time; it never raises, for `router.mail.parse` never does. The octets come in pieces, as they are stored.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict

from router.clock import Clock
from router.mail import parse
from router.mail.parse import Attachment, AttachmentData, Contents
from router.meter import UNMETERED, Meter
from router.store.database import Database, Row

# Parsing holds the mail and its decoded parts in memory: a few at once bound it to a few mails.
PARSING_AT_ONCE = 2


class ContentStore:
    """One for each process. Built by the assembly."""

    def __init__(self, database: Database, clock: Clock, meter: Meter = UNMETERED) -> None:
        self._database = database
        self._clock = clock
        self._meter = meter
        self._parsing = asyncio.Semaphore(PARSING_AT_ONCE)

    async def of(self, message_id: str) -> Contents:
        """The readable contents of a message; parsed now if no parser of this version has been over it."""
        row = await self._database.one("contents_of", message_id=message_id)
        if row is not None and row["parser"] >= parse.PARSER_VERSION:
            return _from_row(row)
        return await self.make(message_id)

    async def make(self, message_id: str) -> Contents:
        """Parses the raw mail and keeps the result."""
        async with self._parsing:
            content = await self.raw(message_id)
            try:
                contents = await asyncio.to_thread(parse.parse, content)
            except Exception:
                self._meter.parsed("failed")
                raise
        self._meter.parsed("warnings" if contents.warnings else "clean")
        await self._database.run(
            "contents_keep",
            message_id=message_id,
            text=contents.text,
            quoted=contents.quoted,
            html=contents.html,
            attachments=json.dumps([asdict(attachment) for attachment in contents.attachments]),
            warnings=json.dumps(contents.warnings),
            parser=parse.PARSER_VERSION,
            parsed_at=self._clock.now(),
        )
        return contents

    async def attachment(self, message_id: str, n: int) -> AttachmentData | None:
        """The decoded octets of one attachment; None when the mail has none of that number."""
        async with self._parsing:
            content = await self.raw(message_id)
            return await asyncio.to_thread(parse.attachment, content, n)

    async def raw(self, message_id: str) -> bytes:
        """The mail octet for octet as it came; empty when it was erased."""
        return b"".join([piece async for piece in self.pieces(message_id)])

    async def pieces(self, message_id: str) -> AsyncIterator[bytes]:
        """The same in the pieces it is stored in, for sending it on without holding it whole."""
        n = 0
        while (row := await self._database.one("contents_raw_chunk", message_id=message_id, n=n)) is not None:
            yield bytes(row["data"])
            n += 1


def _from_row(row: Row) -> Contents:
    return Contents(
        text=row["text"],
        quoted=row["quoted"],
        html=row["html"],
        attachments=tuple(Attachment(**attachment) for attachment in json.loads(row["attachments"])),
        warnings=tuple(json.loads(row["warnings"])),
    )
