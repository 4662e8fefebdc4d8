"""Notifies the deliver processes on all hosts that deliveries are due, with PostgreSQL's LISTEN and NOTIFY.

A lost notification only delays deliveries, because the deliverer also polls. A separate task sends notifications after
the commit: NOTIFY inside the accept transaction would serialise the commits of all hosts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from router.errors import Unavailable
from router.store.postgres import PostgresDatabase
from router.store.postgres_connection import PostgresConnection

CHANNEL = "emailrouter_deliveries"
# In place of the id of an integration: messages wait for their checks. An older process finds no such integration.
CHECKS = "checks"
# As well: replies are due.
SUBMISSIONS = "submissions"
BOUNCES = "bounces"  # bounces are to be read
# PostgreSQL limits a payload to less than 8000 bytes; an id with a comma has 31 bytes.
MAX_IDS_PER_NOTIFY = 200
RECONNECT_MIN_SECONDS, RECONNECT_MAX_SECONDS = 0.5, 10.0
# TCP keep-alive does not detect every dead connection (docs/decisions/0019-dead-connections.md).
LISTEN_CHECK_SECONDS = 30.0

log = structlog.get_logger()


class Notifier:
    """The `Waker` of a process without a dispatcher. `run` sends the integration ids that `wake` collects."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._pending: dict[str, None] = {}
        self._has_pending = asyncio.Event()

    def wake(self, integration_ids: Iterable[str]) -> None:
        for integration_id in integration_ids:
            self._pending[integration_id] = None
            self._has_pending.set()

    def wake_checks(self) -> None:
        self.wake((CHECKS,))

    def wake_submissions(self) -> None:
        self.wake((SUBMISSIONS,))

    def wake_bounces(self) -> None:
        self.wake((BOUNCES,))

    async def run(self) -> None:
        """Sends notifications until cancelled. Drops ids that cannot be sent."""
        connection: PostgresConnection | None = None
        try:
            while True:
                await self._has_pending.wait()
                self._has_pending.clear()
                ids = list(self._pending)
                self._pending.clear()
                try:
                    connection = await self._database.ensure_usable(connection)
                    for start in range(0, len(ids), MAX_IDS_PER_NOTIFY):
                        with self._database.guard_statements(connection):
                            await connection.execute(
                                "SELECT pg_notify($1, $2)", CHANNEL, ",".join(ids[start : start + MAX_IDS_PER_NOTIFY])
                            )
                except Unavailable as error:
                    log.debug("notify.send_failed", reason=str(error))
        finally:
            if connection is not None:
                connection.terminate()


async def listen(
    database: PostgresDatabase, wake: Callable[[Iterable[str]], None], wake_others: Mapping[str, Callable[[], None]]
) -> None:
    """Calls `wake` with the integration ids of each notification, and those of `wake_others`, until cancelled.

    The keys of `wake_others` are `CHECKS`, `SUBMISSIONS` and `BOUNCES`.

    Reconnects when the connection is lost.
    """
    delay = RECONNECT_MIN_SECONDS
    while True:
        connection: PostgresConnection | None = None
        try:
            connection = await database.connect()
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _, lost=lost: lost.set())
            with database.guard_statements(connection):
                await connection.add_listener(
                    CHANNEL, lambda _c, _p, _n, text: _forward(text.split(","), wake, wake_others)
                )
            delay = RECONNECT_MIN_SECONDS
            while not await _wait_for(lost, LISTEN_CHECK_SECONDS) and await database.is_usable(connection):
                pass
        except Unavailable as error:
            log.debug("notify.listener_disconnected", reason=str(error))
        finally:
            if connection is not None:
                connection.terminate()
        await asyncio.sleep(delay)
        delay = min(delay * 2, RECONNECT_MAX_SECONDS)


def _forward(
    texts: Sequence[str], wake: Callable[[Iterable[str]], None], wake_others: Mapping[str, Callable[[], None]]
) -> None:
    for name, wake_other in wake_others.items():
        if name in texts:
            wake_other()
    wake([text for text in texts if text not in wake_others])


async def _wait_for(event: asyncio.Event, seconds: float) -> bool:
    """Returns whether the event was set in time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
