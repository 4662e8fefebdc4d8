"""DNS messages: what dnspython writes is read the same, and no bytes break the reading or make it long."""

import contextlib
import struct

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.dns.message import (
    AAAA,
    MAX_POINTERS,
    MAX_RECORDS,
    MX,
    PTR,
    TLSA,
    TXT,
    A,
    Foreign,
    Malformed,
    Mx,
    Reply,
    decode,
    question,
    rcode_name,
)

NAME = dns.name.from_text("a.example.test")
NUMBER = 4711
KINDS = {"A": A, "AAAA": AAAA, "MX": MX, "PTR": PTR, "TLSA": TLSA, "TXT": TXT}


def response(
    *sections: tuple[str, str, list[str]], kind: str = "MX", rcode: dns.rcode.Rcode = dns.rcode.NOERROR, edns: int = -1
) -> bytes:
    query = dns.message.from_wire(question(NAME, KINDS[kind], NUMBER, edns=False))
    made = dns.message.make_response(query)
    made.use_edns(edns)
    made.set_rcode(rcode)
    for owner, rdtype, values in sections:
        made.answer.append(dns.rrset.from_text_list(owner, 60, "IN", rdtype, values))
    return made.to_wire()


def test_a_question() -> None:
    for edns in (False, True):
        read = dns.message.from_wire(question(NAME, MX, NUMBER, edns=edns))
        assert read.id == NUMBER
        assert read.flags == dns.flags.RD
        assert read.question[0].to_text() == "a.example.test. IN MX"
        assert read.edns == (0 if edns else -1)
    assert read.payload == 1232


@pytest.mark.parametrize(
    ("kind", "values", "read"),
    [
        ("A", ["192.0.2.1", "192.0.2.2"], ("192.0.2.1", "192.0.2.2")),
        ("AAAA", ["2001:DB8:0::1"], ("2001:db8::1",)),
        ("MX", ["10 MX1.A.Example.test.", "0 ."], (Mx(0, ""), Mx(10, "mx1.a.example.test"))),
        ("MX", ["5 10\\032mx\\.ours.example.test."], (Mx(5, "10\\032mx\\.ours.example.test"),)),
        ("PTR", ["Host.Example.TEST."], ("host.example.test",)),
        ("TLSA", ["3 1 1 " + "ab" * 32], ("3 1 1 " + "ab" * 32,)),
        ("TXT", ['"v=one" "two"', '""', '"\\255"'], ("", "v=onetwo", "\ufffd")),
    ],
)
def test_records(kind: str, values: list[str], read: tuple[object, ...]) -> None:
    reply = decode(response(("a.example.test.", kind, values), kind=kind), NAME, KINDS[kind], NUMBER)
    assert sorted(reply.values, key=repr) == sorted(read, key=repr)
    assert (reply.rcode, reply.alias, reply.ttl, reply.truncated) == (0, "", 60, False)


def test_a_chain_of_aliases() -> None:
    wire = response(
        ("c.example.test.", "MX", ["10 mx."]),
        ("A.example.test.", "CNAME", ["b.example.test."]),
        ("b.example.test.", "CNAME", ["C.example.test."]),
        ("other.test.", "MX", ["20 other."]),
    )
    assert decode(wire, NAME, MX, NUMBER) == Reply(0, (Mx(10, "mx"),), "c.example.test", 60)
    dangling = response(("a.example.test.", "CNAME", ["b.test."]))
    assert decode(dangling, NAME, MX, NUMBER) == Reply(0, (), "b.test", 60)


@pytest.mark.parametrize("length", [2, 30])
def test_a_chain_without_end(length: int) -> None:
    names = ["a.example.test.", *(f"n{n}.test." for n in range(1, length))]
    chain = [(name, "CNAME", [names[(n + 1) % length]]) for n, name in enumerate(names)]
    with pytest.raises(Malformed):
        decode(response(*chain), NAME, MX, NUMBER)


def test_errors_have_names() -> None:
    assert rcode_name(decode(response(rcode=dns.rcode.SERVFAIL), NAME, MX, NUMBER).rcode) == "SERVFAIL"
    assert rcode_name(decode(response(rcode=dns.rcode.BADVERS, edns=0), NAME, MX, NUMBER).rcode) == "BADVERS"
    assert rcode_name(4000) == "RCODE4000"
    bare = struct.pack("!6H", NUMBER, 0x8001, 0, 0, 0, 0)  # some servers answer FORMERR with the header alone
    assert decode(bare, NAME, MX, NUMBER).rcode == dns.rcode.FORMERR
    with pytest.raises(Malformed):
        decode(struct.pack("!6H", NUMBER, 0x8000, 0, 0, 0, 0), NAME, MX, NUMBER)


