"""iprev (RFC 8601 section 3): whether a host name of the SMTP client leads back to its address."""

from __future__ import annotations

import asyncio
import ipaddress
import re

from router.checks.dns_cache import Question
from router.checks.questions import FAULT_REASONS
from router.dns.answers import Lookup, RecordType
from router.dns.resolver import MAX_NAME_LENGTH
from router.mail.auth_results import AuthResult

MAX_HOST_NAMES = 5  # the name server of the client chooses how many it returns

_HOST_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


async def check_iprev(lookup: Lookup, peer: str) -> AuthResult:
    """Queries the host names of an IP address, and the addresses of the first `MAX_HOST_NAMES`.

    Returns:
        The result (RFC 8601 section 2.7.3), with the first host name that has the address.
    """
    address = parse_peer(peer)
    names = await lookup(*reverse_question(peer))
    if names.status == "failed":
        return AuthResult("iprev", "temperror", reason=FAULT_REASONS[names.fault])
    if names.status != "found":
        return AuthResult("iprev", "permerror", reason="the IP address has no host name")
    hosts = [name for name in names.values if len(name) <= MAX_NAME_LENGTH and _HOST_NAME.fullmatch(name)]
    record_type: RecordType = "A" if address.version == 4 else "AAAA"
    answers = await asyncio.gather(*(lookup(host, record_type) for host in hosts[:MAX_HOST_NAMES]))
    for host, answer in zip(hosts, answers, strict=False):
        if address in map(ipaddress.ip_address, answer.values):
            return AuthResult("iprev", "pass", host)
    failed = next((answer for answer in answers if answer.status == "failed"), None)
    if failed is not None:
        return AuthResult("iprev", "temperror", reason=FAULT_REASONS[failed.fault])
    return AuthResult("iprev", "fail", reason="no host name of the IP address has this address")


def reverse_question(peer: str) -> Question:
    return parse_peer(peer).reverse_pointer, "PTR"


def parse_peer(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Returns the IPv4 address of an IPv4-mapped IPv6 address. A zone index is removed."""
    address = ipaddress.ip_address(peer.partition("%")[0])
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address
