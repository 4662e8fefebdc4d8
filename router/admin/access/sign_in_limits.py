"""How many attempts to sign in may fail before the next one is refused without a look at its password.

From an unknown device, failures are counted by address, by address and account, and by account from
all addresses together. A known device (`devices`) has a count of its own instead, so an attack locks no owner out of
it. What is no account is counted like one: a refusal does not say which accounts there are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from router.admin.access.users import sign_in_address
from router.clock import Clock
from router.errors import Refused, Unavailable
from router.network import address_key
from router.ratelimit.attempt_counts import Attempt, AttemptCounts
from router.ratelimit.failure_throttle import Attempts
from router.ratelimit.sliding_window import Limit
from router.store.database import Database

# In memory, in each process. An office behind one address mistypes more often than one person does.
BY_ADDRESS = Limit(requests=100, seconds=900)
BY_ADDRESS_AND_ACCOUNT = Limit(requests=10, seconds=900)
# In the database, for all processes. A sliding window lets less than twice its limit through in any hour, wherever the
# hour begins: so at most 100 (OWASP ASVS 2.2.1).
OF_ACCOUNT = Limit(requests=50, seconds=3600)
OF_DEVICE = Limit(requests=10, seconds=900)
# Accounts are counted by a hash into this many, because strangers make up as many names as they like: at most 400,000
# rows. With 100 users the chance that two of them share a count is 5 %. What was typed is not stored.
ACCOUNTS_COUNTED = 100_000


@dataclass(frozen=True, slots=True)
class SignInClient:
    """Where an attempt comes from, and for whom.

    Args:
        address: The address, or network, that it is counted under.
        account: The user's address as it is stored; `""` for a text that is none.
        counted_as: What the account is counted under, also where there is none.
        device_id: The known device; `""` for another.
    """

    address: str
    account: str
    counted_as: str
    device_id: str = ""

    @classmethod
    def of(cls, address: str, email: str) -> SignInClient:
        """A client without a known device."""
        try:
            account = sign_in_address(email)
        except Refused:
            account = ""
        digest = hashlib.sha256((account or email).encode("utf-8", "surrogatepass")).digest()
        return cls(address_key(address), account, str(int.from_bytes(digest) % ACCOUNTS_COUNTED))


class SignInLimits:
    """One for each process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._counts = AttemptCounts(database, clock)
        self._by_address = Attempts(clock, BY_ADDRESS)
        self._by_address_and_account = Attempts(clock, BY_ADDRESS_AND_ACCOUNT)

    def check(self, client: SignInClient) -> None:
        """Raises `Throttled` for an address with too many failures; asks no database."""
        if not client.device_id:
            self._by_address.check(client.address)
            self._by_address_and_account.check(_pair(client))

    async def reserve(self, client: SignInClient) -> Attempt:
        """Counts the attempt as a failure until it succeeds. Raises `Throttled`."""
        if client.device_id:
            return await self._counts.reserve(f"device:{client.device_id}", OF_DEVICE)
        # Nothing waits between the check and the count, so attempts made at once do not exceed a limit.
        self.check(client)
        self._by_address.failed(client.address)
        self._by_address_and_account.failed(_pair(client))
        try:
            return await self._counts.reserve(f"account:{client.counted_as}", OF_ACCOUNT)
        except (Refused, Unavailable):  # no password was compared
            self.succeeded(client)
            raise

    async def reserve_password_check(self, user_id: str) -> Attempt:
        """The same for the current password of somebody who is signed in: they count as a known device."""
        return await self._counts.reserve(f"password:{user_id}", OF_DEVICE)

    def succeeded(self, client: SignInClient) -> None:
        """Removes the attempt from the counts in memory; `Attempt.release` does it in the database."""
        if not client.device_id:
            self._by_address.forgive(client.address)
            self._by_address_and_account.forgive(_pair(client))


def _pair(client: SignInClient) -> str:
    return f"{client.address} {client.counted_as}"
