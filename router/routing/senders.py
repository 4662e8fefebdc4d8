"""Whether a sender is one that a workspace takes no mail from. Pure.

Entries have one form (`router.admin.blocked_senders` makes it): `local@domain`, `@domain`, a network with its length.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from router.mail.address import AddressError, domain_key, local_key


def blocking(entries: Iterable[str], reverse_path: str, peer: str = "") -> str | None:
    """The entry that a mail from this reverse-path, sent by this address, falls under; None when none does."""
    local, _, domain = reverse_path.rpartition("@")
    try:
        name = domain_key(domain)
    except AddressError:
        name = domain.lower()
    wanted = {f"{local_key(local)}@{name}", f"@{name}"} if name else set()
    for entry in entries:
        if entry in wanted or ("/" in entry and peer and ip_address(peer) in ip_network(entry)):
            return entry
    return None
