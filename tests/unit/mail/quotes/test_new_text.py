"""New text that looks like quoted text is not split off."""

from __future__ import annotations

import pytest

from router.mail.quotes import split

NEW_TEXTS = [
    (
        "Hallo,\n"
        "\n"
        "hier die Fehlermeldung:\n"
        "\n"
        "-----\n"
        "From: <a@b.example>\n"
        "To: <c@d.example>\n"
        "Subject: test\n"
        "-----\n"
        "\n"
        "Was tun?"
    ),
    (
        "Hallo,\n"
        "\n"
        "hier der Header:\n"
        "Received: from x\n"
        "From: Ana <ana@example.org>\n"
        "To: Eva <eva@example.org>\n"
        "Subject: test\n"
        "Date: Tue, 5 May 2026 10:15:00 +0200\n"
        "\n"
        "Was tun?"
    ),
    "Option A: yes\nOption B: no\n\nFrom our side: fine\nTo do: nothing",
    "Agenda:\n\n10:00 Start\n10:30 Ana <ana@example.org>:\n  talk\n11:00 End",
    "Here are the changes\n\n--- a/file\n+++ b/file\n@@ -1,2 +1,2 @@\n-foo\n+bar",
    "I used:\n\n$ cat mail.txt\nFrom: a\nTo: b\n\n$",
    "Please call:\n\nAna Lima\nana@example.org\n05.05.2026 09:15\n\nThanks",
    "We met on 5 May 2026 at 10:15.\nKarl wrote:\n\nok\n\nfine",
    "Bitte an Karl <karl@example.org> schreiben:\n\nDanke",
    "Passagier: Eva\nVon: HAM\nNach: BER\nDatum: 5.5.2026 10:15\nBetreff: Umbuchung\n\nBitte bestätigen.",
    "a > b\n> c is a formula\n\nand more text",
    "Schritte\n\n> Datei > Öffnen\n\ndann Fehler",
    'Zitat: "Wir schrieben am 5. Mai 2026 um 10:15 Uhr"\n\nStimmt das?',
    "1. Am 5. Mai 2026 um 10:15 geschrieben\n2. Am 6. Mai 2026 um 11:15 geschrieben\n\nKeine Antwort!",
    "Chat:\n[05.05.2026 09:15] Ana wrote:\nhello\n[05.05.2026 09:16] Eva wrote:\nhi\n\nwhat now?",
    "05.05.2026 09:15 - Ana: hello\n05.05.2026 09:16 - Eva: hi\n\nwhat now?",
    "Ticket 4711, created on 5 May 2026 at 09:15 by ana@example.org:\n\nno answer yet",
    (
        "Sehr geehrte Damen und Herren,\n"
        "\n"
        "am 5. Mai 2026 um 10:15 Uhr schrieb ich Ihnen:\n"
        "\n"
        "Die Lampe ist dunkel.\n"
        "\n"
        "Keine Antwort."
    ),
    "El 5 de mayo de 2026 a las 10:15 les escribí por escrito:\n\nLa lámpara.\n\nNada.",
    "Le 5 mai 2026 à 10:15 je vous ai écrit :\n\nLa lampe.\n\nRien.",
    "Il 5 maggio 2026 alle 10:15 vi ho scritto:\n\nLa lampada.\n\nNiente.",
    "Em 5 de maio de 2026 às 10:15 escrevi:\n\nA lâmpada.\n\nNada.",
    "On 5 May 2026 at 10:15 I have written:\n\nThe lamp.\n\nNothing.",
    "5 мая 2026 в 10:15 я написал:\n\nЛампа.\n\nНичего.",
    "Dnia 5 maja 2026 o 10:15 napisałem:\n\nLampa.\n\nNic.",
    "W dniu 5.05.2026 o 10:15 pisałam:\n\nLampa.\n\nNic.",
    "Den 5 maj 2026 kl 10:15 skrev jag:\n\nLampan.\n\nInget.",
    "Op 5 mei 2026 om 10:15 schreef ik:\n\nLamp.\n\nNiets.",
    "5.5.2026 klo 10.15 kirjoitin:\n\nLamppu.\n\nEi mitään.",
    "5 Mayıs 2026 10:15'te yazdım:\n\nLamba.\n\nHiç.",
    "2026年5月5日 10:15 我写道：\n\n灯\n\n没有",
    "2026年5月5日 10:15に私が書きました:\n\nランプ\n\nなし",
    "On 5 May 2026 at 10:15 you wrote:\n\nThe lamp comes.\n\nIt did not.",
    "Am 5. Mai 2026 um 10:15 Uhr schrieben Sie:\n\nDie Lampe kommt.\n\nSie kam nicht.",
    "On 5 May 2026 your colleague ana@example.org wrote:\n\nThe refund is done.\n\nIt is not.",
    "Am 05.05.2026 um 10:15 Uhr hat Frau Lima (ana@example.org) mir geschrieben:\n\nDie Lampe kommt.\n\nNein.",
    "The agent Ana Lima, ana@example.org, wrote to me on 05.05.2026 that the lamp:\n- is in stock\n- ships tomorrow",
    "Am 05.05.2026 um 10:15 schrieb der Fahrer:\nniemand zu Hause\nDas stimmt nicht.",
    "The driver wrote on 05.05.2026 at 10:15:\nnobody at home\nThat is wrong.",
    "On 5 May 2026 at 10:15 the app wrote:\n\nError 500\n\nWhat now?",
    "Le 05/05/2026 à 10:15 le livreur a écrit :\n\npersonne\n\nC'est faux.",
    "On 05.05.2026 10:15 the system sent to eva@example.org:\ncode 5567",
    "05.05.2026 10:15 eva@example.org:\nlogin failed\n05.05.2026 10:20 ana@example.org:\nlogin failed",
    "2026-05-05 10:15:00 <eva@example.org>:\n550 rejected\nWhy?",
    '{"from": "eva@example.org",\n"to": "ana@example.org",\n"date": "2026-05-05T10:15",\n"subject": "x"}',
    "settings\n\nfrom: eva@example.org\nto: ana@example.org\nsubject: x",
    "Please transfer the domain.\n\nFrom: eva@example.org\nTo: karl@example.org\nDate: tomorrow\n\nThanks!",
    "Please change\n\n----------\nFrom: old@example.org\nTo: new@example.org\n\nThanks!",
    "Hier die Daten.\n\nVon: Hamburg\nNach: Berlin\nDatum: 5.5.2026 10:15 Uhr\nBetreff: Buchung 881\n\nDanke",
    "Umbuchen bitte\n\nDatum: 5.5.2026, 10:15 Uhr\nVon: Hamburg\nAn: Berlin\nBetreff: Umbuchung",
    "First name: Eva\nFrom: Peru\nEmail: eva@example.org\nDate: 5.5.2026 10:15\nSubject: Lamp\nTo: sales\n\nThanks",
    "I get this back\n\nFrom: eva@example.org\nTo: ana@example.org\nSubject: x\nX-Spam: yes\n\nWhy?",
    "I get\n\n> From: eva@example.org\n> To: ana@example.org\n> Subject: x\n\nWhat is it?",
    "To do\n-- \n* cancel the order\n* refund the money\n* call back",
    "Here.\n-- \nOrder: 4711\nItem: lamp\nProblem: broken",
    "How do I\nget Outlook for Android?",
    "I typed\n\n>>> print('10:15')\nAna wrote:\n>>> 1\n\nWhy?",
]
NEW_LINES = [
    "Order 4711 of 05.05.2026 came.",
    "Rechnung vom 05.05.2026 kam an",
    "It arrived at 10:45",
    "Thanks, 5 pieces on 3 March 2026 please",
    "Call me on 24 August at 16:30",
    "Please use eva@example.org",
]
ATTRIBUTIONS = [
    "Ana Lima <ana@example.org> wrote:",
    "On Tue, May 5, 2026 at 9:15 AM Ana Lima <ana@example.org> wrote:",
    "On Tue, May 5, 2026 at 9:15 AM Ana Lima <\nana@example.org> wrote:",
]


