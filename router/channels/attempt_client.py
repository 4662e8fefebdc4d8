"""The HTTP client of one attempt, which sends nothing that could outlast the lease."""

from __future__ import annotations

from collections.abc import Mapping

from router.channels.contract import DeadlinePassed, HttpClient
from router.clock import SECOND, Clock
from router.model import Micros
from router.outbound.client import HttpResponse


class AttemptClient:
    """Sends the requests of one attempt.

    Each request has its whole time limit: with less, a slow service could execute a message whose response comes too
    late, and each attempt would repeat the message. None begins or ends after the deadline, a wall-clock time, which is
    compared directly before each request.
    """

    def __init__(self, client: HttpClient, clock: Clock, deadline: Micros) -> None:
        self._client = client
        self._clock = clock
        self._deadline = deadline

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> HttpResponse:
        """Sends one request.

        Raises:
            DeadlinePassed: The request could end after the deadline; nothing was sent.
            OutboundError: No status line was received.
        """
        if self._clock.now() + timeout * SECOND > self._deadline:
            raise DeadlinePassed
        return await self._client.request(method, url, headers=headers, body=body, timeout=timeout)
