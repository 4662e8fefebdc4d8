"""Idempotent requests (the `Idempotency-Key` header): a retry with the same key does not repeat a successful request.

`claim` reserves the key before the request runs, and `store_response` stores the response for a day. If the
process dies between these calls, retries are rejected until the claim times out, because the outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from router.clock import SECOND, Clock
from router.errors import Refused
from router.model import Micros
from router.store.database import Database, QueryExecutor

RESPONSE_RETENTION: Micros = 24 * 3600 * SECOND
# A claim should outlast the longest request.
CLAIM_TIMEOUT: Micros = 300 * SECOND
# The time around a change in which its request was stored. Allows for clock differences between hosts.
CHANGE_TOLERANCE: Micros = 3600 * SECOND
CLEANUP_SECONDS = 3600.0
MAX_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The HTTP status and JSON body of the original response."""

    status: int
    body: str


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """A reserved key. The caller ends the claim with `store_response` or `release`."""

    scope: str
    key: str
    claimed_at: Micros


class IdempotencyService:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cleaned_at = float("-inf")

    async def claim(self, scope: str, key: str, request: str) -> StoredResponse | IdempotencyClaim:
        """Reserves the key, or returns the stored response of the same request.

        Args:
            scope: The caller and the operation, such as `key:... POST /domains`.
            request: A digest of the request.

        Raises:
            Refused: The key is malformed, in use, or was used for a different request, or its response was not stored.
        """
        if not 1 <= len(key) <= MAX_KEY_LENGTH or not (key.isascii() and key.isprintable()):
            raise Refused(
                "invalid_request", f"Idempotency-Key must be 1 to {MAX_KEY_LENGTH} printable ASCII characters"
            )
        now = self._clock.now()
        await self._delete_expired(now)
        values = {"scope": scope, "key": key}
        claimed = await self._database.fetch_one(
            "idempotency_claim",
            **values,
            request=request,
            at=now,
            horizon=now - RESPONSE_RETENTION,
            abandoned=now - CLAIM_TIMEOUT,
        )
        if claimed is not None:
            return IdempotencyClaim(scope, key, now)
        row = await self._database.fetch_one("idempotency_find", **values)
        if row is None:
            raise Refused("conflict", "The request with this Idempotency-Key has just failed: retry it")
        if row["request"] != request:
            raise Refused("idempotency_mismatch", "This Idempotency-Key was already used with a different request")
        if not row["status"]:
            raise Refused("conflict", "A request with this Idempotency-Key is still in progress")
        if row["answer"] is None:
            raise Refused(
                "conflict", "This request has already succeeded; its response contained a secret or was erased"
            )
        return StoredResponse(row["status"], row["answer"])

    async def store_response(self, claim: IdempotencyClaim, status: int, body: str | None) -> None:
        """`body` is None if the response contains a secret, which must not be stored."""
        await self._database.execute(
            "idempotency_store", scope=claim.scope, key=claim.key, at=claim.claimed_at, status=status, answer=body
        )

    async def release(self, claim: IdempotencyClaim) -> None:
        """Frees the key of a failed request, so that a retry runs it again."""
        await self._database.execute("idempotency_release", scope=claim.scope, key=claim.key, at=claim.claimed_at)

    async def _delete_expired(self, now: Micros) -> None:
        if self._clock.monotonic() - self._cleaned_at < CLEANUP_SECONDS:
            return
        self._cleaned_at = self._clock.monotonic()
        await self._database.execute("idempotency_delete_expired", horizon=now - RESPONSE_RETENTION)


async def erase_answers(executor: QueryExecutor, text: str, changed_at: Iterable[Micros]) -> None:
    """Erases the stored responses that contain a text, of the requests that made changes at these times."""
    for since, until in _merge(changed_at):
        await executor.execute("idempotency_erase_answer", pattern=f"%{text}%", since=since, until=until)


async def erase_ticket_answers(executor: QueryExecutor, ticket_id: str, now: Micros) -> None:
    """Erases the stored responses to the requests that changed a ticket, before it is erased."""
    since = now - RESPONSE_RETENTION - CHANGE_TOLERANCE
    rows = await executor.fetch_all("idempotency_ticket_changes", ticket_id=ticket_id, since=since)
    await erase_answers(executor, ticket_id, [row["at"] for row in rows])


def _merge(changed_at: Iterable[Micros]) -> Iterator[tuple[Micros, Micros]]:
    """Yields the periods around changes, so that each stored response is read once."""
    since = until = None
    for at in sorted(changed_at):
        if since is not None and until is not None and at - CHANGE_TOLERANCE > until:
            yield since, until
            since = None
        since = at - CHANGE_TOLERANCE if since is None else since
        until = at + CHANGE_TOLERANCE
    if since is not None and until is not None:
        yield since, until
