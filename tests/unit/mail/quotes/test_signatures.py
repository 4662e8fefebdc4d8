"""Signatures at the end of a text."""

from __future__ import annotations

import pytest

from router.mail.quotes import split

NOTICE = "This e-mail and its attachments are confidential and intended for the addressee alone. " * 3


@pytest.mark.parametrize(
    "signature",
    [
        "-- \nEva\nCustomer Ltd.",
        "-- \n\n*Eva Muster | Head of Lamps*",
        f"-- \nEva Muster\nCustomer Ltd.\n\n{NOTICE.strip()}",
        "-- \nEva Muster\n\nThis mail is confidential and only for its addressee. If you\nare not, delete it.\n"
        "You must not copy it or tell anybody what it says.\nPlease tell us when you received it by mistake.",
        "-- \nEva\n\nWe are open from Monday to Friday.",
        "-- \n2.39.0",
        "--\nEva Muster",
        "--\nMit lieben Grüßen\n\nEva Muster\nhttps://example.net\nMobil:   +49 345 6789012",
        "--\nEva Muster\nCustomer Ltd.\neva@example.net",
        "\u2014\nEva Muster\nwww.example.net",
        "__\nlamps mailing list\nlamps@lists.example.net\nhttps://lists.example.net/listinfo/lamps",
        "-- \nEva\n\nSent from my iPhone",
        "Sent from my iPhone\n\n-- \nEva",
    ],
)
def test_signature_is_split_off(signature: str) -> None:
    assert split(f"Words.\n\n{signature}") == ("Words.", signature)


@pytest.mark.parametrize(
    "text",
    [
        "First, the lamp.\n--\nSecond, the invoice: it is wrong, please correct it.\n\nThird, the door.",
        "First, the lamp.\n\u2014\nSecond, the invoice: it is wrong.",
        "First, the lamp.\n-- \nSecond, the invoice: it is wrong, please correct it.\n\nThird, the door is open.",
        "One\n--\nTwo\n--\nThree",
        "One\n---\nTwo",
        "The form\n-- \nName: Karl\nMessage:\nMy parcel has not come, so where is it?\n\nOrder: 4711",
        "From the form\n-- \nName: Karl\nMessage: Where is my parcel? I have asked twice.",
        "The dump:\n-- \n-- Table structure\n-- \nCREATE TABLE lamps (\n  id int\n);",
        "The query:\n-- \nSELECT 1;",
        "A list:\n- lamp\n-- door\n- window",
        "Words\n-- \n" + "\n".join(f"line {number}" for number in range(20)),
        "My new address:\n--\nEva Muster\nStreet 1\neva@example.net",
        "My new address:\n\n-- \nEva Muster\nStreet 1\neva@example.net",
        "Thanks\n--\nPlease call me at 0123 456789",
        "See\n--\nhttps://example.net/broken",
        "Words\n-- \n> a quote of my own",
        "Words\n-- \nWhere is my lamp?",
        "Words\n-- \nEva\nPlease send me three of these lamps by Monday.\nThey must be red.",
        "Words\n-- \n1. It is dark\n2. It is loud",
        "-- \nonly a signature",
        "--\nEva",
        "Two lamps--the big and the small one.",
    ],
)
def test_text_below_a_rule_is_kept(text: str) -> None:
    assert split(text) == split(text, is_reply=True) == (text, "")


@pytest.mark.parametrize(
    "sender", ["Eva Muster <eva@example.net>", " evamuster@example.net", "Muster, Dr. Eva <x@a.example>"]
)
def test_name_of_the_sender_below_a_rule_is_a_signature(sender: str) -> None:
    for signature in ("--\nEva", "\u2014\nEva Muster", "--\nEva Muster\nStreet 1\n+49 345 6789012"):
        assert split(f"Words.\n{signature}", sender=sender) == ("Words.", signature)
    for own in ("--\nLarge", "__\nYes", "--\nAna Lima\nStreet 1\nana@lamps.test"):
        assert split(f"Words\n{own}", sender=sender) == (f"Words\n{own}", "")
    for signature in (
        "-- \nLarge lamps",
        "--\nЕва Мустер",
        "--\nlamps mailing list\nhttps://lists.example.org/listinfo/",
    ):
        assert split(f"Words.\n{signature}", sender=sender) == ("Words.", signature)


def test_list_footer_below_the_history_is_not_new_text() -> None:
    footer = f"{'_' * 47}\nLamps mailing list\nhttps://lists.example.net/listinfo/lamps"
    quote = "On Tue, 5 May 2026 at 09:15, Ana <ana@example.org> wrote:\n> old"
    assert split(f"Words.\n\n{quote}\n\n{footer}", is_reply=True) == ("Words.", f"{quote}\n\n{footer}")
    assert split(f"Words.\n\n{footer}") == (f"Words.\n\n{footer}", "")
