"""How many attempts to sign in may fail before the next one is refused without a look at its password.

From an unknown device, failures are counted by address, by address and account, and by account from
all addresses together. A known device (`devices`) has a count of its own instead, so an attack locks no owner out of
it. What is no account is counted like one: a refusal does not say which accounts there are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from router.admin.access.users import normalize_email
from router.clock import Clock
from router.errors import Refused, Unavailable
from router.network import address_key
from router.ratelimit.attempt_counts import Attempt, AttemptCounts
from router.ratelimit.failure_throttle import Attempts
from router.ratelimit.sliding_window import Limit
from router.store.database import Database

# In memory, in each process. An office behind one address mistypes more often than one person does.
ADDRESS_LIMIT = Limit(requests=100, seconds=900)
ADDRESS_ACCOUNT_LIMIT = Limit(requests=10, seconds=900)
# In the database, for all processes. A sliding window lets less than twice its limit through in any hour, wherever the
# hour begins: so at most 100 (OWASP ASVS 2.2.1).
ACCOUNT_LIMIT = Limit(requests=50, seconds=3600)
DEVICE_LIMIT = Limit(requests=10, seconds=900)
# Accounts are counted by a hash into this many, because strangers make up as many names as they like: at most 400,000
# rows. With 100 users the chance that two of them share a count is 5 %. What was typed is not stored.
MAX_ACCOUNT_COUNTERS = 100_000


@dataclass(frozen=True, slots=True)
class SignInClient:
    """Where an attempt comes from, and for whom.

    Args:
        address: The address, or network, that it is counted under.
        account: The user's address as it is stored; `""` for a text that is none.
        counter_key: What the account is counted under, also where there is none.
        device_id: The known device; `""` for another.
    """

    address: str
    account: str
    counter_key: str
    device_id: str = ""

    @classmethod
    def from_unknown_device(cls, address: str, email: str) -> SignInClient:
        """A client without a known device."""
        try:
            account = normalize_email(email)
        except Refused:
            account = ""
        digest = hashlib.sha256((account or email).encode("utf-8", "surrogatepass")).digest()
        return cls(address_key(address), account, str(int.from_bytes(digest) % MAX_ACCOUNT_COUNTERS))


class SignInLimits:
    """One for each process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._counts = AttemptCounts(database, clock)
        self._by_address = Attempts(clock, ADDRESS_LIMIT)
        self._by_address_and_account = Attempts(clock, ADDRESS_ACCOUNT_LIMIT)

    def check(self, client: SignInClient) -> None:
        """Raises `Throttled` for an address with too many failures; asks no database."""
        if not client.device_id:
            self._by_address.check(client.address)
            self._by_address_and_account.check(_address_account_key(client))

    async def reserve(self, client: SignInClient) -> Attempt:
        """Counts the attempt as a failure until it succeeds. Raises `Throttled`."""
        if client.device_id:
            return await self._counts.reserve(f"device:{client.device_id}", DEVICE_LIMIT)
        # Nothing waits between the check and the count, so attempts made at once do not exceed a limit.
        self.check(client)
        self._by_address.failed(client.address)
        self._by_address_and_account.failed(_address_account_key(client))
        try:
            return await self._counts.reserve(f"account:{client.counter_key}", ACCOUNT_LIMIT)
        except (Refused, Unavailable):  # no password was compared
            self.release(client)
            raise

    async def reserve_password_check(self, user_id: str) -> Attempt:
        """The same for the current password of somebody who is signed in: they count as a known device."""
        return await self._counts.reserve(f"password:{user_id}", DEVICE_LIMIT)

    def release(self, client: SignInClient) -> None:
        """Removes the attempt from the counts in memory; `Attempt.release` does it in the database."""
        if not client.device_id:
            self._by_address.forgive(client.address)
            self._by_address_and_account.forgive(_address_account_key(client))


def _address_account_key(client: SignInClient) -> str:
    return f"{client.address} {client.counter_key}"
