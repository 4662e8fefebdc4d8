"""Splitting loses and repeats no word of any text."""

from __future__ import annotations

from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.mail.quotes import split

LINES = st.sampled_from(
    [
        *(
            "",
            "Hello,",
            "It is dark.",
            "The program says:",
            "> quoted",
            "> > twice",
            "| a | b |",
            "EM> quoted",
            "<",
            ">:",
        ),
        *("On 5 May 2026 at 09:15, Ana <ana@example.org> wrote:", "It works - On 5 May 2026 10:00, Ana wrote:"),
        *("On Tue, 5 May 2026 at 09:15, Ana <", "ana@example.org> wrote:", "> wrote:", "wrote:", "ana@example.org>:"),
        *("From: Ana <ana@example.org>", "Sent: 5 May 2026 09:15", "To: Eva", "Subject: lamp", "Date: 5 May 2026"),
        *("-----Original Message-----", "_" * 32, "----", "-- ", "--", "\u2014", "Eva", "Sent from my iPhone"),
        *("---------- Forwarded message ---------", ">>> Ana <ana@example.org> 05.05.2026 09:15 >>>"),
        *("eva@example.net", "https://example.net", "\r", "\u202aOn\u202c", "x" * 500),
    ]
)
TEXTS = st.lists(LINES | st.text(max_size=20), max_size=30).map("\n".join)
SUBJECTS = st.sampled_from(["", "Lamp", "Re: Lamp", "Fwd: Lamp", "VS: Lamp"])


def words(text: str) -> Counter[str]:
    return Counter(text.split())


@settings(max_examples=120)
@given(TEXTS, SUBJECTS, st.booleans(), st.sampled_from([(), ("ana@example.org",)]))
def test_no_word_is_lost_or_repeated(text: str, subject: str, answers: bool, recipients: tuple[str, ...]) -> None:
    new, quoted = split(text, subject, is_reply=answers, recipients=recipients)
    assert words(new) + words(quoted) == words(text)
    assert not text.strip() or new.strip()


@settings(max_examples=120)
@given(TEXTS)
@example("Hello,\nSent from my iPhone\n>:")  # the quoted line is not the second half of a folded footer
def test_only_a_signature_of_a_first_message_is_split_off(text: str) -> None:
    new, quoted = split(text, "Lamp")
    assert text.strip("\n").startswith(new)
    assert sum(1 for line in quoted.split("\n") if line.strip()) <= 60
    assert "\n>" not in quoted
