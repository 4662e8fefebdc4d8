"""Asks the DNS questions about a sender when its first recipient is accepted, so that they are answered after DATA."""

from __future__ import annotations

from router.checks.dmarc import tree_walk_names
from router.checks.dns_cache import DnsCache
from router.checks.relays import Relays
from router.checks.spf import spf_domain, spf_questions
from router.network import parse_address


class DnsPrefetch:
    """Implements `router.ports.SenderPrefetch`."""

    def __init__(self, dns: DnsCache, relays: Relays) -> None:
        self._dns = dns
        self._relays = relays

    def prefetch(self, *, peer: str, helo: str, reverse_path: str) -> None:
        """See `router.ports.SenderPrefetch`. Usually, the sender of MAIL FROM is the one of From."""
        if parse_address(peer) is not None and not self._relays.contains_address(peer):
            for question in spf_questions(peer, helo, reverse_path):
                self._dns.prefetch(*question)
        for name in tree_walk_names(spf_domain(helo, reverse_path))[:1]:
            self._dns.prefetch(name, "TXT")
