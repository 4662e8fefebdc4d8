"""The HTTP client of one attempt, which limits its requests in time."""

from __future__ import annotations

from collections.abc import Mapping

from router.channels.contract import DeadlinePassed, HttpClient
from router.clock import SECOND, Clock
from router.model import Micros
from router.outbound.client import HttpResponse, OutboundError


class AttemptClient:
    """Sends the requests of one attempt.

    All of them together take no longer than the time limit of the first one. None begins or ends after the deadline,
    a wall-clock time, which is compared directly before each request.
    """

    def __init__(self, client: HttpClient, clock: Clock, deadline: Micros) -> None:
        self._client = client
        self._clock = clock
        self._deadline = deadline
        self._ends_at: float | None = None  # monotonic

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> HttpResponse:
        """Sends one request.

        Raises:
            DeadlinePassed: The deadline has passed; nothing was sent.
            OutboundError: No status line was received, or the attempt has used up its time.
        """
        now = self._clock.monotonic()
        if self._ends_at is None:
            self._ends_at = now + timeout
        in_attempt = self._ends_at - now
        until_deadline = (self._deadline - self._clock.now()) / SECOND
        if until_deadline <= 0:
            raise DeadlinePassed
        if in_attempt <= 0:
            raise OutboundError("not sent: the attempt took too long")
        seconds = min(timeout, in_attempt, until_deadline)
        return await self._client.request(method, url, headers=headers, body=body, timeout=seconds)