def test_replies_to_other_questions() -> None:
    good = response(("a.example.test.", "MX", ["10 mx."]))
    for name, kind, number in [
        (NAME, MX, NUMBER + 1),
        (NAME, TXT, NUMBER),
        (dns.name.from_text("b.example.test"), MX, NUMBER),
    ]:
        with pytest.raises(Foreign):
            decode(good, name, kind, number)
    with pytest.raises(Foreign):
        decode(question(NAME, MX, NUMBER, edns=False), NAME, MX, NUMBER)
    assert decode(good, dns.name.from_text("A.Example.TEST"), MX, NUMBER).values


def answer(kind: int, rdata: bytes, *, owner: bytes = b"\xc0\x0c", count: int = 1, before: bytes = b"") -> bytes:
    """One record `count` times, made by hand; `before` stands in a record of a type that nobody asks for."""
    head = struct.pack("!6H", NUMBER, 0x8180, 1, count + bool(before), 0, 0) + question(NAME, kind, 0, edns=False)[12:]
    if before:
        head += b"\xc0\x0c" + struct.pack("!HHIH", 65280, 1, 60, len(before)) + before
    return head + (owner + struct.pack("!HHIH", kind, 1, 60, len(rdata)) + rdata) * count


@pytest.mark.parametrize(
    ("kind", "rdata"),
    [
        (A, b"\x01\x02\x03"),
        (A, b""),
        (AAAA, b"\x01" * 17),
        (MX, b"\x00"),
        (MX, b"\x00\x0a"),
        (MX, b"\x00\x0a\xff\xff"),
        (MX, b"\x00\x0a\xc0"),
        (MX, b"\x00\x0a\x03mx"),
        (MX, b"\x00\x0a\x00rest"),
        (MX, b"\x00\x0a\x40x\x00"),
        (MX, b"\x00\x0a" + (b"\x3f" + b"x" * 63) * 4 + b"\x00"),
        (TXT, b"\x05abc"),
        (TLSA, b"\x03\x01"),
    ],
)
def test_records_that_contradict_themselves(kind: int, rdata: bytes) -> None:
    with pytest.raises(Malformed):
        decode(answer(kind, rdata), NAME, kind, NUMBER)


def test_long_chains_of_compression_pointers_are_not_followed() -> None:
    start = len(answer(MX, b"", count=0)) + 12
    chain = b"\x00\x00" + b"".join(struct.pack("!H", 0xC000 | (start + 2 * n)) for n in range(4000))
    for hops, fine in ((MAX_POINTERS - 1, True), (MAX_POINTERS + 1, False), (3900, False)):
        wire = answer(MX, struct.pack("!HH", 10, 0xC000 | (start + 2 * hops)), before=chain, count=4000)
        if fine:
            assert decode(wire, NAME, MX, NUMBER).values[0] == Mx(10, "")
        else:
            with pytest.raises(Malformed):
                decode(wire, NAME, MX, NUMBER)


def test_pointers_lead_backwards_only() -> None:
    place = len(answer(MX, b"", count=0)) + 12 + 2
    for target in (place, place + 1, place + 2, 0x3FFF):
        with pytest.raises(Malformed):
            decode(answer(MX, b"\x00\x0a" + struct.pack("!H", 0xC000 | target)), NAME, MX, NUMBER)


def test_the_number_of_records_and_their_length_are_bounded() -> None:
    assert len(decode(answer(A, b"\x01\x02\x03\x04", count=4000), NAME, A, NUMBER).values) == MAX_RECORDS
    (value,) = decode(answer(TXT, (b"\xff" + b"x" * 255) * 250), NAME, TXT, NUMBER).values
    assert value == "x" * 1000


@given(st.binary(max_size=300), st.sampled_from(sorted(KINDS.values())))
@settings(deadline=None)
def test_any_bytes(data: bytes, kind: int) -> None:
    head = struct.pack("!2H", NUMBER, 0x8180)
    for wire in (data, head + data, head + b"\x00\x01\x00\x02\x00\x00\x00\x00" + data, answer(kind, data)):
        try:
            assert isinstance(decode(wire, NAME, kind, NUMBER), Reply)
        except (Malformed, Foreign):
            continue


@given(st.data())
@settings(deadline=None)
def test_a_good_message_with_changed_bytes(data: st.DataObject) -> None:
    wire = bytearray(
        response(("a.example.test.", "CNAME", ["b.example.test."]), ("b.example.test.", "MX", ["1 a.b.", "2 c.b."]))
    )
    for _ in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Malformed, Foreign):
        assert decode(bytes(wire[: data.draw(st.integers(0, len(wire)))]), NAME, MX, NUMBER)
