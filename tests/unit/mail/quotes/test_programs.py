"""Plain text replies of mail programs and webmail from many countries."""

from __future__ import annotations

from router.mail.quotes import split

# (text, expected new text)
REPLY_CASES = [
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
    # A folded attribution of GroupWise.
    (
        (
            "Yes.\n\n"
            ">>> On 5/5/2026 at 9:15 AM, in message\n"
            '<4E5F0200.11@gw.example>, "Ana Lima"\n'
            "<ana@example.org> wrote:\n"
            "> Which lamp?"
        ),
        "Yes.",
    ),
    ('Yes.\n\n>>>>> "Ana" == Ana Lima <ana@example.org> writes:\n\n    Ana> Which lamp?\n    Ana> Red?', "Yes."),
    # Lower-case labels: Notes and Orange.
    (
        "Ok.\n\nFrom: Ana <ana@example.org>\nTo: eva@example.net\ncc:\nDate: 05/05/2026 09:15\nSubject: Lamp\n\nWhich?",
        "Ok.",
    ),
    (
        "Oui.\n\nde : Ana <ana@example.org>\ndate : 05/05/2026 09:15\nà : eva@example.net\nobjet : Lampe\n\nLaquelle ?",
        "Oui.",
    ),
    # Yandex: header fields above the attribution.
    (
        (
            "Да.\n\n----------------\n"
            "Кому: eva@example.net (eva@example.net);\n"
            "Тема: Лампа;\n"
            '05.05.2026, 09:15, "Ana Lima" <ana@example.org>:\n\n'
            "Какая лампа?"
        ),
        "Да.",
    ),
    # Yahoo's app: the quoted text starts on the line of the attribution.
    (
        (
            "Yes.\n\nSent from Yahoo Mail on Android \n \n"
            "  On Tue, 5 May 2026 at 9:15 am, Ana Lima<ana@example.org> wrote:   Which lamp?\nThanks"
        ),
        "Yes.",
    ),
    ("Ja.\n\n  Am Di., Mai 5, 2026 at 9:15 schrieb Ana<ana@example.org>:   Welche Lampe?", "Ja."),
    # Apple Mail on a phone, with the answer below the quote.
    ("> On 5 May 2026, at 09:15, Ana Lima <ana@example.org> wrote:\n> \n> Which lamp?\n\nThe red one.", "The red one."),
    # Orange: only the header block has quote marks.
    (
        (
            "Oui.\n\n> Message du 05/05/26 09:15\n"
            '> De : "Ana Lima" <ana@example.org>\n'
            "> A : eva@example.net\n> Objet : Lampe\n> \n\nQuelle lampe ?"
        ),
        "Oui.",
    ),
    # Other programs and languages.
    ("Да.\n\nВторник, 5 мая 2026, 9:15:00, вы писали:\n\nA> Какая\nA> лампа?", "Да."),
    ("Da.\n\nDana 5.5.2026. u 9:15, Ana Lima je napisao/la:\n> Koja lampa?", "Da."),
    ("Ya.\n\nLe 05/05/2026 à 09:15, Ana Lima a skrivas :\n> Pe lamp?", "Ya."),
    ("好\n\nAna 於 2026-05-05 09:15 寫到：\n\n> 燈", "好"),
    (
        (
            "Bai.\n\nAna Lima (<ana@example.org>) erabiltzaileak hau idatzi du (2026 mai.\n"
            "5(a), ar. (09:15)):\n\n> Zein lanpara?"
        ),
        "Bai.",
    ),
    (
        (
            "Ja.\n\nEva Muster\nMuster GmbH\nSitz: Köln\n"
            "Von: Ana Lima <ana@example.org>\nGesendet: Dienstag, 5. Mai 2026 09:15\nAn: Eva\nBetreff: Lampe\n\nWelche?"
        ),
        "Ja.\n\nEva Muster\nMuster GmbH\nSitz: Köln",
    ),
    ("Yes.\n\n-- \nSecured with Tuta Mail: \nhttps://tuta.com/free-email", "Yes."),
]


def test_new_text_of_replies() -> None:
    assert [text for text, new in REPLY_CASES if split(text, is_reply=True)[0] != new] == []
