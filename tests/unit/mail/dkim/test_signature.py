"""Which signatures are read, and what their tags mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.dkim.canonicalization import MAX_HEADER_BYTES, read_message
from router.mail.dkim.signature import MAX_BYTES, MAX_CANDIDATES, MAX_SIGNATURES, DkimSignature, read_signatures
from router.mail.dkim.tag_list import TagListError, parse_tags
from tests.support.dkim import MAIL, check

HASH = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
TAGS = {"v": "1", "a": "rsa-sha256", "d": "example.com", "s": "s1", "h": "from", "bh": HASH, "b": "QUJDREVGR0hJ"}


def make_field(**changes: str | None) -> bytes:
    tags = {name: value for name, value in (TAGS | changes).items() if value is not None}
    return f"DKIM-Signature: {'; '.join(f'{name}={value}' for name, value in tags.items())}\r\n".encode()


def read_one(field: bytes) -> DkimSignature:
    (found,) = read_signatures(field + MAIL, "example.com")
    return found


@pytest.mark.parametrize(
    ("data", "tags"),
    [
        (b"a=b", {"a": "b"}),
        (b" a = b ; c=d;", {"a": "b", "c": "d"}),
        (b"a=b; \r\n\tc \r\n = \r\n d\r\n e ; ", {"a": "b", "c": "d e"}),
        (b"a=; b==c=", {"a": "", "b": "=c="}),
        (b"A=1; a=2", {"A": "1", "a": "2"}),
        ("a=b\u00e4".encode(), {"a": "b\u00e4"}),
    ],
)
def test_tag_lists(data: bytes, tags: dict[str, str]) -> None:
    assert parse_tags(data) == tags


@pytest.mark.parametrize(
    "data",
    [
        b"a",
        b"a=b;;c=d",
        b";a=b",
        b"a=b;a=b",
        b"1=b",
        b"_a=b",
        b"a-b=c",
        b"a b=c",
        b"=b",
        b"a=b\x00",
        b"a=\rb",
        b"a=\xff",
    ],
)
def test_malformed_tag_lists(data: bytes) -> None:
    with pytest.raises(TagListError):
        parse_tags(data)


def test_all_tags() -> None:
    found = read_one(
        b"dkim-SIGNATURE :\r\n v=1; a=ed25519-sha256; c=relaxed/simple; d=Example.COM; s=S1.a; q=other/x:dns/txt;\r\n"
        b"\ti=ada@mail.example.com; h=From : To:\r\n\t x-y; l=10; t=1; x=2; z=From:a; unknown=?; bh=2jUSOH9NhtVG\r\n"
        b"\tCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=; b=QUJD\r\n REVGR0hJ\r\n"
    )
    assert found == DkimSignature(
        index=0,
        domain="example.com",
        selector="s1.a",
        prefix="QUJDREVG",
        fault=None,
        key_type="ed25519",
        header_algorithm="relaxed",
        body_algorithm="simple",
        signed_names=(b"from", b"to", b"x-y"),
        body_hash=found.body_hash,
        value=b"ABCDEFGHI",
        identity_domain="mail.example.com",
        body_length=10,
        signed_at=1,
        expires_at=2,
    )
    assert len(found.body_hash) == 32
    assert found.key_name == "s1.a._domainkey.example.com"


def test_defaults() -> None:
    found = read_one(make_field())
    assert (found.header_algorithm, found.body_algorithm) == ("simple", "simple")
    assert read_one(make_field(c="relaxed")).body_algorithm == "simple"
    assert (found.body_length, found.signed_at, found.expires_at, found.identity_domain) == (*[None] * 3, "example.com")


def test_international_domains() -> None:
    """RFC 8616: d=, s= and i= may have U-labels."""
    found = read_one(make_field(d="B\u00fccher.example", s="schl\u00fcssel", i="@mail.b\u00fccher.example"))
    assert found.key_name == "xn--schlssel-95a._domainkey.xn--bcher-kva.example"
    assert found.identity_domain == "mail.xn--bcher-kva.example"
    assert read_one(make_field(d="xn--bcher-kva.example", i="@b\u00fccher.example")).fault is None


@pytest.mark.parametrize(
    ("changes", "word", "reason"),
    [
        *(({tag: None}, "neutral", f"the signature has no {tag}=") for tag in TAGS),
        ({"v": "2"}, "neutral", "the version of the signature is not 1"),
        ({"a": "rsa-sha1"}, "policy", "SHA-1 is not accepted"),
        ({"a": "rsa-sha512"}, "neutral", "a= is not a supported algorithm"),
        ({"a": "RSA-SHA256"}, "neutral", "a= is not a supported algorithm"),
        ({"c": "nofws"}, "neutral", "c= is not a supported canonicalization"),
        ({"c": "relaxed/simple/simple"}, "neutral", "c= is not a supported canonicalization"),
        ({"q": "dns/a"}, "neutral", "q= has no supported method"),
        ({"d": "localhost"}, "neutral", "d= is not a domain"),
        ({"d": "example..com"}, "neutral", "d= is not a domain"),
        ({"d": "example.com."}, "neutral", "d= is not a domain"),
        ({"d": "a b.example"}, "neutral", "d= is not a domain"),
        ({"d": "a." * 127 + "example"}, "neutral", "d= is not a domain"),
        ({"d": "\u0300.example"}, "neutral", "d= is not a domain"),
        ({"s": "a/b"}, "neutral", "s= is not a selector"),
        ({"s": ""}, "neutral", "s= is not a selector"),
        ({"h": ""}, "neutral", "h= has an invalid field name"),
        ({"h": "from::to"}, "neutral", "h= has an invalid field name"),
        ({"h": "from:a b"}, "neutral", "h= has an invalid field name"),
        ({"h": "to:subject"}, "permerror", "From is not signed"),
        ({"i": "ada@example.net"}, "neutral", "i= is not in the domain of d="),
        ({"i": "ada@notexample.com"}, "neutral", "i= is not in the domain of d="),
        ({"i": "example.com"}, "neutral", "i= is not an address"),
        ({"l": "-1"}, "neutral", "l= is not a number"),
        ({"l": "1" * 77}, "neutral", "l= is not a number"),
        ({"t": "1.5"}, "neutral", "t= is not a number"),
        ({"x": "\u0661"}, "neutral", "x= is not a number"),
        ({"t": "2", "x": "2"}, "neutral", "x= is not after t="),
        ({"b": ""}, "neutral", "b= is empty"),
        ({"b": "QUJ"}, "neutral", "b= is not Base64"),
        ({"bh": "*"}, "neutral", "bh= is not Base64"),
        ({"bh": "QUJD"}, "neutral", "bh= is not a SHA-256 hash"),
        ({"u": "a;u=b"}, "neutral", "the tag list has a tag twice"),
        ({"u": "\x00"}, "neutral", "the tag list contains a control character"),
        ({"u": ";".join(f"a{n}=" for n in range(100))}, "neutral", "the tag list has more than 100 tags"),
        ({"u": "a" * 40_000}, "neutral", "the signature is larger than 32 kB"),
    ],
)
def test_faults(changes: dict[str, str | None], word: str, reason: str) -> None:
    content = make_field(**changes) + MAIL
    (found,) = read_signatures(content, "example.com")
    assert found.fault is not None
    assert (found.fault.result, found.fault.reason) == (word, reason)
    assert found.key_name == ""
    assert check(content) == (found.fault,)


def test_fault_names_the_signature() -> None:
    (result,) = check(make_field(bh="*") + MAIL)
    assert (result.domain, result.selector, result.signature) == ("example.com", "s1", "QUJDREVG")
    (result,) = check(make_field(d="-", s="\u202e", b="\u202e") + MAIL)
    assert (result.domain, result.selector, result.signature) == ("", "", "")


def test_signatures_of_related_domains_come_first() -> None:
    domains = ["a.example", "b.example", "c.example", "d.example", "e.example"]
    domains += ["mail.example.com", "example.com", "example.net", "notexample.com", "com.example"]
    content = b"".join(make_field(d=domain) for domain in domains) + MAIL
    found = read_signatures(content, "News.Example.com")
    assert [signature.domain for signature in found] == ["example.com", *domains[:4]]
    found = read_signatures(content, "example.com")
    assert [signature.domain for signature in found] == ["mail.example.com", "example.com", *domains[:3]]
    assert [signature.domain for signature in read_signatures(content, "")] == domains[:MAX_SIGNATURES]


def test_bounds() -> None:
    many = make_field(d="a.example") * MAX_CANDIDATES + make_field() + MAIL
    assert {signature.domain for signature in read_signatures(many, "example.com")} == {"a.example"}
    large = make_field() + MAIL + bytes(MAX_BYTES)
    assert [(result.result, result.reason) for result in check(large)] == [("neutral", "too large")]
    wide = make_field() + b"X: y\r\n" * (MAX_HEADER_BYTES // 6) + MAIL
    assert [(result.result, result.reason) for result in check(wide)] == [("neutral", "the header is too large")]


def test_unsigned_message() -> None:
    assert [(result.result, result.domain) for result in check(MAIL)] == [("none", "")]
    assert [result.result for result in check(b"")] == ["none"]
    assert [result.result for result in check(MAIL + make_field())] == ["none"]


@given(st.lists(st.sampled_from([b"DKIM-Signature", b" ", b":", b"\r\n", b"\n", b"\r", b"\x0b", b"v=1;", b"a: b\r\n"])))
def test_index_is_the_position_of_the_field(pieces: list[bytes]) -> None:
    content = b"".join(pieces) + b"\r\n" + make_field(h="from:x-mine") + MAIL
    fields = [field.raw for field in read_message(content).fields if field.name == b"dkim-signature"]
    for signature in read_signatures(content, ""):
        assert (b"x-mine" in fields[signature.index]) == (b"x-mine" in signature.signed_names)
