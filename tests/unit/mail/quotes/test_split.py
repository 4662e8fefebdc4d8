"""New text and quoted text are separated only if there is evidence of a quote."""

from __future__ import annotations

import pytest

from router.mail.quotes import split

ATTRIBUTION = "On Fri, 6 Mar 2026 at 10:00, Support <support@example.com> wrote:"
QUOTE = f"{ATTRIBUTION}\n> Which lamp is it?\n>\n> Support"
BLOCK = "From: Support <support@example.com>\nSent: Friday, March 6, 2026 10:00 AM\nTo: Eva\nSubject: Lamp\n\nold"
HEADING = "-----Original Message-----\nFrom: Support\n\nold"
TOP_POSTED = f"The large one.\n\n{QUOTE}"


@pytest.mark.parametrize("history", [QUOTE, BLOCK, HEADING, "> only marked\n> as quoted"])
def test_history_is_only_split_off_replies(history: str) -> None:
    text = f"The large one.\n\n{history}"
    assert split(text, is_reply=True) == split(text, "Re: Lamp") == ("The large one.", history)
    assert split(text) == split(text, "Lamp") == (text, "")


def test_quote_of_a_recipient_is_evidence() -> None:
    assert split(TOP_POSTED, "Lamp", recipients=["support@example.com"]) == ("The large one.", QUOTE)
    assert split(TOP_POSTED, "Lamp", recipients=["sales@example.com"]) == (TOP_POSTED, "")
    # A manually pasted quote has no marked end, so all of the text is kept.
    pasted = f"You promised it.\n\n{ATTRIBUTION}\n\nWe will pay.\n\nYou did not."
    assert split(pasted, "Lamp", recipients=["support@example.com"]) == (pasted, "")
    pasted = f"You promised it.\n\n{BLOCK}\n\nYou did not."
    assert split(pasted, "Lamp", recipients=["support@example.com"]) == (pasted, "")


@pytest.mark.parametrize(
    "text",
    [
        "The program says:\n\n> Error 500: database is locked\n> at line 7",
        "I clicked:\n> Settings\n> Users\n> Add",
        "I clicked\n> Settings\n> Users",
        "Please run\n\n> make\n\nand tell me.",
        "| part | number |\n| lamp | 4711 |\n\nPlease send both.",
        "The list:\n| part | number |\n| lamp | 4711 |",
        "> a question\n\nthe answer",
        "I ran this.\n\n>>> import lamp\n>>> lamp.on()",
        f"{ATTRIBUTION}\n> q1\nanswer 1\n> q2\nanswer 2",
        "> nothing but a quote",
        f"{ATTRIBUTION}\n> nothing new at all",
        "1. start\n2. stop:\n\n   a: b\n\nThe log of 12.03.2026 10:02 says: ok",
        "def f(x):\n    if x > 5:\n        return x\n\nIt fails.",
        "diff\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new",
        "Roses are red,\n\u2014\nviolets are blue,\nsugar is sweet and so are you.",
        "",
    ],
)
def test_text_of_the_sender_is_kept(text: str) -> None:
    assert split(text) == split(text, "Re: x", is_reply=True) == (text, "")


@pytest.mark.parametrize("shown", [BLOCK, HEADING, f"{ATTRIBUTION}\n\nWe will pay."])
def test_text_introduced_by_a_colon_is_new(shown: str) -> None:
    text = f"Your colleague sent me this:\n\n{shown}\n\nIs that true?"
    assert split(text, is_reply=True) == (text, "")


def test_quoted_lines_at_the_end() -> None:
    answer = "It still fails.\n\n> Which lamp is it?"
    assert split(answer, is_reply=True) == ("It still fails.", "> Which lamp is it?")
    marked = f"It still fails:\n> {ATTRIBUTION}\n>\n> Which lamp is it?"
    assert split(marked, is_reply=True)[0] == "It still fails:"


def test_answer_below_one_quote() -> None:
    assert split(f"{QUOTE}\n\nThe large one.", is_reply=True) == ("The large one.", QUOTE)
    assert split(f"Hello.\n\n{QUOTE}\n\nThe large one.", is_reply=True) == ("Hello.\n\nThe large one.", QUOTE)
    quoted = f"{QUOTE}\n\n-- \nEva"
    assert split(f"{QUOTE}\n\nThe large one.\n-- \nEva", is_reply=True) == ("The large one.", quoted)


def test_answer_below_quoted_lines_under_a_header_block() -> None:
    for quote in (
        "-------- Original-Nachricht --------\n> Datum: 5.5.2026\n> Von: Ana <ana@example.org>\n\n> Which one?\n> Ana",
        "From: Ana <ana@example.org>\nSent: Tuesday, May 5, 2026 9:15 AM\nTo: Eva\nSubject: x\n\n> Which one?\n> Ana",
    ):
        assert split(f"{quote}\n\nThe large one.", is_reply=True) == ("The large one.", quote)
        between = f"{quote}\n\nThe large one.\n\n> How many?\n\nTwo."
        assert split(between, is_reply=True) == (between, "")
        assert split(f"Hello.\n\n{quote}\n\nWe asked twice.", is_reply=True)[0] == "Hello."


