"""The interface for metrics.

A call takes about a microsecond, never blocks and never raises. Text arguments come from small fixed sets, so label
values never depend on received data.
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

ParseResult = Literal["clean", "warnings", "failed"]


class Meter(Protocol):
    """Records events of one process. Durations are in seconds, sizes in bytes."""

    def record_connection(self) -> None:
        """Records a new SMTP connection."""

    def record_refusal(self, reason: str) -> None:
        """Records an SMTP refusal; `reason` is a reply name in `smtp.replies`."""

    def record_accept(self, size: int, *, is_duplicate: bool) -> None:
        """Records a committed message."""

    def record_routing(self, aliases: int, *, ticketed: int, duplicates: int, queued: int) -> None:
        """Records how many aliases of one message got a ticket event, a duplicate and a delivery.

        `aliases` was counted before the transaction.
        """

    def record_commit(self, seconds: float) -> None:
        """Records how long a message waited for its group commit, successful or not."""

    def record_parse(self, result: ParseResult) -> None:
        """Records a parsed message."""

    def record_attempt(self, outcome: str, deliveries: int, seconds: float) -> None:
        """Records a finished request to an integration, with its response time.

        `outcome` is a name that `router.dispatch.outbox.outcome_name` returns.
        """

    def record_delivery(self, seconds: float) -> None:
        """Records a completed delivery and the time since its message was accepted."""

    def record_request(self, method: str, route: str, status: str, seconds: float | None) -> None:
        """Records a finished HTTP request.

        Args:
            route: As registered (`/api/domains/{id}`), or "none".
            status: The class of the status (`2xx`), or "none" for an aborted response.
            seconds: The duration; None for a stream.
        """


class NullMeter:
    """Records nothing."""

    def record_connection(self) -> None:
        """See `Meter`."""

    def record_refusal(self, reason: str) -> None:
        """See `Meter`."""

    def record_accept(self, size: int, *, is_duplicate: bool) -> None:
        """See `Meter`."""

    def record_routing(self, aliases: int, *, ticketed: int, duplicates: int, queued: int) -> None:
        """See `Meter`."""

    def record_commit(self, seconds: float) -> None:
        """See `Meter`."""

    def record_parse(self, result: ParseResult) -> None:
        """See `Meter`."""

    def record_attempt(self, outcome: str, deliveries: int, seconds: float) -> None:
        """See `Meter`."""

    def record_delivery(self, seconds: float) -> None:
        """See `Meter`."""

    def record_request(self, method: str, route: str, status: str, seconds: float | None) -> None:
        """See `Meter`."""


NULL_METER: Final[Meter] = NullMeter()
