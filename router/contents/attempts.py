"""A committed record of each mail that a worker is about to parse: a mail that ended the program is not parsed again.

The record is written before the worker gets the mail and removed when its contents are kept, or when the attempt ended
for a reason that is not the mail's (a stop, a database that is away). So a record that is left belongs to a mail that
ended its process. It counts only for the version of the parser that wrote it, and only when no process can be at work
on it: its process is dead, or it is older than an attempt can be.
"""

from __future__ import annotations

import structlog

from router.clock import SECOND, Clock
from router.contents.pool import PARSE_TIMEOUT_SECONDS, START_TIMEOUT_SECONDS, UnparsableMessage
from router.errors import Unavailable
from router.lease_owner import is_dead, new_owner
from router.mail import parse
from router.model import Micros
from router.store.database import Database, QueryExecutor

# Two tries, each with the start of a worker, and as much again for the database and for clocks of several hosts.
MAX_ATTEMPT_AGE: Micros = round(4 * (PARSE_TIMEOUT_SECONDS + START_TIMEOUT_SECONDS)) * SECOND

log = structlog.get_logger()


class ParseAttempts:
    """One for each process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._owner = new_owner()
        self._running: set[str] = set()

    async def begin(self, message_id: str, *, retry: bool) -> None:
        """Records an attempt. Raises `UnparsableMessage` when an earlier one ended its process, unless `retry`.

        While another attempt runs, here or in another process, there is no second record: both may parse the mail.
        """
        if message_id in self._running:
            return
        # Before the record is written: a statement that is cancelled may have been committed.
        self._running.add(message_id)
        now = self._clock.now()
        values = {
            "message_id": message_id,
            "owner": self._owner,
            "parser": parse.PARSER_VERSION,
            "started_at": now,
        }
        if await self._database.execute("parse_attempt_begin", **values):
            return
        row = await self._database.fetch_one("parse_attempt_of", message_id=message_id)
        if row is None:
            return  # it has just ended, or the message was erased
        own = row["owner"] == self._owner  # left behind because the database was away
        if not own and not retry and row["parser"] >= parse.PARSER_VERSION:
            if is_dead(row["owner"]) or now - row["started_at"] > MAX_ATTEMPT_AGE:
                raise UnparsableMessage("an earlier parsing attempt was interrupted")
            self._running.discard(message_id)  # the record is that of another process
            return
        await self._database.execute("parse_attempt_take_over", **values)

    async def withdraw(self, message_id: str) -> None:
        """Removes the record of an attempt that ended for no fault of the mail."""
        if message_id not in self._running:
            return
        self._running.discard(message_id)
        try:
            await self._database.execute("parse_attempt_withdraw", message_id=message_id, owner=self._owner)
        except Unavailable as error:
            log.warning("parsing.attempt_not_cleared", message_id=message_id, reason=str(error))

    async def finish(self, message_id: str, transaction: QueryExecutor) -> None:
        """Removes the record, if there is one, in the transaction that keeps the contents."""
        if message_id in self._running:
            await transaction.execute("parse_attempt_end", message_id=message_id)

    def forget_finished(self, message_id: str) -> None:
        """The transaction of `finish` is committed."""
        self._running.discard(message_id)
