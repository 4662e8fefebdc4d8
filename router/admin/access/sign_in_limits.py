"""Limits on failed sign-in attempts. The limits apply before the password is verified.

Failures from unknown devices are counted by address, by address and account, and by account. A known device has only
its own counter, so that an attack does not lock out the user. Failures for nonexistent accounts are counted too, so
that a rejection does not reveal which accounts exist.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from router.admin.access.users import normalize_email
from router.clock import Clock
from router.errors import Refused, Unavailable
from router.network import address_key
from router.ratelimit.attempt_limiter import AttemptLimiter, CountedAttempt
from router.ratelimit.failure_throttle import FailureThrottle
from router.ratelimit.sliding_window import RateLimit
from router.store.database import Database

# Limits in memory. The limit by address is higher, because an office can have one address for all users.
ADDRESS_LIMIT = RateLimit(requests=100, seconds=900)
ADDRESS_ACCOUNT_LIMIT = RateLimit(requests=10, seconds=900)
# Limits in the database. A sliding window allows less than twice its limit in any hour. So unknown devices cause
# fewer than 100 failures of an account in an hour (OWASP ASVS 4.0, 2.2.1).
ACCOUNT_LIMIT = RateLimit(requests=50, seconds=3600)
DEVICE_LIMIT = RateLimit(requests=10, seconds=900)
# Accounts are hashed to this many counters, because the number of invented names is unlimited. With 100 users, the
# probability that two of them share a counter is 5 %.
MAX_ACCOUNT_COUNTERS = 100_000


@dataclass(frozen=True, slots=True)
class SignInClient:
    """The origin and the account of an attempt.

    Attributes:
        address: The key that `address_key` returns for the client's address.
        account: The normalised email address; `""` if invalid.
        counter_key: The key of the account's failure counter; nonexistent accounts have one too.
        device_id: `""` for an unknown device.
    """

    address: str
    account: str
    counter_key: str
    device_id: str = ""

    @classmethod
    def from_unknown_device(cls, address: str, email: str) -> SignInClient:
        try:
            account = normalize_email(email)
        except Refused:
            account = ""
        digest = hashlib.sha256((account or email).encode("utf-8", "surrogatepass")).digest()
        return cls(address_key(address), account, str(int.from_bytes(digest) % MAX_ACCOUNT_COUNTERS))


class SignInLimits:
    """Counts failed attempts. Use one instance per process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._counts = AttemptLimiter(database, clock)
        self._by_address = FailureThrottle(clock, ADDRESS_LIMIT)
        self._by_address_and_account = FailureThrottle(clock, ADDRESS_ACCOUNT_LIMIT)

    def check(self, client: SignInClient) -> None:
        """Raises `RateLimited` if an unknown device has reached a limit in memory.

        Does not query the database.
        """
        if not client.device_id:
            self._by_address.check(client.address)
            self._by_address_and_account.check(_address_account_key(client))

    async def reserve(self, client: SignInClient) -> CountedAttempt:
        """Counts the attempt as a failure before its outcome is known. Raises `RateLimited`."""
        if client.device_id:
            return await self._counts.reserve(f"device:{client.device_id}", DEVICE_LIMIT)
        # No await between check and count, so concurrent attempts cannot exceed a limit in memory.
        self.check(client)
        self._by_address.record_failure(client.address)
        self._by_address_and_account.record_failure(_address_account_key(client))
        try:
            return await self._counts.reserve(f"account:{client.counter_key}", ACCOUNT_LIMIT)
        except (Refused, Unavailable):  # the password was not verified
            self.release(client)
            raise

    async def reserve_password_check(self, user_id: str) -> CountedAttempt:
        """Counts a check of the current password as a failure before its outcome is known.

        Raises `RateLimited`.
        """
        return await self._counts.reserve(f"password:{user_id}", DEVICE_LIMIT)

    def release(self, client: SignInClient) -> None:
        """Removes an attempt that did not fail from the counters in memory."""
        if not client.device_id:
            self._by_address.remove_failure(client.address)
            self._by_address_and_account.remove_failure(_address_account_key(client))


def _address_account_key(client: SignInClient) -> str:
    return f"{client.address} {client.counter_key}"
