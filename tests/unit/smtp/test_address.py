"""Mailboxes are parsed and compared correctly, and crafted text is parsed quickly."""

import string
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.address import AddressError, Mailbox, domain_key, local_key, parse_mailbox

ATOMS = st.text(string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-üßКλ", min_size=1, max_size=8)
QUOTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
DOMAINS = st.sampled_from(["example.com", "EXAMPLE.com.", "bücher.example", "[192.0.2.1]", "[IPv6:2001:db8::1]", "a"])


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        ("support@example.com", "support", "example.com"),
        ('"support"@example.com', "support", "example.com"),
        (r'"a b\"c\\d@e"@example.com', r'a b"c\d@e', "example.com"),
        ('""@example.com', "", "example.com"),
        ("user+tag@example.com", "user+tag", "example.com"),
        ("a@b_c.example", "a", "b_c.example"),
        ("a@example.com.", "a", "example.com."),
        ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
        ("a@[IPv6:::1]", "a", "[IPv6:::1]"),
        ("büro@bücher.example", "büro", "bücher.example"),
        ("postmaster", "postmaster", ""),
        ("PostMaster", "PostMaster", ""),
        ("x" * 64 + "@example.com", "x" * 64, "example.com"),
    ],
)
def test_parse_mailbox(text: str, local: str, domain: str) -> None:
    assert parse_mailbox(text) == Mailbox(local, domain)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "a",
        "@example.com",
        "a@",
        "a@b@c",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a b@example.com",
        "a@example..com",
        "a@.example",
        "a@example.com..",
        "a@-a.example",
        "a@a-.example",
        "a@" + "x" * 64 + ".example",
        "a@exa mple.com",
        "a@[1.2.3]",
        "a@[1.2.3.4",
        "a@[IPv6:1.2.3.4]",
        "a@[IPv6:fe80::1%eth0]",
        "a@[x-tag:content]",
        "<a@example.com>",
        "@relay.example:a@example.com",
        '"a@example.com',
        '"a"b@example.com',
        '"a\\"@example.com',
        "a\0@example.com",
        "a\r\n@example.com",
        '"a\n"@example.com',
        "a\x7f@example.com",
        "a\x85@example.com",
        "a\udcff@example.com",
        "a@\udcff.example",
        "a@xn--.ü",
        "a@☃-.example",
        "x" * 65 + "@example.com",
        '"' + "x" * 63 + '"@example.com',
        "ü" * 33 + "@example.com",
        "a@" + ".".join(["x" * 60] * 5),
        "a" * 100000,
    ],
)
def test_parse_mailbox_rejects(text: str) -> None:
    with pytest.raises(AddressError) as raised:
        parse_mailbox(text)
    assert str(raised.value)


@given(ATOMS, DOMAINS)
def test_text_of_a_mailbox_parses_to_the_same(local: str, domain: str) -> None:
    mailbox = parse_mailbox(f"{local}@{domain}")
    assert parse_mailbox(str(mailbox)) == mailbox


@given(QUOTABLE, DOMAINS)
def test_any_local_part_has_a_text_form(local: str, domain: str) -> None:
    shown = str(Mailbox(local, domain))
    assert parse_mailbox(shown) == Mailbox(local, domain)


@given(st.text(max_size=300))
def test_any_text_parses_or_raises_address_error(text: str) -> None:
    try:
        mailbox = parse_mailbox(text)
    except AddressError:
        return
    assert parse_mailbox(str(mailbox)) == mailbox
    assert domain_key(mailbox.domain_key) == mailbox.domain_key
    assert local_key(mailbox.local_key) == mailbox.local_key


@given(st.text(max_size=30))
def test_keys_ignore_case_and_composition(text: str) -> None:
    key = local_key(text)
    assert local_key(key) == key
    for form in ("NFC", "NFD"):
        assert local_key(unicodedata.normalize(form, text)) == key
    assert local_key(text.casefold()) == key


@pytest.mark.parametrize(
    "form", ["bücher.example", "BÜCHER.Example", "xn--bcher-kva.example", "XN--BCHER-KVA.EXAMPLE."]
)
def test_forms_of_a_domain_share_a_key(form: str) -> None:
    assert domain_key(form) == "xn--bcher-kva.example"


def test_sharp_s_is_distinct_in_domains_and_folded_in_local_parts() -> None:
    assert domain_key("straße.example") != domain_key("strasse.example")
    assert local_key("straße") == local_key("STRASSE")


@pytest.mark.parametrize("hostile", ['"' + "\\\\" * 60000, "a." * 60000, '"' * 120000, "a@" + "a-" * 60000])
def test_hostile_text_parses_quickly(hostile: str) -> None:
    began = time.perf_counter()
    for text in (hostile, hostile[:250]):
        with pytest.raises(AddressError):
            parse_mailbox(text)
    assert time.perf_counter() - began < 0.1
