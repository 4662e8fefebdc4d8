"""Limits the open connections of one API process, in total and per IPv4 address or IPv6 /64.

Trusted proxies and Unix sockets are exempt from the limit per address, because many clients share them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address

import structlog

from api.middleware.addresses import is_in
from config.values import Network
from router.network import address_key

LOG_EVERY = 60.0

log = structlog.get_logger()


class ConnectionLimits:
    """Counts connections. The caller releases each admitted connection once."""

    def __init__(
        self, *, total: int, per_address: int, trusted: Sequence[Network], monotonic: Callable[[], float]
    ) -> None:
        self._total = total
        self._per_address = per_address
        self._trusted = tuple(trusted)
        self._monotonic = monotonic
        self._open = 0
        self._by_address: dict[str, int] = {}
        self._refused = 0
        self._logged_at = float("-inf")

    def admit(self, peer: IPv4Address | IPv6Address | None) -> bool:
        """Counts a connection, or returns False if it must be closed. `peer` is None for a Unix socket."""
        key = self._address_key(peer)
        from_address = self._by_address.get(key, 0)
        if self._open >= self._total:
            self._log_refused(peer, "all connections are in use", self._total)
            return False
        if key and from_address >= self._per_address:
            self._log_refused(peer, "too many connections from this address", self._per_address)
            return False
        self._open += 1
        if key:
            self._by_address[key] = from_address + 1
        return True

    def release(self, peer: IPv4Address | IPv6Address | None) -> None:
        self._open -= 1
        key = self._address_key(peer)
        left = self._by_address.pop(key, 0) - 1
        if left > 0:
            self._by_address[key] = left

    def _address_key(self, peer: IPv4Address | IPv6Address | None) -> str:
        return "" if peer is None or is_in(peer, self._trusted) else address_key(str(peer))

    def _log_refused(self, peer: IPv4Address | IPv6Address | None, reason: str, limit: int) -> None:
        self._refused += 1
        now = self._monotonic()
        if now - self._logged_at < LOG_EVERY:
            return
        log.warning("api.connection_refused", reason=reason, limit=limit, peer=str(peer or ""), count=self._refused)
        self._logged_at = now
        self._refused = 0