def test_new_text_of_a_reply_is_kept() -> None:
    texts = [f"Hello.\n\n{text}" for text in NEW_TEXTS]
    assert [text for text in texts if split(text, is_reply=True) != (text, "")] == []


def test_new_line_directly_above_an_attribution_is_kept() -> None:
    pairs = [(line, attribution) for line in NEW_LINES for attribution in ATTRIBUTIONS]
    wrong = [pair for pair in pairs if split("\n".join((*pair, "> Which lamp?")), is_reply=True)[0] != pair[0]]
    assert wrong == []


@pytest.mark.parametrize(
    "history",
    [
        "> On 5 May 2026, at 09:15, Ana Lima <ana@example.org> wrote:\n> \n> Which lamp?",
        "On 5 May 2026, at 09:15, Ana Lima <ana@example.org> wrote:\n\nWhich lamp?",
        "From: Ana Lima <ana@example.org>\nTo: eva@example.net\nSent: Tuesday, 5 May 2026 09:15\nSubject: Lamp\n\nRed?",
        '> Message du 05/05/26 09:15\n> De : "Ana Lima" <ana@example.org>\n> A : Eva\n> Objet : Lampe\n> \n> Rouge ?',
    ],
)
@pytest.mark.parametrize(
    "own",
    [
        "De: Paris\nÀ: Lyon\nDate: 05/05/2026 10:15\nObjet: voyage\nNombre: 2",
        "Second\n____________\nThird\nFrom: shop\nTo: me\nDate: 05.05.2026 10:15",
        "Please copy\n\nCc: ana@example.org\nSubject: as it is",
        "The program says:\n\n> Error\n> at line 5",
        "I typed\n\n>>> 1/0\nZeroDivisionError\n>>> quit()",
    ],
)
def test_history_below_similar_new_text(own: str, history: str) -> None:
    new, quoted = split(f"Hello.\n\n{own}\n\n{history}", is_reply=True)
    assert new.startswith(f"Hello.\n\n{own}")
    assert quoted == history
