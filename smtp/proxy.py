"""Parses the header of the PROXY protocol, versions 1 and 2, in which a proxy reports the client's address. Pure.

Specification: haproxy.org, doc/proxy-protocol.txt, sections 2.1 and 2.2. The specification forbids guessing
whether a header is present. With the setting `proxy_protocol`, every address in `trusted_networks` must
therefore send one.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

_V1 = re.compile(rb"PROXY (?:UNKNOWN(?: .*)?|(TCP4|TCP6) ([0-9A-Fa-f.:]+) ([0-9A-Fa-f.:]+) ([0-9]{1,5}) ([0-9]{1,5}))")
_V1_LIMIT = 107  # bytes with CRLF, section 2.1
_V2 = b"\r\n\r\n\0\r\nQUIT\n"
_V2_START = 16  # bytes before the addresses
_V2_LIMIT = 2048  # bytes after the start, for the addresses and optional TLVs
_V2_LOCAL, _V2_PROXY = 0x20, 0x21
_V2_ADDRESS = {0x11: 4, 0x21: 16}  # bytes of one address, for TCP over IPv4 and over IPv6


class ProxyError(Exception):
    """The bytes are not a valid or supported PROXY header."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A parsed header of `size` bytes.

    Attributes:
        source: The client's address; None without a TCP address, as in a health check of the proxy.
    """

    source: str | None
    size: int


def parse_header(data: bytes) -> ProxyHeader | None:
    """Parses the header at the start of `data`, or returns None while it is incomplete. Raises ProxyError."""
    if data[: len(_V2)] == _V2[: len(data)]:
        return _parse_v2(data) if len(data) >= _V2_START else None
    if data[:6] != b"PROXY "[: len(data)]:
        raise ProxyError("no PROXY header")
    end = data.find(b"\r\n", 0, _V1_LIMIT)
    if end < 0:
        if len(data) >= _V1_LIMIT:
            raise ProxyError("unterminated PROXY header")
        return None
    match = _V1.fullmatch(data[:end])
    if match is None:
        raise ProxyError("malformed PROXY header")
    if match[1] is None:
        return ProxyHeader(None, end + 2)
    try:
        source = ipaddress.ip_address(match[2].decode())
    except ValueError as error:
        raise ProxyError("malformed address in the PROXY header") from error
    if source.version != int(match[1][-1:]):
        raise ProxyError("address family mismatch in the PROXY header")
    return ProxyHeader(str(source), end + 2)


def _parse_v2(data: bytes) -> ProxyHeader | None:
    command, family = data[12], data[13]
    length = int.from_bytes(data[14:16], "big")
    if length > _V2_LIMIT:
        raise ProxyError("PROXY header too long")
    if command not in (_V2_LOCAL, _V2_PROXY):
        raise ProxyError("unsupported PROXY version or command")
    if len(data) < _V2_START + length:
        return None
    size = _V2_START + length
    if command == _V2_LOCAL or family not in _V2_ADDRESS:
        return ProxyHeader(None, size)  # section 2.2: use the connection's own address
    address_size = _V2_ADDRESS[family]
    if length < 2 * address_size + 4:
        raise ProxyError("PROXY header without addresses")
    return ProxyHeader(str(ipaddress.ip_address(data[_V2_START : _V2_START + address_size])), size)