def test_signature_alone_is_shown_without_the_history() -> None:
    assert split(f"Sent from my iPhone\n\n{QUOTE}", is_reply=True) == ("Sent from my iPhone", QUOTE)
    assert split(f"-- \nEva\n\n{BLOCK}", is_reply=True) == ("-- \nEva", BLOCK)


def test_answers_between_quoted_lines_stay_with_them() -> None:
    between = f"{ATTRIBUTION}\n> q1\n\nanswer 1\n\n> q2\n\nanswer 2"
    assert split(f"Hello.\n\n{between}\n\n> the rest\n> of it", is_reply=True)[0] == f"Hello.\n\n{between}"
    assert split(f"{between}\n\n{QUOTE}", is_reply=True) == (between, QUOTE)


@pytest.mark.parametrize("mark", ["|", "EM>", "ana>", ":", "}", "\u2502"])
def test_other_quote_marks(mark: str) -> None:
    quote = f"{ATTRIBUTION}\n\n{mark} Which lamp is it?\n{mark} Thanks"
    assert split(f"Hello.\n\n{quote}", is_reply=True) == ("Hello.", quote)
    assert split(f"Hello.\n\n{quote}\n\nThe large one.", is_reply=True) == ("Hello.\n\nThe large one.", quote)
    between = f"{ATTRIBUTION}\n{mark} q1\n\nanswer 1\n\n{mark} q2\n\nanswer 2"
    assert split(between, is_reply=True) == (between, "")


def test_wrapped_address_in_a_quote() -> None:
    quote = f"> {ATTRIBUTION}\n>\n> The manual: <https://example.com/manuals/lamps/small/part-2\n/page-12>.\n>"
    assert split(f"It works.\n\n{quote}", is_reply=True) == ("It works.", quote)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Fwd: x", f"See below.\n\n{BLOCK}"),
        ("WG: x", "> forwarded"),
        ("TR : x", f"See below.\n\n{QUOTE}"),
        ("x", f"See below.\n\n-------- Forwarded message -------\n{BLOCK}\n\n-- \nSupport"),
        ("Re: x", f"See below.\n\n---------- Weitergeleitete Nachricht ----------\n{BLOCK}\n\n-- \nSupport"),
        ("x", "Begin forwarded message:\n\n> From: Joe\n> forwarded"),
        ("x", "Anfang der weitergeleiteten Nachricht:\n\n> Von: Joe\n> forwarded"),
        ("x", "-------- 转发邮件信息 --------\n发件人: Joe\n\nforwarded"),
    ],
)
def test_forwarded_message_is_kept(subject: str, text: str) -> None:
    assert split(text, subject, is_reply=True) == (text, "")


def test_text_beyond_the_limits_stays_with_its_part() -> None:
    long = "word " * 60_000
    assert split(f"New.\n\n{QUOTE}\n> {long}", is_reply=True)[0] == "New."
    new, quoted = split(f"{long}\n\n-- \nEva", is_reply=True)
    assert (new, quoted) == (f"{long}\n\n-- \nEva", "")
    lines = "\n".join(f"line {number}" for number in range(30_000))
    assert split(f"{lines}\n\n-- \nEva") == (f"{lines}\n\n-- \nEva", "")


@pytest.mark.parametrize(
    "line",
    [
        "On " + "a " * 148 + ":",
        "1 " * 148 + ":",
        "Am " + "schrieb a " * 28 + ":",
        "> ",
        "From: x",
        "From: x\n\nDate: y\n",
        "Subject: a@b.cc <" * 8,
        "-" * 300,
        "On 6 Mar 2026 10:00, a <b@c.dd> wrote:\n> q\na",
        "a - On 6 Mar 2026 10:00, a <b@c.dd> wrote:\n| q\na",
        "a <",
        "x@" * 150 + ":",
        "Sent from my iPhone",
        "--",
    ],
)
def test_crafted_lines_are_cheap(line: str) -> None:
    new, quoted = split((line + "\n") * 10_000, is_reply=True, recipients=["a@b.cc"])
    assert new or quoted


@pytest.mark.parametrize("name", ["I am Eva", "Our Team", "We (Acme)", "The driver", "je", "10:00, you wrote: x"])
@pytest.mark.parametrize("time", ["6 Mar 2026, 10:00 CET", "Mar 6, 2026, 1:00 AM UTC+05:45", "06.03.2026, 10:00 UTC"])
def test_line_above_our_own_quotes_has_any_name(name: str, time: str) -> None:
    quote = f"On {time}, {name} wrote:\n> Which lamp?"
    assert split(f"The large one.\n\n{quote}", "Re: Lamp") == ("The large one.", quote)
    unmarked = "The large one.\n\nOn 6 Mar 2026, our team wrote:\n\n> Which lamp?\n\nIs it true?"
    assert split(unmarked, "Re: Lamp") == (unmarked, "")
