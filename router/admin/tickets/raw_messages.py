"""The original of a message for download, with the header fields that the router adds.

Results of sender checks that a sender forged in our name are left out of the download, never of what is stored.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from router.checks import results
from router.contents.store import ContentStore
from router.errors import not_found_error
from router.mail import authentication_results, trace_headers
from router.mail.auth_results import AuthResult
from router.mail.forged_results import ForgedResultsFilter
from router.model import Message
from router.store.database import Database


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message for download, as header fields of the router and chunks of the original.

    Attributes:
        size: The size in bytes of both.
    """

    message: Message
    added_fields: bytes
    chunks: AsyncIterator[bytes]
    size: int


class RawMessages:
    """Opens the originals of messages.

    Args:
        authserv_ids: The names of this installation in Authentication-Results. Its own field has the first one.
    """

    def __init__(self, database: Database, contents: ContentStore, authserv_ids: Sequence[str]) -> None:
        self._database = database
        self._contents = contents
        self._authserv_ids = tuple(authserv_ids)

    async def open_original(self, message: Message) -> RawMessage:
        """Returns the bytes that were received, and nothing else. Raises as `open` does."""
        if await anext(self._contents.raw_chunks(message.id), None) is None:
            raise not_found_error("Raw message")
        return RawMessage(message, b"", self._read(message), message.size)

    async def open(self, message: Message, recipients: Sequence[str]) -> RawMessage:
        """Returns the message below its trace fields and results, without forged results.

        Nothing is added to a message that was composed here.

        Args:
            recipients: See `trace_headers.render`.

        Raises:
            Refused: `not_found` if the content was erased. The chunks raise it if it is erased while they are read.
        """
        if message.is_composed:
            return await self.open_original(message)
        removed = await self._count_removed(message)
        found = authentication_results.render(
            self._authserv_ids[0],
            await self._read_results(message),
            mail_from=message.reverse_path,
            helo=message.helo,
            peer=message.peer,
            from_domain=message.from_address.rpartition("@")[2],
        )
        added = trace_headers.render(message, recipients, results=found)
        chunks = _without_forged(self._read(message), ForgedResultsFilter(self._authserv_ids))
        return RawMessage(message, added, chunks, len(added) + message.size - removed)

    async def _read_results(self, message: Message) -> tuple[AuthResult, ...]:
        row = await self._database.fetch_one("message_checks", message_id=message.id)
        return () if row is None else results.from_row(row).results

    async def _count_removed(self, message: Message) -> int:
        """Returns the size of the forged fields. Reads only the chunks of the header, usually the first one."""
        forged = ForgedResultsFilter(self._authserv_ids)
        removed = 0
        is_stored = False
        async for chunk in self._contents.raw_chunks(message.id):
            is_stored = True
            removed += len(chunk) - len(forged.feed(chunk))
            if forged.is_finished:
                return removed
        if not is_stored:
            raise not_found_error("Raw message")
        return removed - len(forged.close())

    async def _read(self, message: Message) -> AsyncGenerator[bytes]:
        missing = message.size
        async for chunk in self._contents.raw_chunks(message.id):
            missing -= len(chunk)
            yield chunk
        if missing > 0:
            raise not_found_error("Raw message")


async def _without_forged(chunks: AsyncIterator[bytes], forged: ForgedResultsFilter) -> AsyncGenerator[bytes]:
    async for chunk in chunks:
        if kept := forged.feed(chunk):
            yield kept
    yield forged.close()
