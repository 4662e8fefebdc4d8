"""What people read of a stored mail, and its octets: parsed when first needed, kept, made anew by a newer parser.

Parsing happens in whoever needs the text first (the deliverer, else the API), off the event loop and a few at a
time (`router.contents.pool`). A mail that no parser gets through is kept as it came, with a warning, and so never tried
again by the same version; so is a mail that ended the program (`router.contents.attempts`). What tickets are found by
(`router.search.terms`) is kept in the same transaction as the text: a mail that can be read can be found.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict

import structlog

from router import ids
from router.clock import Clock
from router.contents.attempts import ParseAttempts
from router.contents.pool import ParsedMessage, Parser, UnparsableMessage
from router.errors import Unavailable
from router.mail import parse
from router.mail.contents import Attachment, AttachmentData, Contents, NamedMailbox
from router.meter import UNMETERED, Meter
from router.search import terms
from router.store.database import Database, Row

# A mail that is parsed is held in memory whole: a few at once bound it to a few mails.
MAX_CONCURRENT_PARSES = 4
# What one search reads of mail that nobody has read yet, and how long a commit may take to show its message.
CATCH_UP_LIMIT = 50
CATCH_UP_MARGIN_SECONDS = 120.0  # seconds

log = structlog.get_logger()


class ContentStore:
    """One for each process. Built by the assembly; closed after all that use it."""

    def __init__(
        self, database: Database, clock: Clock, meter: Meter = UNMETERED, parser: Parser | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._meter = meter
        self._parser = parser or Parser()
        self._attempts = ParseAttempts(database, clock)
        self._parse_slots = asyncio.Semaphore(MAX_CONCURRENT_PARSES)
        self._parsed_up_to = ""  # every message up to this id has its contents
        self._parse_task: asyncio.Task[None] | None = None

    async def get(self, message_id: str) -> Contents:
        """The readable contents of a message; parsed now if no parser of this version has been over it."""
        row = await self._database.fetch_one("contents_of", message_id=message_id)
        if row is not None and row["parser"] >= parse.PARSER_VERSION:
            return _from_row(row)
        if row is not None and await self._database.fetch_one("contents_raw_chunk", message_id=message_id, n=0) is None:
            return _from_row(row)  # retention has erased the octets: an older parser's text is all there is
        return await self.parse(message_id)

    async def list_unparsed(self, message_ids: Sequence[str]) -> list[str]:
        """Those of the messages that no parser of this version has been over."""
        asked = json.dumps(list(message_ids))
        rows = await self._database.fetch_all("contents_unparsed", ids=asked, parser=parse.PARSER_VERSION)
        return [row["message_id"] for row in rows]

    async def parse(self, message_id: str, *, retry: bool = False) -> Contents:
        """Parses the raw mail and keeps the result; where its octets were erased, what was read of them stays.

        again: also when an earlier attempt ended its process.
        """
        try:
            async with self._parse_slots:
                content = await self.read_raw(message_id)
                if not content and (row := await self._database.fetch_one("contents_of", message_id=message_id)) is not None:
                    return _from_row(row)
                reading = await self._parse_raw(message_id, content, retry=retry)
            await self._store(message_id, reading)
            self._attempts.forget_finished(message_id)
        except BaseException:  # also a cancelled task: a stop is no fault of the mail
            await self._attempts.withdraw(message_id)
            raise
        return reading.contents

    async def _parse_raw(self, message_id: str, content: bytes, *, retry: bool) -> ParsedMessage:
        try:
            reading = await self._parser.parse(content, lambda: self._attempts.begin(message_id, retry=retry))
        except UnparsableMessage as why:
            log.warning("parsing.failed", message_id=message_id, size=len(content), reason=str(why))
            contents = parse.raw_contents(content, str(why))
            reading = ParsedMessage(contents, await asyncio.to_thread(terms.of_text, contents.text))
        except Exception:
            self._meter.parsed("failed")
            raise
        if _is_raw(reading.contents):
            self._meter.parsed("failed")
        else:
            self._meter.parsed("warnings" if reading.contents.warnings else "clean")
        return reading

    async def get_attachment(self, message_id: str, n: int) -> AttachmentData | None:
        """The decoded octets of one attachment; None when the mail has none of that number."""
        row = await self._database.fetch_one("contents_of", message_id=message_id)
        if row is not None and row["parser"] >= parse.PARSER_VERSION and _is_raw(_from_row(row)):
            return None  # a mail that no parser gets through lists none
        async with self._parse_slots:
            content = await self.read_raw(message_id)
            try:
                return await self._parser.extract_attachment(content, n)
            except UnparsableMessage as why:
                log.warning("parsing.failed", message_id=message_id, size=len(content), reason=str(why))
                return None

    async def read_raw(self, message_id: str) -> bytes:
        """The mail octet for octet as it came; empty when it was erased."""
        return b"".join([piece async for piece in self.raw_chunks(message_id)])

    async def raw_chunks(self, message_id: str) -> AsyncIterator[bytes]:
        """The same in the pieces it is stored in, for sending it on without holding it whole."""
        n = 0
        while (row := await self._database.fetch_one("contents_raw_chunk", message_id=message_id, n=n)) is not None:
            yield bytes(row["data"])
            n += 1

    async def parse_missing(self, timeout_seconds: float) -> None:
        """Reads the newest mails that nobody has read yet, so that they are found too; waits so many seconds at most.

        Usually there are none: the deliverer reads each mail at once. Those of an alias without an integration nobody
        reads before they are looked at, nor those that a digest told of.
        """
        if self._parse_task is None or self._parse_task.done():
            self._parse_task = asyncio.create_task(self._parse_missing())
        await asyncio.wait({self._parse_task}, timeout=timeout_seconds)

    async def close(self) -> None:
        """Ends the processes that parse."""
        if self._parse_task is not None:
            self._parse_task.cancel()
            await asyncio.wait({self._parse_task})
        await self._parser.close()

    async def _parse_missing(self) -> None:
        try:
            horizon = ids.oldest("msg", CATCH_UP_MARGIN_SECONDS)
            rows = await self._database.fetch_all("search_missing", after=self._parsed_up_to, most=CATCH_UP_LIMIT)
            all_read = len(rows) < CATCH_UP_LIMIT
            for message_id, outcome in zip(
                (row["id"] for row in rows),
                await asyncio.gather(*(self.get(row["id"]) for row in rows), return_exceptions=True),
                strict=True,
            ):
                if isinstance(outcome, Exception):
                    all_read = False
                    log.warning("parsing.prefetch_failed", message_id=message_id, reason=repr(outcome))
            if all_read:  # or every search would look at every message again
                self._parsed_up_to = max(horizon, self._parsed_up_to)
        except Unavailable as error:
            log.warning("parsing.database_unavailable", reason=str(error))

    async def _store(self, message_id: str, reading: ParsedMessage) -> None:
        contents = reading.contents
        attachments = json.dumps([asdict(attachment) for attachment in contents.attachments])
        async with self._database.transaction() as transaction:
            await transaction.fetch_all("contents_hold_tickets", message_id=message_id)
            if await transaction.fetch_one("contents_hold", message_id=message_id) is None:
                return  # erased meanwhile
            await transaction.execute(
                "contents_keep",
                message_id=message_id,
                text=contents.text,
                quoted=contents.quoted,
                html=contents.html,
                attachments=attachments,
                warnings=json.dumps(contents.warnings),
                reply_to=json.dumps([asdict(mailbox) for mailbox in contents.reply_to]),
                original_from=json.dumps(contents.original_from and asdict(contents.original_from)),
                failed_recipients=json.dumps(contents.failed_recipients),
                parser=parse.PARSER_VERSION,
                parsed_at=self._clock.now(),
            )
            await self._attempts.finish(message_id, transaction)
            await transaction.fetch_all("search_turn")
            for row in await transaction.fetch_all("search_tickets_of", message_id=message_id):
                header = terms.of_text(f"{row['from_name']} {row['from_address']} {row['subject']}")
                words = terms.document(
                    row["workspace_id"],
                    row["number"],
                    row["alias_id"],
                    known=row["words"].split(),
                    more=[*header, *reading.search_words],
                )
                await transaction.execute(
                    "search_keep",
                    ticket_id=row["ticket_id"],
                    workspace_id=row["workspace_id"],
                    place=terms.place(row["ticket_id"]),
                    words=" ".join(words),
                )


def _is_raw(contents: Contents) -> bool:
    return any(warning.endswith(parse.RAW_MESSAGE_SHOWN) for warning in contents.warnings)


def _from_row(row: Row) -> Contents:
    original_from = json.loads(row["original_from"])
    return Contents(
        text=row["text"],
        quoted=row["quoted"],
        html=row["html"],
        attachments=tuple(Attachment(**attachment) for attachment in json.loads(row["attachments"])),
        warnings=tuple(json.loads(row["warnings"])),
        reply_to=tuple(NamedMailbox(**mailbox) for mailbox in json.loads(row["reply_to"])),
        original_from=original_from and NamedMailbox(**original_from),
        failed_recipients=tuple(json.loads(row["failed_recipients"])),
    )
