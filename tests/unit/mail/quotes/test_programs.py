"""Answers as mail programs and webmail of many countries write them in plain text."""

from __future__ import annotations

from router.mail.quotes import split

# (text, new text)
ANSWERS = [
    (
        (
            "Geht.\n"
            "\n"
            "--\n"
            "Diese Nachricht wurde von meinem Android Gerät mit GMX Mail gesendet.\n"
            'Am 12.03.26, 10:02, "Support" <support@acme.test> schrieb:\n'
            "> Bitte"
        ),
        "Geht.",
    ),
    (
        (
            "Funguje.\n"
            "\n"
            "______________________________________________________________\n"
            '> Od: "Support" <support@acme.test>\n'
            "> Komu: eva@example.net\n"
            "> Datum: 12.03.2026 10:02\n"
            "> Předmět: Lampa\n"
            ">\n"
            "> text"
        ),
        "Funguje.",
    ),
    (
        "Jó.\n\nSupport <support@acme.test> írta:\n>text",
        "Jó.",
    ),
    (
        (
            "Работи.\n"
            "\n"
            "-------- Оригинално писмо --------\n"
            "От: Support support@acme.test\n"
            "Относно: Лампа\n"
            "До: Eva\n"
            "Изпратено на: 12.03.2026 10:02\n"
            "\n"
            "text"
        ),
        "Работи.",
    ),
    (
        "Да.\n\nЦитирование Support <support@acme.test>:\n\n> text",
        "Да.",
    ),
    (
        "Ja.\n\nCiteren Support <support@acme.test>:\n\n> text",
        "Ja.",
    ),
    (
        (
            "Va.\n"
            "\n"
            "----Messaggio originale----\n"
            "Da: support@acme.test\n"
            "Data: 12-mar-2026 10.02\n"
            "A: eva\n"
            "Ogg: Lampada\n"
            "\n"
            "testo"
        ),
        "Va.",
    ),
    (
        (
            "好的\n"
            "\n"
            "\n"
            "\n"
            "原始邮件\n"
            "\n"
            "\n"
            "\n"
            "发件人：Support <support@acme.test>\n"
            "发件时间：2026年3月12日 10:02\n"
            "收件人：eva <eva@example.net>\n"
            "主题：灯\n"
            "\n"
            "请"
        ),
        "好的",
    ),
    (
        (
            "好的\n"
            "------------------------------------------------------------------\n"
            "发件人：Support <support@acme.test>\n"
            "发送时间：2026年3月12日(星期四) 10:02\n"
            "收件人：eva\n"
            "主　题：灯\n"
            "\n"
            "请"
        ),
        "好的",
    ),
    (
        (
            "了解です。\n"
            "\n"
            "----- Original Message -----\n"
            ">From: Support <support@acme.test>\n"
            ">To: eva\n"
            ">Date: 2026/3/12, Thu 10:02\n"
            ">Subject: lamp\n"
            ">\n"
            ">text"
        ),
        "了解です。",
    ),
    (
        ("On Thu, Mar 12, 2026 at 10:02:02AM +0100, Support wrote:\n> Which?\n> Thanks\n\nThe large one.\n\n-- \nEva"),
        "The large one.",
    ),
    (
        "Ok.\n\n12 Mar 2026 10:02:02 Support <support@acme.test>:\n\n> text",
        "Ok.",
    ),
    (
        "Ok.\n\nVon: Support\nGesendet: \u200e12.\u200e03.\u200e2026 10:02\nAn: Eva\nBetreff: Lampe\n\ntext",
        "Ok.",
    ),
    (
        (
            "Hello,\n"
            "\n"
            "it works.\n"
            "\n"
            "Kind regards,\n"
            "Eva Muster\n"
            "\n"
            "Customer Ltd. | Street 1 | 12345 Town\n"
            "\n"
            "________________________________\n"
            "Von: Support <support@acme.test>\n"
            "Gesendet: Donnerstag, 12. März 2026 10:02:22\n"
            "An: Eva\n"
            "Betreff: AW: Lampe\n"
            "\n"
            "text"
        ),
        "Hello,\n\nit works.\n\nKind regards,\nEva Muster\n\nCustomer Ltd. | Street 1 | 12345 Town",
    ),
    (
        (
            "It works.\n"
            "\n"
            "From: Support <support@acme.test>\n"
            "Sent: Thursday, March 12, 2026 10:02 AM\n"
            "To: Eva\n"
            "Subject: Re: x\n"
            "\n"
            "CAUTION: external mail\n"
            "\n"
            "text"
        ),
        "It works.",
    ),
    (
        (
            "Both.\n"
            "\n"
            "On 12 Mar 2026, at 10:02, Support <support@acme.test> wrote:\n"
            "\n"
            "\ufeffHello\n"
            "\n"
            "On 11 Mar 2026, at 09:00, Eva <eva@example.net> wrote:\n"
            "\n"
            "old"
        ),
        "Both.",
    ),
    (
        "Yes\n\nOn Thu, 12 Mar 2026, 10:02 Support, <support@acme.test> wrote:\n\n> x",
        "Yes",
    ),
    (
        "Yes\n\nOn Thu, 12 Mar 2026, 10:02 Support, <support@acme.test> wrote:\n> x\n> \n> -- \n> sig\n",
        "Yes",
    ),
    (
        (
            "Ja.\n"
            "\n"
            "Van: Support <support@acme.test>\n"
            "Verzonden: donderdag 12 maart 2026 10:02\n"
            "Aan: Eva <eva@example.net>\n"
            "CC: Karl\n"
            "Onderwerp: Lamp\n"
            "\n"
            "tekst"
        ),
        "Ja.",
    ),
    (
        (
            "Ja.\n"
            "\n"
            "Von: support@acme.test [mailto:support@acme.test] Im Auftrag von Support\n"
            "Gesendet: Donnerstag, 12. März 2026 10:02\n"
            "An: Eva\n"
            "Betreff: Lampe\n"
            "Priorität: Hoch\n"
            "\n"
            "text"
        ),
        "Ja.",
    ),
    (
        (
            "Yes.\n"
            "\n"
            "On Thu, Mar 12, 2026 at 10:02 AM Support of the Long Named Company Department\n"
            "of Lamps and Doors (via Helpdesk)\n"
            "<support@acme.test> wrote:\n"
            "\n"
            "> x"
        ),
        "Yes.",
    ),
    (
        "Ja.\n\n> Am 12.03.2026 um 10:02 schrieb Support <support@acme.test>:\n> \n> \ufeff\n> x",
        "Ja.",
    ),
    (
        "Ja.\n> Am 12.03.2026 um 10:02 schrieb Support <support@acme.test>:\n> x",
        "Ja.",
    ),
    (
        (
            "Am 12.03.2026 um 10:02 schrieb Support <support@acme.test>:\n"
            "> Frage?\n"
            "\n"
            "Antwort.\n"
            "\n"
            "Am 11.03.2026 um 10:02 schrieb Eva <eva@example.net>:\n"
            "> alt"
        ),
        "Am 12.03.2026 um 10:02 schrieb Support <support@acme.test>:\n> Frage?\n\nAntwort.",
    ),
]


def test_new_text_of_answers() -> None:
    assert [text for text, new in ANSWERS if split(text, answers=True)[0] != new] == []
