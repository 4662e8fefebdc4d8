"""Asks the DNS questions about a sender when its first recipient is accepted, so that they are answered after DATA."""

from __future__ import annotations

from router.checks.dmarc import tree_walk_names
from router.checks.dns_cache import MIN_TTL, DnsCache
from router.checks.relays import Relays
from router.checks.spf import spf_domain, spf_questions
from router.clock import Clock
from router.expiring_cache import ExpiringCache
from router.network import parse_address

# A busy sender has many sessions, and answers stay in the cache for at least this time.
REPEAT_SECONDS = MIN_TTL
MAX_RECENT = 1000


class DnsPrefetch:
    """Implements `router.ports.SenderPrefetch`."""

    def __init__(self, dns: DnsCache, relays: Relays, clock: Clock) -> None:
        self._dns = dns
        self._relays = relays
        self._recent: ExpiringCache[tuple[str, str], bool] = ExpiringCache(clock, MAX_RECENT)

    def prefetch(self, *, peer: str, helo: str, reverse_path: str) -> None:
        """See `router.ports.SenderPrefetch`. Usually, the domain of MAIL FROM is that of From."""
        sender = peer, reverse_path.rpartition("@")[2] or helo
        if self._recent.get(sender) is None:
            self._recent.store(sender, True, REPEAT_SECONDS)
            self._start(peer, helo, reverse_path)

    def _start(self, peer: str, helo: str, reverse_path: str) -> None:
        if parse_address(peer) is not None and not self._relays.contains_address(peer):
            for question in spf_questions(peer, helo, reverse_path):
                self._dns.prefetch(*question)
        for name in tree_walk_names(spf_domain(helo, reverse_path))[:1]:
            self._dns.prefetch(name, "TXT")
