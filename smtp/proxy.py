"""The PROXY protocol, versions 1 and 2: the client's address as a balancer in front of us saw it. Pure.

Source: haproxy.org, doc/proxy-protocol.txt, sections 2.1 and 2.2. Believed only from `trusted_networks`, and demanded
there: the document forbids guessing whether a header is present. Who calls it: `smtp.protocol`, before the greeting.
aiosmtpd's own parser reads from a StreamReader, which our connections do not have.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_V1 = re.compile(rb"PROXY (?:UNKNOWN(?: .*)?|(TCP4|TCP6) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) ([0-9]{1,5}) ([0-9]{1,5}))")
_V1_LIMIT = 107  # octets with CRLF, section 2.1
_V2 = b"\r\n\r\n\0\r\nQUIT\n"
_V2_HEAD = 16  # octets before the addresses
_V2_LIMIT = 2048  # octets of addresses and TLVs: a certificate's names fit, a flood does not
_V2_LOCAL, _V2_PROXY = 0x20, 0x21
_V2_ADDRESS = {0x11: 4, 0x21: 16}  # TCP over IPv4, over IPv6: octets of the source address


class ProxyError(Exception):
    """What came is no PROXY header; the connection cannot be trusted to be from anybody."""


@dataclass(frozen=True, slots=True)
class Header:
    """source: the client's address, None where the balancer speaks for itself (health checks). size: octets."""

    source: str | None
    size: int


def parse(octets: bytes) -> Header | None:
    """The header at the start of a connection; None while more of it must come. Raises `ProxyError`."""
    if octets[: len(_V2)] == _V2[: len(octets)]:
        return _parse_v2(octets) if len(octets) >= _V2_HEAD else None
    if octets[:6] != b"PROXY "[: len(octets)]:
        raise ProxyError("no PROXY header")
    end = octets.find(b"\r\n", 0, _V1_LIMIT)
    if end < 0:
        if len(octets) >= _V1_LIMIT:
            raise ProxyError("a PROXY line that does not end")
        return None
    match = _V1.fullmatch(octets[:end])
    if match is None:
        raise ProxyError("a malformed PROXY line")
    if match[1] is None:
        return Header(None, end + 2)
    try:
        source = ipaddress.ip_address(match[2].decode())
    except ValueError as error:
        raise ProxyError("a malformed address in the PROXY line") from error
    if source.version != int(match[1][-1:]):
        raise ProxyError("an address of the other family in the PROXY line")
    return Header(str(source), end + 2)


def _parse_v2(octets: bytes) -> Header | None:
    command, family = octets[12], octets[13]
    length = int.from_bytes(octets[14:16], "big")
    if length > _V2_LIMIT:
        raise ProxyError("a PROXY header that is too long")
    if command not in (_V2_LOCAL, _V2_PROXY):
        raise ProxyError("an unknown PROXY version or command")
    if len(octets) < _V2_HEAD + length:
        return None
    size = _V2_HEAD + length
    if command == _V2_LOCAL or family not in _V2_ADDRESS:
        return Header(None, size)  # section 2.2: use the connection's own address, skip what follows
    octets_of_address = _V2_ADDRESS[family]
    if length < 2 * octets_of_address + 4:
        raise ProxyError("a PROXY header without its addresses")
    return Header(str(ipaddress.ip_address(octets[_V2_HEAD : _V2_HEAD + octets_of_address])), size)
