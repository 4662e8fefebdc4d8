"""Replies with unusual attributions and quotes."""

from __future__ import annotations

from router.mail.quotes import split

# (text, expected new text)
REPLY_CASES = [
    (
        (
            "Hi,\n"
            "\n"
            "see below.\n"
            "\n"
            "Regards\n"
            "Eva\n"
            "\n"
            "On Tue, 5 May 2026 at 09:15, Ana Lima <ana@example.org> wrote:\n"
            "> Is it on?\n"
            "\n"
            "Yes.\n"
            "\n"
            "> Green?\n"
            "\n"
            "No.\n"
            "\n"
            "> Thanks\n"
            "> Ana\n"
        ),
        (
            "Hi,\n"
            "\n"
            "see below.\n"
            "\n"
            "Regards\n"
            "Eva\n"
            "\n"
            "On Tue, 5 May 2026 at 09:15, Ana Lima <ana@example.org> wrote:\n"
            "> Is it on?\n"
            "\n"
            "Yes.\n"
            "\n"
            "> Green?\n"
            "\n"
            "No."
        ),
    ),
    (
        (
            "On Tue, 5 May 2026 at 09:15, Ana Lima <ana@example.org> wrote:\n"
            "> Is it on?\n"
            "> Green?\n"
            ">\n"
            "> Ana\n"
            "Yes, it is.\n"
            "Eva"
        ),
        "Yes, it is.\nEva",
    ),
    (
        (
            "Yes.\n"
            "\n"
            "On Tue, 5 May 2026 at 09:15, Ana Lima <ana@example.org> wrote:\n"
            "> q\n"
            ">> r\n"
            "> On Tue, 5 May 2026 at 09:15, Ana Lima <ana@example.org> wrote:\n"
            ">> s"
        ),
        "Yes.",
    ),
    (
        "> Is it on?\n\nYes.\n\n> Green?\n\nNo.",
        "> Is it on?\n\nYes.\n\n> Green?\n\nNo.",
    ),
    (
        (
            "Ja\n"
            "\n"
            "Von meinem iPhone gesendet\n"
            "\n"
            "> Am 05.05.2026 um 09:15 schrieb Ana Lima <ana@example.org>:\n"
            "> \n"
            "> \ufeffHallo"
        ),
        "Ja",
    ),
    (
        (
            "Ja.\n"
            "\n"
            "Mit freundlichen Grüßen\n"
            "\n"
            "Eva Muster\n"
            "Geschäftsführerin\n"
            "\n"
            "-- \n"
            "Customer GmbH\n"
            "Straße 1\n"
            "12345 Stadt\n"
            "Tel.: +49 123 456\n"
            "www.example.net\n"
            "Geschäftsführer: Karl Kunde, Eva Muster\n"
            "Amtsgericht Stadt HRB 4711\n"
            "USt-IdNr. DE123456789\n"
            "\n"
            "On Tue, 5 May 2026 at 09:15, Ana Lima <ana@example.org> wrote:\n"
            "> x"
        ),
        "Ja.\n\nMit freundlichen Grüßen\n\nEva Muster\nGeschäftsführerin",
    ),
    (
        "Ok\r\n\r\nOn Tue, 5 May 2026 at 09:15, Ana Lima <ana@example.org> wrote:\r\n> x\r\n",
        "Ok",
    ),
    (
        "Ok\n\n\u00a0\nOn Tue, 5 May 2026 at 09:15, Ana Lima <ana@example.org> wrote:\u00a0\n\u00a0\n> x",
        "Ok",
    ),
    (
        "Ok\n\n*On Tue, 5 May 2026 at 09:15, Ana Lima <ana@example.org> wrote:*\n\n> x",
        "Ok",
    ),
    (
        "Ok\n\n_On Tue, 5 May 2026 at 09:15, Ana Lima <ana@example.org> wrote:_\n\nx",
        "Ok",
    ),
    (
        "Ok\n\nOn Tue, 5 May 2026 at 09:15, Ana Lima &lt;ana@example.org&gt; wrote:\n\nx",
        "Ok",
    ),
    (
        'Ok\n\nOn Tue, 5 May 2026 at 09:15, "Lima, Ana (Sales)" <ana@example.org> wrote:\n\n> x',
        "Ok",
    ),
    (
        "Ok\n\nOn Tue, 5 May 2026 at 09:15, 'Ana Lima' via Sales <sales@example.org> wrote:\n\n> x",
        "Ok",
    ),
    (
        "Ok\n\nOn Tue, 5 May 2026 at 09:15, <ana@example.org> wrote:\n\n> x",
        "Ok",
    ),
    (
        "Ok\n\nOn Tue, 5 May 2026 at 09:15, ana@example.org wrote:\n\n> x",
        "Ok",
    ),
    (
        "Ok\n\nOn Tue, 5 May 2026 at 09:15, Ana Lima (JIRA) <jira@example.org> wrote:\n\n> x",
        "Ok",
    ),
    (
        "Ok\n\nOn Tue, 5 May 2026 at 09:15, Please Reply <ana@example.org> wrote:\n\n> x",
        "Ok",
    ),
    (
        "Ok\n\nOn Tue, 5 May 2026 at 09:15, We Sell Lamps Inc. <ana@example.org> wrote:\n\n> x",
        "Ok",
    ),
    (
        "Ok\n\n----- Weitergeleitete Nachricht -----\nVon: a <a@b.cc>\nBetreff: x\n\ntext",
        "Ok\n\n----- Weitergeleitete Nachricht -----\nVon: a <a@b.cc>\nBetreff: x\n\ntext",
    ),
    (
        'Ok\n\nOn 05/05/2026, 09:15, "Ana" <ana@example.org> wrote:\n\n    Please restart\n    it.',
        "Ok",
    ),
    (
        (
            "Ok\n"
            "\n"
            "[cid:image001.png@01D]\n"
            "\n"
            "From: Ana <ana@example.org>\n"
            "Sent: Tuesday, May 5, 2026 9:15 AM\n"
            "To: Eva\n"
            "Subject: x\n"
            "\n"
            "old"
        ),
        "Ok\n\n[cid:image001.png@01D]",
    ),
    (
        ("Ok\n\nTel: 123\nFrom: Ana <ana@example.org>\nSent: Tuesday, May 5, 2026 9:15 AM\nTo: Eva\nSubject: x\n\nold"),
        "Ok\n\nTel: 123",
    ),
    (
        "Ok\n\nAna Lima schrieb am 05.05.2026 um 09:15:\n\nalt",
        "Ok",
    ),
    (
        "Ok\n\nAna Lima hat am 05.05.2026 09:15 geschrieben:\n\n> alt",
        "Ok",
    ),
    (
        "Ok\n\nAna Lima wrote on 05/05/2026 09:15:\n> old",
        "Ok",
    ),
    (
        "Ok\n\nAna Lima wrote:\n> old",
        "Ok\n\nAna Lima wrote:\n> old",
    ),
    (
        "Ok\n\nSupport wrote (5 May 2026 09:15):\n> old",
        "Ok",
    ),
    (
        "好\n\n2026年5月5日(火) 9:15 Ana <ana@example.org>:\n\n> x",
        "好",
    ),
    (
        "はい\n\n2026年5月5日 9:15 Ana Lima <ana@example.org> のメール:\n\n> x",
        "はい",
    ),
    (
        "はい\n\nOn 2026/05/05 9:15, Ana Lima wrote:\n> x",
        "はい",
    ),
    (
        "はい\n\n(2026/05/05 9:15), Ana Lima wrote:\n> x",
        "はい",
    ),
    (
        "네\n\n2026년 5월 5일 (화) 오전 9:15, Ana Lima <ana@example.org>님이 작성:\n\n> x",
        "네",
    ),
]


def test_new_text_of_replies() -> None:
    assert [text for text, new in REPLY_CASES if split(text, is_reply=True)[0] != new] == []
