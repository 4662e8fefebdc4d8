"""The raw data and the parsed contents of stored messages.

A message is parsed when its contents are first read, and again by a newer parser version. If it cannot be parsed, the
start of its source and a warning are stored as the contents.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence

import structlog

from router import ids
from router.clock import Clock
from router.contents.attempts import ParseAttempts
from router.contents.contents_transaction import StoreContents, write_changes
from router.contents.pool import ParsedMessage, Parser, UnparsableMessage
from router.errors import Unavailable
from router.mail import parse
from router.mail.compose.html import CleanHtml
from router.mail.contents import Attachment, AttachmentData, Contents, NamedMailbox
from router.meter import NULL_METER, Meter
from router.search import terms
from router.store.database import Database, Row
from router.store.group_writers import GroupWriters

# Each parse holds its whole message in memory. A message that waits for its parse was not read, except the first chunk
# by a claim.
MAX_CONCURRENT_PARSES = 4
# Maximum number of messages that one search parses.
CATCH_UP_LIMIT = 50
# Assumed maximum time from the creation of a message's id until its transaction is visible to searches.
CATCH_UP_MARGIN_SECONDS = 120.0

_ERASED = Contents(text="", quoted="", html="", attachments=(), warnings=())

log = structlog.get_logger()


class ContentStore:
    """The contents of the stored messages. Create one per process, and close it after the objects that use it."""

    def __init__(
        self,
        database: Database,
        writers: GroupWriters,
        clock: Clock,
        meter: Meter = NULL_METER,
        parser: Parser | None = None,
    ) -> None:
        self._database = database
        self._writer = writers.open(write_changes)
        self._clock = clock
        self._meter = meter
        self._parser = parser or Parser()
        self._attempts = ParseAttempts(self._writer, clock)
        self._parse_slots = asyncio.Semaphore(MAX_CONCURRENT_PARSES)
        self._parsed_up_to = ""  # all messages up to this id are parsed
        self._parse_task: asyncio.Task[None] | None = None

    async def get(self, message_id: str) -> Contents:
        """Returns the contents of a message.

        Parses the message first if its contents are not stored, or if an older parser version has stored them. If the
        raw data was erased, returns the stored contents.
        """
        row = await self._database.fetch_one("contents_by_message", message_id=message_id)
        if row is not None and row["parser"] >= parse.PARSER_VERSION:
            return _from_row(row)
        return await self.parse(message_id)

    async def complete(self, row: Row) -> Contents:
        """Returns the contents of a message like `get`, for a row of `read_contents`; stored contents have no HTML."""
        if row["parser"] is not None and row["data"] is None:
            return _from_row(row)
        return await self._parse_and_store(row["message_id"], row)

    async def list_unparsed(self, message_ids: Sequence[str]) -> list[str]:
        """Returns the ids of the messages that neither this parser version nor a newer one has parsed."""
        ids_json = json.dumps(list(message_ids))
        rows = await self._database.fetch_all("contents_unparsed", ids=ids_json, parser=parse.PARSER_VERSION)
        return [row["message_id"] for row in rows]

    async def clean_html(self, html: str, content_ids: Iterable[str] = ()) -> CleanHtml | None:
        """Sanitises HTML that is sent; see `Parser.clean_html`."""
        return await self._parser.clean_html(html, content_ids)

    async def parse(self, message_id: str, *, retry: bool = False) -> Contents:
        """Parses the raw message and stores the result. If the raw data was erased, returns the stored contents.

        With `retry`, parses even if an earlier attempt was interrupted.
        """
        return await self._parse_and_store(message_id, retry=retry)

    async def _parse_and_store(self, message_id: str, first: Row | None = None, *, retry: bool = False) -> Contents:
        """Parses the raw data and stores the result. `first` is a row with the first chunk, if it was read before."""
        try:
            async with self._parse_slots:
                content = await self.read_raw(message_id, first)
                if content is None:
                    return await self._read_stored(message_id)
                parsed = await self._parse_raw(message_id, content, retry=retry)
            await self._store(message_id, parsed)
            self._attempts.discard_finished(message_id)
        except BaseException:  # including cancellation: a shutdown is unrelated to the message
            await self._attempts.withdraw(message_id)
            raise
        return parsed.contents

    async def read_raw(self, message_id: str, first: Row | None = None) -> bytes | None:
        """Returns the original bytes of a message, or None if they, or a part of them, were erased.

        `first` is a row with the first chunk, if it was read before.
        """
        first = first or await self._database.fetch_one("contents_raw_chunk", message_id=message_id, n=0)
        if first is None or first["data"] is None:
            return None
        content = bytes(first["data"])
        if len(content) < first["size"]:
            content += b"".join([piece async for piece in self.raw_chunks(message_id, start=1)])
        return content if len(content) >= first["size"] else None

    async def read_start(self, message_id: str) -> bytes:
        """Returns the first stored chunk of a message, which has its header; `b""` if it was erased."""
        row = await self._database.fetch_one("contents_raw_chunk", message_id=message_id, n=0)
        return b"" if row is None else bytes(row["data"])

    async def _read_stored(self, message_id: str) -> Contents:
        """Returns the stored contents of a message whose raw data was erased, empty ones if there are none."""
        row = await self._database.fetch_one("contents_by_message", message_id=message_id)
        return _ERASED if row is None else _from_row(row)

    async def _parse_raw(self, message_id: str, content: bytes, *, retry: bool) -> ParsedMessage:
        try:
            parsed = await self._parser.parse(content, lambda: self._attempts.begin(message_id, retry=retry))
        except UnparsableMessage as error:
            log.warning("parsing.failed", message_id=message_id, size=len(content), reason=str(error))
            contents = parse.raw_contents(content, str(error))
            parsed = ParsedMessage(contents, await asyncio.to_thread(terms.message_words, contents))
        except Exception:
            self._meter.record_parse("failed")
            raise
        if _is_raw(parsed.contents):
            self._meter.record_parse("failed")
        else:
            self._meter.record_parse("warnings" if parsed.contents.warnings else "clean")
        return parsed

    async def get_attachment(self, message_id: str, n: int) -> AttachmentData | None:
        """Returns None if the message has no such attachment, or if the raw data was erased."""
        row = await self._database.fetch_one("contents_by_message", message_id=message_id)
        if row is not None and row["parser"] >= parse.PARSER_VERSION and _is_raw(_from_row(row)):
            return None  # an unparsable message has no attachments
        async with self._parse_slots:
            content = await self.read_raw(message_id)
            if content is None:
                return None
            try:
                return await self._parser.extract_attachment(content, n)
            except UnparsableMessage as error:
                log.warning("parsing.failed", message_id=message_id, size=len(content), reason=str(error))
                return None

    async def raw_chunks(self, message_id: str, *, start: int = 0) -> AsyncIterator[bytes]:
        """Yields the original bytes in the stored chunks, from chunk `start`, without loading the whole message.

        Yields fewer bytes if chunks are erased meanwhile.
        """
        n = start
        while (row := await self._database.fetch_one("contents_raw_chunk", message_id=message_id, n=n)) is not None:
            yield bytes(row["data"])
            n += 1

    async def parse_missing(self, timeout_seconds: float) -> None:
        """Parses the newest messages that are not parsed yet, so that search finds them.

        Args:
            timeout_seconds: How long to wait at most; parsing continues in the background.
        """
        if self._parse_task is None or self._parse_task.done():
            self._parse_task = asyncio.create_task(self._parse_missing())
        await asyncio.wait({self._parse_task}, timeout=timeout_seconds)

    async def close(self) -> None:
        if self._parse_task is not None:
            self._parse_task.cancel()
            await asyncio.wait({self._parse_task})
        await self._parser.close()

    async def _parse_missing(self) -> None:
        try:
            horizon = ids.first_id_within("msg", CATCH_UP_MARGIN_SECONDS)
            rows = await self._database.fetch_all("search_unindexed", after=self._parsed_up_to, limit=CATCH_UP_LIMIT)
            all_parsed = len(rows) < CATCH_UP_LIMIT
            for message_id, outcome in zip(
                (row["id"] for row in rows),
                await asyncio.gather(*(self.get(row["id"]) for row in rows), return_exceptions=True),
                strict=True,
            ):
                if isinstance(outcome, Exception):
                    all_parsed = False
                    log.warning("parsing.prefetch_failed", message_id=message_id, reason=repr(outcome))
            if all_parsed:
                self._parsed_up_to = max(horizon, self._parsed_up_to)
        except Unavailable as error:
            log.warning("parsing.database_unavailable", reason=str(error))

    async def _store(self, message_id: str, parsed: ParsedMessage) -> None:
        await self._writer.commit(
            StoreContents(
                message_id,
                parsed.contents,
                parsed.search_words,
                parser=parse.PARSER_VERSION,
                parsed_at=self._clock.now(),
                has_attempt=self._attempts.is_running(message_id),
            )
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
