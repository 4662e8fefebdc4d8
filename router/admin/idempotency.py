"""Requests that create, done once however often they are sent (the `Idempotency-Key` of the API).

`begin` takes the key before the work and `keep` stores the answer after it; the same request again gets that answer
for a day, another request with the same key is refused. A request whose process died between the two leaves the key
taken: for a while a repeat is refused, since nobody knows how far it came, then the key may be used again.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.clock import SECOND, Clock
from router.errors import Refused
from router.model import Micros
from router.store.database import Database

RESPONSE_RETENTION: Micros = 24 * 3600 * SECOND
# Longer than any request runs.
CLAIM_TIMEOUT: Micros = 300 * SECOND
CLEANUP_SECONDS = 3600.0  # seconds
MAX_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The answer that was given the first time, as its status and JSON text."""

    status: int
    answer: str


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """The key is ours: end with `keep` or `release`."""

    scope: str
    key: str
    at: Micros


class IdempotencyService:
    """scope: whose key it is and for what, `key:... POST /domains`. request: a digest of all that was sent."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cleaned_at = float("-inf")

    async def claim(self, scope: str, key: str, request: str) -> StoredResponse | IdempotencyClaim:
        """Raises `idempotency_mismatch` for another request, `conflict` where there is no answer to give again."""
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
                "conflict", "This request has already succeeded; its response contained a secret and was not stored"
            )
        return StoredResponse(row["status"], row["answer"])

    async def store_response(self, claim: IdempotencyClaim, status: int, answer: str | None) -> None:
        """The answer for whoever asks again; None where it holds a secret."""
        await self._database.execute(
            "idempotency_store", scope=claim.scope, key=claim.key, at=claim.at, status=status, answer=answer
        )

    async def release(self, claim: IdempotencyClaim) -> None:
        """Nothing was done: the key may be used again."""
        await self._database.execute("idempotency_release", scope=claim.scope, key=claim.key, at=claim.at)

    async def _delete_expired(self, now: Micros) -> None:
        if self._clock.monotonic() - self._cleaned_at < CLEANUP_SECONDS:
            return
        self._cleaned_at = self._clock.monotonic()
        await self._database.execute("idempotency_delete_expired", horizon=now - RESPONSE_RETENTION)
