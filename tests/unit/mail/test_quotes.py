"""What is new, and what is history: by the shapes that mail programs give it."""

from __future__ import annotations

import pytest

from router.mail.quotes import split

HISTORIES = [
    "On Fri, Nov 21, 2025 at 10:00 AM Joe <joe@example.org> wrote:\n> old",
    "On Fri, Nov 21, 2025 at 10:00 AM Joe Bloggs <\njoe@example.org> wrote:\n\n> old",
    "Am 21.11.2025 um 10:00 schrieb Eva Muster:\n> alt",
    "Le ven. 21 nov. 2025 à 10:00, Eva <e@example.org> a écrit :\n\n> vieux",
    "El vie, 21 nov 2025 a las 10:00, Eva (<e@example.org>) escribió:\n\n> viejo",
    "Il giorno ven 21 nov 2025 alle ore 10:00 Eva <e@example.org> ha scritto:\n> vecchio",
    "Op vr 21 nov 2025 om 10:00 schreef Eva <e@example.org>:\n> oud",
    "Em sex., 21 de nov. de 2025 às 10:00, Eva <e@example.org> escreveu:\n> velho",
    "2025年11月21日 10:00，张三 <a@example.org> 写道：\n\n> 旧",
    "пт, 21 нояб. 2025 г. в 10:00, Ева <e@example.org> написал(а):\n> старое",
    "________________________________\nFrom: Joe\nSent: Friday\nTo: Eva\nSubject: x\n\nold",
    "Von: Joe\nGesendet: Freitag\nAn: Eva\nBetreff: x\n\nalt",
    "-----Original Message-----\nFrom: Joe\n\nold",
    "-----Ursprüngliche Nachricht-----\nVon: Joe\nalt",
    "> only marked\n> as quoted",
    "On 21 Nov 2025 10:00, Joe wrote:\nnot marked as quoted at all",
]


@pytest.mark.parametrize("history", HISTORIES)
def test_history_is_cut_and_kept(history: str) -> None:
    assert split(f"New words.\n\n{history}\n") == ("New words.", history)


@pytest.mark.parametrize(
    "text",
    [
        "On 21 Nov 2025, at 09:00, Joe <joe@example.org> wrote:\n> q1\nanswer 1\n> q2\nanswer 2",
        "> a question\n\nthe answer",
        "Please read what I wrote:\n\nthis is mine",
        "Yesterday the manager wrote:\n\nwe are closed",
        "Hello,\n\n- one\n- two\n\nThanks, I need this:\n\nmore\n\nWarning: disk full",
        "From: my point of view it is wrong.\n\nReally.",
        "> nothing but a quote",
        "On 21 Nov 2025 Joe wrote:\n> nothing new at all",
        "",
    ],
)
def test_nothing_is_cut(text: str) -> None:
    assert split(text) == (text, "")


def test_signatures() -> None:
    assert split("Words.\n\n-- \nEva\nCustomer Ltd.") == ("Words.", "-- \nEva\nCustomer Ltd.")
    assert split("Words.\n\nSent from my iPhone") == ("Words.", "Sent from my iPhone")
    assert split("Words.\n\nEnvoyé de mon iPhone\n\n> vieux")[0] == "Words."
    assert split("-- \nonly a signature") == ("-- \nonly a signature", "")


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Fwd: x", "See below.\n\nFrom: Joe\nSent: Friday\nTo: Eva\nSubject: x\n\nforwarded"),
        ("WG: x", "> forwarded"),
        (
            "x",
            "See below.\n\n-------- Forwarded message -------\nFrom: Joe\nDate: x\nTo: Eva\nSubject: x\n\nforwarded",
        ),
        ("x", "Begin forwarded message:\n\n> From: Joe\n> forwarded"),
    ],
)
def test_forwarded_mail_is_kept(subject: str, text: str) -> None:
    assert split(text, subject) == (text, "")


def test_crafted_lines_are_cheap() -> None:
    for line in (
        "On " + "a " * 148 + ":",
        "1 " * 148 + ":",
        "> ",
        "From: x",
        "Am " + "schrieb a " * 28 + ":",
        "-" * 300,
    ):
        new, quoted = split((line + "\n") * 20_000)
        assert new or quoted
