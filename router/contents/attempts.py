"""Records which messages a worker is parsing, so that a message does not crash the program again and again.

A record is committed before the worker receives the message, and deleted in the transaction that stores the contents.
A remaining record counts only if no process can still be working on the message. A cancelled `begin` is written before
its `withdraw`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from router.clock import SECOND, Clock
from router.contents.contents_transaction import BeginAttempt, ContentsChange, WithdrawAttempt
from router.contents.pool import PARSE_TIMEOUT_SECONDS, START_TIMEOUT_SECONDS, UnparsableMessage
from router.errors import Unavailable
from router.lease_owner import is_dead, new_lease_owner
from router.mail import parse
from router.model import Micros
from router.store.database import Row
from router.store.group_commit import GroupWriter

# The time of two attempts, doubled to allow for slow databases and for clock differences between hosts.
MAX_ATTEMPT_AGE: Micros = round(4 * (PARSE_TIMEOUT_SECONDS + START_TIMEOUT_SECONDS)) * SECOND

log = structlog.get_logger()


class ParseAttempts:
    """The parse attempts of this process; one instance per process."""

    def __init__(self, writer: GroupWriter[ContentsChange, Row | None], clock: Clock) -> None:
        self._writer = writer
        self._clock = clock
        self._owner = new_lease_owner()
        self._running: dict[str, asyncio.Task[None]] = {}  # the tasks that record the attempts

    async def begin(self, message_id: str, *, retry: bool) -> None:
        """Records an attempt before it starts. The caller may parse the message when this method returns.

        Concurrent parses of a message in this process have one record.

        Args:
            retry: Parse even if an earlier attempt was interrupted.

        Raises:
            UnparsableMessage: `retry` is False and an earlier attempt with this or a newer version was interrupted.
        """
        recording = self._running.get(message_id)
        if recording is None:
            # Added before the commit: the caller may be cancelled although the record is written, and `withdraw` must
            # delete the record.
            recording = asyncio.get_running_loop().create_task(self._record(message_id, retry=retry))
            recording.add_done_callback(_retrieve_exception)
            self._running[message_id] = recording
        await asyncio.shield(recording)

    async def _record(self, message_id: str, *, retry: bool) -> None:
        attempt = BeginAttempt(message_id, self._owner, parse.PARSER_VERSION, self._clock.now())
        row = await self._writer.commit(attempt)
        if row is None:
            return  # recorded; or the message was erased
        # A record of this process remains if the database was unavailable in `withdraw`.
        own = row["owner"] == self._owner
        if not own and not retry and row["parser"] >= parse.PARSER_VERSION:
            if is_dead(row["owner"]) or attempt.started_at - row["started_at"] > MAX_ATTEMPT_AGE:
                raise UnparsableMessage("an earlier parsing attempt was interrupted")
            self._running.pop(message_id, None)  # the record belongs to another process
            return
        await self._writer.commit(replace(attempt, replace=True))

    async def withdraw(self, message_id: str) -> None:
        """Deletes the record of an attempt that failed for a reason unrelated to the message."""
        recording = self._running.pop(message_id, None)
        if recording is None:
            return
        await asyncio.wait({recording})  # the record must not be written after its deletion
        try:
            await self._writer.commit(WithdrawAttempt(message_id, self._owner))
        except Unavailable as error:
            log.warning("parsing.attempt_not_cleared", message_id=message_id, reason=str(error))

    def is_running(self, message_id: str) -> bool:
        """Whether this process has a record, which the transaction that stores the contents must delete."""
        return message_id in self._running

    def discard_finished(self, message_id: str) -> None:
        """Removes the attempt from memory, after the transaction that deletes its record has been committed."""
        self._running.pop(message_id, None)


def _retrieve_exception(recording: asyncio.Task[None]) -> None:
    """Marks the exception as handled: all callers may have been cancelled."""
    if not recording.cancelled():
        recording.exception()
