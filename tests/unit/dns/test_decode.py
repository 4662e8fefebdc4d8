"""Any DNS response is decoded or rejected. One with too many parts is rejected."""

import contextlib
import struct

import dns.exception
import dns.message
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dns.exchange import MAX_READS, MAX_RECORDS, MalformedResponse, decode_response
from tests.unit.dns.wire import build_response

QUERY = dns.message.make_query("a.test.", "MX", id=4711)
WIRE = QUERY.to_wire()


@pytest.mark.parametrize(
    ("kind", "rdata"),
    [
        ("TXT", b"\x00" * (MAX_READS + 1)),
        ("HIP", b"\x00\x00\x00\x00" + b"\x00" * MAX_READS),
        ("SVCB", b"\x00\x01\x00" + b"".join(struct.pack("!HH", 1000 + n, 0) for n in range(MAX_READS))),
    ],
)
def test_record_with_too_many_parts_is_rejected(kind: str, rdata: bytes) -> None:
    with pytest.raises(MalformedResponse):
        decode_response(build_response(WIRE, int(dns.rdatatype.from_text(kind)), rdata), QUERY)


def test_signed_message_is_rejected() -> None:
    """dnspython raises an error other than FormError for a signed message."""
    signature = b"\x00" + struct.pack("!HHIH", dns.rdatatype.TSIG, 255, 0, 17) + b"\x00" * 17
    wire = struct.pack("!2s5H", WIRE[:2], 0x8180, 1, 0, 0, 1) + WIRE[12:24] + signature
    with pytest.raises(MalformedResponse):
        decode_response(wire, QUERY)


def test_maximum_number_of_large_records_is_decoded() -> None:
    values = [struct.pack("!H", n) + b"\x03abc" * 5 + b"\x00" for n in range(MAX_RECORDS - 1)]
    response = decode_response(build_response(WIRE, 15, *values), QUERY)
    assert response is not None
    assert len(response.answer[0]) == len(values)
    texts = [b"\xff%03d" % n + b"x" * 252 for n in range(MAX_RECORDS - 1)]
    assert decode_response(build_response(WIRE, 16, *texts), QUERY) is not None


def test_names_with_many_pointers_and_labels_are_rejected() -> None:
    first = len(build_response(WIRE, 15)) + 12
    name = b"\x01a" * 120 + b"\x00"
    values = [struct.pack("!HH", n, 0xC000 | first) for n in range(MAX_RECORDS - 2)]
    private = int(dns.rdatatype.from_text("TYPE65280"))
    whole = build_response(WIRE, 15, *values, count=len(values) + 1)
    record = b"\xc0\x0c" + struct.pack("!HHIH", private, 1, 60, len(name)) + name
    with pytest.raises(MalformedResponse):
        decode_response(whole[: first - 12] + record + whole[first - 12 :], QUERY)


@given(st.binary(max_size=300), st.sampled_from(list(dns.rdatatype.RdataType)), st.booleans())
def test_any_bytes_are_decoded_or_rejected(data: bytes, kind: dns.rdatatype.RdataType, framed: bool) -> None:
    wire = build_response(WIRE, int(kind), data) if framed else WIRE[:2] + b"\x81\x80" + data
    with contextlib.suppress(dns.exception.FormError):
        response = decode_response(wire, QUERY)
        assert response is None or QUERY.is_response(response)


@given(st.data())
def test_valid_message_with_changed_bytes(data: st.DataObject) -> None:
    wire = bytearray(build_response(WIRE, 15, b"\x00\x0a\x02mx\xc0\x0c", b"\x00\x14\x03mx2\xc0\x0c"))
    for _ in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(dns.exception.FormError):
        decode_response(bytes(wire[: data.draw(st.integers(0, len(wire)))]), QUERY)
