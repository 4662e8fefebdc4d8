"""The `mailto:` link of a ticket."""

from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from api.dashboard.reply_link import MAX_LINK_LENGTH, MAX_SUBJECT_BYTES, build_mailto


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        (("ada@customer.example",), "ada@customer.example"),
        (("ada@customer.example", "b@x.example"), "ada@customer.example,b@x.example"),
        (("ada+shop@customer.example",), "ada%2Bshop@customer.example"),
        (("a&b=c?d%e@x.example",), "a%26b%3Dc%3Fd%25e@x.example"),
        (('"a,b c"@x.example',), "%22a%2Cb%20c%22@x.example"),
        (("jürgen@kunde.example",), "j%C3%BCrgen@kunde.example"),
        (("a@kölner.example",), "a@k%C3%B6lner.example"),
        (("a@[192.0.2.1]",), "a@%5B192.0.2.1%5D"),
    ],
)
def test_addresses_are_percent_encoded(addresses: tuple[str, ...], expected: str) -> None:
    link = build_mailto(addresses, "x")
    assert link == f"mailto:{expected}?subject=Re%3A%20x"
    assert [unquote(one) for one in urlsplit(link).path.split(",")] == list(addresses)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Printer on fire", "Re: Printer on fire"),
        ("Re: Printer on fire", "Re: Printer on fire"),
        ("RE: RE: x", "RE: RE: x"),
        ("Re[2]: x", "Re[2]: x"),
        ("AW: Drucker", "AW: Drucker"),
        ("回复：打印机", "回复：打印机"),
        ("Fwd: x", "Re: Fwd: x"),
        ("Reply: x", "Reply: x"),
        ("Vá: nyomtató", "Vá: nyomtató"),
        ("[EXT] Ynt: yazıcı", "[EXT] Ynt: yazıcı"),
        ("WG: Drucker", "Re: WG: Drucker"),
        ("", "Re:"),
        ("50 % off & more? #1 = 2+2", "Re: 50 % off & more? #1 = 2+2"),
        ("Die Tür klemmt 🚪", "Re: Die Tür klemmt 🚪"),
    ],
)
def test_subject_has_one_reply_prefix(subject: str, expected: str) -> None:
    link = build_mailto(("a@x.example",), subject)
    assert link.isascii()
    assert parse_qs(urlsplit(link).query) == {"subject": [expected]}


def test_a_long_subject_is_cut_between_characters() -> None:
    (subject,) = parse_qs(urlsplit(build_mailto(("a@x.example",), "🚪" * 500)).query)["subject"]
    assert subject.startswith("Re: 🚪")
    assert subject.endswith("🚪")
    assert MAX_SUBJECT_BYTES - 4 < len(subject.encode()) <= MAX_SUBJECT_BYTES


def test_a_long_link_has_all_addresses() -> None:
    addresses = [f"{n:040}@x.example" for n in range(20)]
    link = build_mailto(addresses, "漢" * 500)
    assert len(link) <= MAX_LINK_LENGTH
    assert [unquote(one) for one in urlsplit(link).path.split(",")] == addresses


def test_no_address_means_no_link() -> None:
    assert build_mailto((), "x") == ""
