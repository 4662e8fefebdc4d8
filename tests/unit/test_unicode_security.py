"""Deceptive characters in names, addresses and domains."""

from __future__ import annotations

import pytest

from emailrouter.cli.console import format_cell, printable_text
from router.unicode_security import append_a_labels, deceptive_domain, safe_identifier, safe_line

HIDDEN = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u2060\ufeff\u00ad\u180e"


@pytest.mark.parametrize("hidden", HIDDEN)
def test_bidi_controls_and_zero_width_characters_are_removed(hidden: str) -> None:
    text = f"{hidden}Eva{hidden} M\u00fcller{hidden}"
    assert safe_line(text) == safe_identifier(text) == "Eva M\u00fcller"
    assert printable_text(text) == "Eva M\u00fcller"


@pytest.mark.parametrize(
    "text",
    [
        "\U0001f469\u200d\U0001f4bb at work",
        "\u2764\ufe0f\u200d\U0001f525",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian
        "\u0915\u094d\u200d\u0937",  # Hindi
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # the flag of Scotland
        "1\ufe0f\u20e3",
    ],
)
def test_joiners_in_words_and_emoji_are_kept(text: str) -> None:
    assert safe_line(text) == printable_text(text) == text
    assert safe_identifier(f"{text}a@x.example").isprintable()


@pytest.mark.parametrize("blank", "\u115f\u17b4\u2800\u3164\uffa0\u034f\ufe0f\U000e0100\U000e0080\U0001bca0\U0001d173")
def test_blank_characters_are_removed_from_identifiers(blank: str) -> None:
    assert safe_identifier(f"e{blank}va@ex{blank}ample.com") == "eva@example.com"


def test_stray_joiners_and_tags_are_removed() -> None:
    assert safe_line("\u200dE\u200cv\u200da\u0431\u200d") == "Eva\u0431"
    assert safe_line("Eva\U000e0041\U000e0042") == "Eva"


def test_run_of_blank_letters_becomes_one_space() -> None:
    for run in ("\u2800" * 90, "\u3164\u200b" * 90, "\u2800 " * 90, "\u115f\ufe0f" * 90):
        assert safe_line(f"invoice.pdf{run}.exe") == "invoice.pdf .exe"
    assert safe_line("\u2801\u2800\u2803") == "\u2801\u2800\u2803"
    assert safe_line("\u115f\u1160\u11a8") == "\u115f\u1160\u11a8"


def test_domain_with_required_joiners_becomes_a_labels() -> None:
    sinhala = "\u0dc1\u0dca\u200d\u0dbb\u0dd3.com"
    assert safe_identifier(f"a\u200d@{sinhala}") == "a@xn--10cl1a0b660p.com"
    assert safe_identifier("a@ex\u200dample.com") == "a@example.com"


@pytest.mark.parametrize(
    ("domain", "labels"),
    [
        ("\u0430pple.example", "xn--pple-43d.example"),  # Cyrillic a
        ("shop.p\u03b1ypal.com", "shop.xn--pypal-d9d.com"),  # Greek alpha
        ("\u0430\u0440\u0440\u04cf\u0435.com", "xn--80ak6aa92e.com"),  # all Cyrillic
        ("i\u2764.example", "xn--i-7iq.example"),
        ("m\u00fcller.example", ""),
        ("\u043f\u043e\u0447\u0442\u0430.example", ""),
        ("\u0430\u0440\u0440\u04cf\u0435.ru", ""),
        ("\u043a\u0442\u043e.\u0440\u0444", ""),
        ("\u65e5\u672c\u30ab\u30bfabc.example", ""),
        ("\ud55c\uad6dabc1.example", ""),
        ("\u0e44\u0e17\u0e22.example", ""),
        ("\u0623\u062e\u0628\u0627\u0631\u0661.example", ""),  # with an Arabic digit
        ("example.org", ""),
        ("xn--pple-43d.example", ""),
        ("\u0430b" * 200, ""),  # longer than any domain
    ],
)
def test_deceptive_domains(domain: str, labels: str) -> None:
    address = f"eva@{domain}"
    assert deceptive_domain(address) == labels
    assert append_a_labels(address) == format_cell(address) == (f"{address} ({labels})" if labels else address)


def test_texts_that_are_not_addresses() -> None:
    for text in ("\u041f\u0440\u0438\u0432\u0435\u0442 hello", "hello @\u041f\u0440\u0438hello", "\u0430pple", "", "@"):
        assert deceptive_domain(text) == ""
