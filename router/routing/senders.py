"""Whether a sender is one that a workspace takes no mail from. Pure.

Entries have one form: `local@domain`, `@domain`, a network with its length. They are read once and then asked for
every recipient, so that many of them cost no more than a few.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from router.mail.address import AddressError, domain_key, local_key

_LONGEST = {4: 32, 6: 128}  # bits of an address by IP version


class Blocked:
    """What one workspace blocks."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._names: set[str] = set()
        # By IP version and length: the leading bits of the networks.
        self._networks: dict[tuple[int, int], dict[int, str]] = {}
        for entry in entries:
            if "/" in entry and "@" not in entry:
                network = ip_network(entry)
                bits = int(network.network_address) >> (_LONGEST[network.version] - network.prefixlen)
                self._networks.setdefault((network.version, network.prefixlen), {})[bits] = entry
            else:
                self._names.add(entry)

    def entry_for(self, reverse_path: str, peer: str = "") -> str | None:
        """The entry that a mail from this reverse-path, sent by this address, falls under; None when none does."""
        local, _, domain = reverse_path.rpartition("@")
        try:
            name = domain_key(domain)
        except AddressError:
            name = domain.lower()
        if name:
            for wanted in (f"{local_key(local)}@{name}", f"@{name}"):
                if wanted in self._names:
                    return wanted
        if not peer or not self._networks:
            return None
        address = ip_address(peer)
        for (version, length), networks in self._networks.items():
            if version == address.version:
                entry = networks.get(int(address) >> (_LONGEST[version] - length))
                if entry is not None:
                    return entry
        return None
