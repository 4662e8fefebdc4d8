"""The results of the sender checks of messages, and their repetition with the DNS of today."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.admin.fetch import fetch_by_id
from router.checks import results
from router.checks.results import CheckState, MessageChecks
from router.clock import Clock
from router.errors import Refused, not_found_error
from router.model import Actor, Message
from router.ports import Waker
from router.store.database import Database, QueryExecutor, Row, retry_on_conflict

_UNCHECKED = MessageChecks("skipped")


@dataclass(frozen=True, slots=True)
class SenderChecks:
    """What is known about the sender of a message.

    Attributes:
        results: Without results if the message is not checked yet, or was received by a version without checks.
        is_queued: Whether the message waits for its check, or for another one.
    """

    results: MessageChecks = _UNCHECKED
    is_queued: bool = False

    @property
    def state(self) -> CheckState:
        """`pending` only until the first results: during another check, the earlier ones are still shown."""
        return "pending" if self.is_queued and self.results.state != "done" else self.results.state


NO_CHECKS = SenderChecks()


async def read_checks(database: QueryExecutor, message_ids: Sequence[str]) -> Mapping[str, SenderChecks]:
    """Returns the checks of messages by message id, in one query."""
    rows = await database.fetch_all("sender_checks_by_messages", ids=json.dumps(list(message_ids)))
    return {row["message_id"]: _from_row(row) for row in rows}


def _from_row(row: Row) -> SenderChecks:
    return SenderChecks(_UNCHECKED if row["state"] is None else results.from_row(row), bool(row["is_queued"]))


class SenderCheckService:
    """Repeats the checks of messages of the actor's workspace. `enabled` is the setting `[checks] enabled`."""

    def __init__(self, database: Database, clock: Clock, wake: Waker, *, enabled: bool) -> None:
        self._database = database
        self._clock = clock
        self._wake = wake
        self.enabled = enabled

    @retry_on_conflict
    async def recheck(self, actor: Actor, message_id: str) -> Message:
        """Queues a message for another check, which replaces its results and changes nothing else.

        A message without results counts as checked before, so that its check neither holds nor posts anything. Does
        nothing for a message that waits for its check.

        Raises:
            Refused: `not_found` if the original was erased, `conflict` if sender checks are disabled, or for a message
                that was composed here.
        """
        async with self._database.transaction() as transaction:
            message = await fetch_by_id(transaction, actor, Message, "message_by_id", message_id)
            if message.is_composed:
                raise Refused("conflict", "This message was sent from here: it has no sender to check")
            if not self.enabled:
                raise Refused("conflict", "Sender checks are disabled: [checks] enabled = false")
            if await transaction.fetch_one("sender_checks_has_original", message_id=message.id) is None:
                raise not_found_error("Raw message")
            if await transaction.fetch_one("check_queue_add", message_id=message.id) is not None:
                await transaction.execute("sender_checks_mark_old", message_id=message.id, now=self._clock.now())
        self._wake.wake_checks()
        return message
