"""DNS messages (RFC 1035, RFC 6891): one question as bytes, and the records that answer it.

Pure. Any bytes decode to a `Reply` or raise `Malformed` or `Foreign`, in time linear in their number: a record that
is not asked for is skipped, no more than `MAX_RECORDS` are read, and a name is at most 255 bytes and `MAX_POINTERS`
compression pointers.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import dns.exception
import dns.name

A, CNAME, PTR, MX, TXT, AAAA, OPT, TLSA = 1, 5, 12, 15, 16, 28, 41, 52
NOERROR, NXDOMAIN = ANSWERS = 0, 3  # the rcodes that say whether there are records
MAX_RECORDS = 200  # of an answer section; a domain has a handful, a large apex some 100 TXT records
MAX_POINTERS = 127  # of one name: it has no more labels (RFC 1035 3.1)
MAX_CHAIN = 16  # CNAME records from the name that was asked to the records
MAX_TEXT = 1000  # characters of one TXT value
UDP_PAYLOAD = 1232  # bytes, DNS flag day 2020: what passes everywhere unfragmented; larger answers come over TCP
_IN = 1
_MAX_NAME = 255  # bytes, RFC 1035 2.3.4
_MAX_TTL = 2**31 - 1  # RFC 2181 section 8: above it a TTL means 0
_QR, _TC, _RD = 0x8000, 0x0200, 0x0100
_RCODES = {
    1: "FORMERR",
    2: "SERVFAIL",
    3: "NXDOMAIN",
    4: "NOTIMP",
    5: "REFUSED",
    6: "YXDOMAIN",
    8: "NXRRSET",
    9: "NOTAUTH",
    10: "NOTZONE",
    16: "BADVERS",
    23: "BADCOOKIE",
}

_Labels = tuple[bytes, ...]  # in lower case


class Malformed(Exception):  # noqa: N818 - named for the message, as `Foreign` is
    """The bytes are no DNS message, or one that contradicts itself."""


class Foreign(Exception):  # noqa: N818
    """A message, but not the reply to this question."""


@dataclass(frozen=True, slots=True, order=True)
class Mx:
    """One MX record; host in lower case without the final dot, "" for the null MX (RFC 7505)."""

    preference: int
    host: str


Value = str | Mx


@dataclass(frozen=True, slots=True)
class Reply:
    """values: of the asked type, in the message's order. alias: the name that CNAMEs led to, "" without one. ttl:
    seconds, the least of the chain and the records. truncated: it is whole only over TCP.
    """

    rcode: int
    values: tuple[Value, ...] = ()
    alias: str = ""
    ttl: int = 0
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class _Record:
    owner: _Labels
    kind: int
    ttl: int
    start: int
    end: int


def rcode_name(rcode: int) -> str:
    """`SERVFAIL`, or `RCODE17` for one without a common name."""
    return _RCODES.get(rcode, f"RCODE{rcode}")


def question(name: dns.name.Name, kind: int, number: int, *, edns: bool) -> bytes:
    """name: absolute. number: the id that the reply must repeat, 16 bits."""
    head = struct.pack("!6H", number, _RD, 1, 0, 0, int(edns))
    opt = struct.pack("!BHHIH", 0, OPT, UDP_PAYLOAD, 0, 0) if edns else b""
    return head + (name.to_wire() or b"") + struct.pack("!HH", kind, _IN) + opt


def decode(wire: bytes, name: dns.name.Name, kind: int, number: int) -> Reply:
    """The reply to `question(name, kind, number)`. Raises `Malformed` or `Foreign`."""
    try:
        return _decode(wire, tuple(label.lower() for label in name.labels if label), kind, number)
    except (IndexError, struct.error, ValueError, dns.exception.DNSException) as error:
        raise Malformed(type(error).__name__) from None


def _decode(wire: bytes, asked: _Labels, kind: int, number: int) -> Reply:
    found, flags, questions, answers, authority, additional = struct.unpack_from("!6H", wire)
    if found != number or not flags & _QR:
        raise Foreign
    rcode, at = flags & 0xF, 12
    if questions:
        labels, at = _name(wire, at)
        if (labels, *struct.unpack_from("!HH", wire, at)) != (asked, kind, _IN):
            raise Foreign
        at += 4
    if questions > 1 or (not questions and rcode in (NOERROR, NXDOMAIN)):
        raise Malformed("number of questions")
    if flags & _TC:
        return Reply(rcode, truncated=True)
    records: list[_Record] = []
    for n in range(answers + authority + additional):
        owner, at = at, _after_name(wire, at)
        found_kind, network, ttl, length = struct.unpack_from("!HHIH", wire, at)
        start, at = at + 10, at + 10 + length
        if at > len(wire):
            raise Malformed("record length")
        if found_kind == OPT and n >= answers + authority:
            rcode |= ttl >> 24 << 4  # RFC 6891 6.1.3
        elif n < answers and found_kind in (kind, CNAME) and network == _IN and len(records) < MAX_RECORDS:
            seconds = ttl if ttl <= _MAX_TTL else 0
            records.append(_Record(_name(wire, owner)[0], found_kind, seconds, start, at))
    return _followed(wire, records, asked, kind, rcode)


def _followed(wire: bytes, records: Sequence[_Record], asked: _Labels, kind: int, rcode: int) -> Reply:
    """The records at the end of the CNAME chain."""
    target, ttl = asked, _MAX_TTL
    aliases = {record.owner: record for record in records if record.kind == CNAME}
    for _ in range(MAX_CHAIN + 1):
        right = [record for record in records if record.kind == kind and record.owner == target]
        alias = aliases.get(target)
        if right or alias is None:
            values = tuple(_value(wire, record) for record in right)
            least = min([ttl, *(record.ttl for record in right)])
            return Reply(rcode, values, "" if target == asked else _text(target), least)
        target, ttl = _whole_name(wire, alias.start, alias.end), min(ttl, alias.ttl)
    raise Malformed("CNAME chain")


def _value(wire: bytes, record: _Record) -> Value:
    start, end = record.start, record.end
    if record.kind == MX:
        return Mx(struct.unpack_from("!H", wire, start)[0], _text(_whole_name(wire, start + 2, end)))
    if record.kind in (PTR, CNAME):
        return _text(_whole_name(wire, start, end))
    data = wire[start:end]
    if record.kind == TXT:
        return _strings(data).decode("utf-8", "replace")[:MAX_TEXT]
    if record.kind == TLSA:
        usage, selector, matching = data[:3]
        return f"{usage} {selector} {matching} {data[3:].hex()}"
    return socket.inet_ntop(socket.AF_INET if record.kind == A else socket.AF_INET6, data)


def _strings(data: bytes) -> bytes:
    """The character-strings of a TXT record, joined."""
    joined, at = bytearray(), 0
    while at < len(data):
        end = at + 1 + data[at]
        if end > len(data):
            raise Malformed("string length")
        joined += data[at + 1 : end]
        at = end
    return bytes(joined)


def _after_name(wire: bytes, at: int) -> int:
    while True:
        length = wire[at]
        if length >= 0xC0:
            return at + 2
        if length >= 0x40:
            raise Malformed("label type")
        at += 1 + length
        if not length:
            return at


def _whole_name(wire: bytes, start: int, end: int) -> _Labels:
    labels, after = _name(wire, start)
    if after != end:
        raise Malformed("record length")
    return labels


def _name(wire: bytes, at: int) -> tuple[_Labels, int]:
    """The name at this place and where it ends. Pointers lead backwards only (RFC 1035 4.1.4)."""
    labels: list[bytes] = []
    size, pointers, segment, after = 1, 0, at, 0
    while True:
        length = wire[at]
        if length >= 0xC0:
            pointers += 1
            after = after or at + 2
            at = (length & 0x3F) << 8 | wire[at + 1]
            if at >= segment or pointers > MAX_POINTERS:
                raise Malformed("compression pointer")
            segment = at
            continue
        if length >= 0x40:
            raise Malformed("label type")
        if not length:
            return tuple(labels), after or at + 1
        size += 1 + length
        label = wire[at + 1 : at + 1 + length]
        if size > _MAX_NAME or len(label) < length:
            raise Malformed("name length")
        labels.append(label.lower())
        at += 1 + length


def _text(labels: _Labels) -> str:
    """As in a zone file, without the final dot; "" for the root."""
    return dns.name.Name((*labels, b"")).to_text(omit_final_dot=True) if labels else ""
