"""Header blocks above a quoted message, and the headings above the blocks."""

from __future__ import annotations

import pytest

from router.mail.quotes import split

BLOCKS = [
    (
        "From: Ana Lima <ana@example.org>\n"
        "Sent: Tuesday, May 5, 2026 9:15 AM\n"
        "To: Eva Muster <eva@example.net>\n"
        "Subject: The lamp"
    ),
    "From: Ana Lima\nSent: Tuesday, May 5, 2026 9:15 AM\nTo: Eva Muster\nCc: Karl\nSubject: The lamp",
    (
        "From: Ana Lima <ana@example.org>\n"
        "Date: Tuesday, 5 May 2026 at 09:15\n"
        "To: Eva Muster <eva@example.net>\n"
        "Subject: The lamp"
    ),
    "From: Ana\nDate: 2026-05-05 09:15\nTo: eva\nSubject: The lamp",
    "To: Eva Muster <eva@example.net>\nFrom: Ana Lima <ana@example.org>\nSubject: The lamp",
    (
        "Von: Ana Lima [mailto:ana@example.org]\n"
        "Gesendet: Dienstag, 5. Mai 2026 09:15\n"
        "An: Eva Muster\n"
        "Betreff: Die Lampe"
    ),
    (
        "Gesendet: Dienstag, 5. Mai 2026 um 09:15 Uhr\n"
        'Von: "Ana Lima" <ana@example.org>\n'
        'An: "Eva Muster" <eva@example.net>\n'
        "Betreff: Die Lampe"
    ),
    (
        "Betreff: Die Lampe\n"
        "Datum: 2026-05-05T09:15:22+0200\n"
        'Von: "Ana Lima" <ana@example.org>\n'
        'An: "Eva Muster" <eva@example.net>'
    ),
    (
        "De : Ana Lima <ana@example.org>\n"
        "Envoyé : mardi 5 mai 2026 09:15\n"
        "À : Eva Muster <eva@example.net>\n"
        "Objet : La lampe"
    ),
    (
        "De: Ana Lima <ana@example.org>\n"
        "Enviado el: martes, 5 de mayo de 2026 9:15\n"
        "Para: Eva Muster\n"
        "Asunto: La lámpara"
    ),
    ('De: "Ana Lima" <ana@example.org>\nEnviada: 2026/05/05 09:15:22\nPara: eva@example.net\nAssunto: A lâmpada'),
    ("Da: Ana Lima <ana@example.org>\nInviato: martedì 5 maggio 2026 09:15\nA: Eva Muster\nOggetto: La lampada"),
    ("Van: Ana Lima <ana@example.org>\nVerzonden: dinsdag 5 mei 2026 09:15\nAan: Eva Muster\nOnderwerp: De lamp"),
    "Fra: Ana Lima <ana@example.org>\nSendt: tirsdag den 5. maj 2026 09:15\nTil: Eva Muster\nEmne: Lampen",
    "Från: Ana Lima <ana@example.org>\nSkickat: den 5 maj 2026 09:15\nTill: Eva Muster\nÄmne: Lampan",
    (
        "Lähettäjä: Ana Lima <ana@example.org>\n"
        "Lähetetty: tiistai 5. toukokuuta 2026 9.15\n"
        "Vastaanottaja: Eva Muster\n"
        "Aihe: Lamppu"
    ),
    "Frá: Ana Lima <ana@example.org>\nSent: þriðjudagur, 5. maí 2026 09:15\nTil: Eva\nEfni: Lampinn",
    ("Saatja: Ana Lima <ana@example.org>\nSaadetud: teisipäev, 5. mai 2026 09:15\nAdressaat: Eva\nTeema: Lamp"),
    "No: Ana Lima <ana@example.org>\nNosūtīts: otrdiena, 2026. gada 5. maijs 09:15\nKam: Eva\nTemats: Lampa",
    "Nuo: Ana Lima <ana@example.org>\nIšsiųsta: 2026 m. gegužės 5 d. 09:15\nKam: Eva\nTema: Lempa",
    "Od: Ana Lima <ana@example.org>\nWysłano: wtorek, 5 maja 2026 09:15\nDo: Eva\nTemat: Lampa",
    ('Od: "Ana Lima" <ana@example.org>\nDo: eva@example.net;\nWysłane: 9:15 Wtorek 2026-05-05\nTemat: Lampa'),
    "Od: Ana Lima <ana@example.org>\nOdesláno: úterý 5. května 2026 9:15\nKomu: Eva\nPředmět: Lampa",
    "Od: Ana Lima <ana@example.org>\nOdoslané: utorok 5. mája 2026 9:15\nKomu: Eva\nPredmet: Lampa",
    "Od: Ana Lima <ana@example.org>\nPoslano: torek, 05. maj 2026 09:15\nZa: Eva\nZadeva: Svetilka",
    ("Šalje: Ana Lima <ana@example.org>\nPoslano: utorak, 5. svibnja 2026. 09:15\nPrima: Eva\nPredmet: Svjetiljka"),
    "Od: Ana Lima <ana@example.org>\nPoslato: utorak, 5. maj 2026. 09:15\nZa: Eva\nTema: Lampa",
    "Feladó: Ana Lima <ana@example.org>\nElküldve: 2026. május 5., kedd 9:15\nCímzett: Eva\nTárgy: A lámpa",
    "De la: Ana Lima <ana@example.org>\nTrimis: marți, 5 mai 2026 09:15\nCătre: Eva\nSubiect: Lampa",
    "Kimden: Ana Lima <ana@example.org>\nGönderildi: 5 Mayıs 2026 Salı 09:15\nKime: Eva\nKonu: Lamba",
    "Από: Ana Lima <ana@example.org>\nΣτάλθηκε: Τρίτη, 5 Μαΐου 2026 9:15 πμ\nΠρος: Eva\nΘέμα: Η λάμπα",
    "От: Ana Lima <ana@example.org>\nОтправлено: 5 мая 2026 г. 9:15\nКому: Eva\nТема: Лампа",
    "Від: Ana Lima <ana@example.org>\nНадіслано: 5 травня 2026 р. 9:15\nКому: Eva\nТема: Лампа",
    "От: Ana Lima <ana@example.org>\nИзпратено: вторник, 5 май 2026 г. 9:15\nДо: Eva\nОтносно: Лампата",
    "מאת: Ana Lima <ana@example.org>\nנשלח: יום שלישי 05 מאי 2026 09:15\nאל: Eva\nנושא: המנורה",
    "من: Ana Lima <ana@example.org>\nتم الإرسال: الثلاثاء، ٥ مايو ٢٠٢٦ ٠٩:١٥ ص\nإلى: Eva\nالموضوع: المصباح",
    "از: Ana Lima <ana@example.org>\nارسال شده: ۵ مه ۲۰۲۶ ۰۹:۱۵\nبه: Eva\nموضوع: چراغ",
    "จาก: Ana Lima <ana@example.org>\nส่ง: 5 พฤษภาคม 2569 9:15\nถึง: Eva\nเรื่อง: โคมไฟ",
    "Từ: Ana Lima <ana@example.org>\nĐã gửi: 5 Tháng Năm 2026 9:15 SA\nĐến: Eva\nChủ đề: Đèn",
    "Dari: Ana Lima <ana@example.org>\nDikirim: 05 Mei 2026 9:15\nKepada: Eva\nPerihal: Lampu",
    "差出人: Ana Lima <ana@example.org>\n送信日時: 2026年5月5日 9:15\n宛先: Eva\n件名: ランプ",
    "发件人： Ana Lima\n发送时间： 2026-05-05 09:15\n收件人： eva\n主题： 灯",
    "发件人：Ana Lima <ana@example.org>\n收件人：eva@example.net\n主题：灯\n日期：2026年05月05日 09点15分",
    "寄件者: Ana Lima <ana@example.org>\n寄件日期: 2026年5月5日 上午 09:15\n收件者: Eva\n主旨: 燈",
    "보낸 사람: Ana Lima <ana@example.org>\n보낸 날짜: 2026년 5월 5일 화요일 오전 9:15\n받는 사람: Eva\n제목: 램프",
    (
        "--------- 원본 메일 ---------\n"
        "보낸사람 : Ana Lima <ana@example.org>\n"
        "받는사람 : eva@example.net\n"
        "날짜 : 2026년 5월 05일 화요일, 09시 15분 22초 +0900\n"
        "제목 : 램프"
    ),
    (
        "-----Original Message-----\n"
        'From: "Ana Lima" <ana@example.org>\n'
        'To: "Eva" <eva@example.net>;\n'
        "Cc:\n"
        "Sent: 2026-05-05 (화) 09:15:22 (GMT+09:00)\n"
        "Subject: lamp"
    ),
    (
        "------------------ Original ------------------\n"
        'From: "Ana Lima" <ana@example.org>;\n'
        "Date: Tue, May 5, 2026 09:15 AM\n"
        'To: "Eva"<eva@example.net>;\n'
        "Subject: Re: lamp"
    ),
    (
        "---- 回复的原邮件 ----\n"
        "| 发件人 | Ana Lima<ana@example.org> |\n"
        "| 日期 | 2026年05月05日 09:15 |\n"
        "| 收件人 | <eva@example.net> |\n"
        "| 主题 | 灯 |"
    ),
    (
        "------ Original Message ------\n"
        'From "Ana Lima" <ana@example.org>\n'
        'To "Eva" <eva@example.net>\n'
        "Date 05.05.2026 09:15:22\n"
        "Subject The lamp"
    ),
    (
        "---------- Původní e-mail ----------\n"
        "Od: Ana Lima <ana@example.org>\n"
        "Komu: eva@example.net\n"
        "Datum: 5. 5. 2026 9:15:22\n"
        "Předmět: Lampa"
    ),
    (
        "--- Ursprüngliche Nachricht ---\n"
        "Von: Ana Lima <ana@example.org>\n"
        "Datum: 05.05.2026 09:15:22\n"
        "An: eva@example.net\n"
        "Betreff: Lampe"
    ),
    (
        "----- Mail original -----\n"
        'De: "Ana Lima" <ana@example.org>\n'
        'À: "Eva" <eva@example.net>\n'
        "Envoyé: Mardi 5 Mai 2026 09:15:22\n"
        "Objet: Lampe"
    ),
    "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐\nOn Tuesday, May 5, 2026 9:15 AM, Ana Lima <ana@example.org> wrote:",
    (
        "-----Ana Lima <ana@example.org> schrieb: -----\n"
        "An: eva@example.net\n"
        "Von: Ana Lima <ana@example.org>\n"
        "Datum: 05.05.2026 09:15\n"
        "Betreff: Lampe"
    ),
    (
        "________________________________\n"
        "From: Ana Lima <ana@example.org>\n"
        "Sent: Tuesday, May 5, 2026 9:15 AM\n"
        "To: Eva\n"
        "Subject: The lamp"
    ),
    (
        "--------------------\n"
        "\n"
        "*From:* Ana Lima <ana@example.org>\n"
        "*Sent:* Tuesday, May 5, 2026 9:15 AM\n"
        "*To:* Eva\n"
        "*Subject:* The lamp"
    ),
    ("**Von:** Ana Lima <ana@example.org>\n**Gesendet:** Dienstag, 5. Mai 2026 09:15\n**An:** Eva\n**Betreff:** Lampe"),
    "From: Ana Lima <ana@example.org>\n\nSent: Tuesday, May 5, 2026 9:15 AM\n\nTo: Eva\n\nSubject: The lamp",
    "From:\tAna Lima/Acme <ana@example.org>\nTo:\tEva/Muster\nDate:\t05.05.2026 09:15\nSubject:\tThe lamp",
    (
        "________________________________\n"
        "Mwandishi: Ana Lima <ana@example.org>\n"
        "Imetumwa: Jumanne, 5 Mei 2026 09:15\n"
        "Kwa: Eva\n"
        "Mada: Taa"
    ),
    "From: Ana <ana@example.org> To: Eva <eva@example.net> Sent: Tuesday, May 5, 2026 9:15 AM Subject: Lamp",
    ("Ana Lima <ana@example.org>\n05.05.2026 09:15\n\nAn\nEva Muster <eva@example.net>\nKopie\n\nThema\nDie Lampe"),
    (
        "-----Ujumbe wa Awali-----\n"
        "From: Ana Lima <ana@example.org>\n"
        "Sent: Tuesday, May 5, 2026 9:15 AM\n"
        "To: Eva\n"
        "Subject: The lamp"
    ),
    ">>> Ana Lima <ana@example.org> 05.05.2026 09:15 >>>",
    "##- Please type your reply above this line -##",
    "----- Original Message -----",
    "-----Orijinal Mesaj-----",
    "-----Oorspronkelijk bericht-----",
    "Am Dienstag, 5. Mai 2026 um 09:15:22 MESZ hat Ana Lima <ana@example.org> Folgendes geschrieben:",
    "11:15 AM, May 5, 2026, Ana Lima <ana@example.org>:",
    "Tuesday, 5 May 2026, 9:15 AM +0200 from Ana Lima <ana@example.org>:",
]


def test_header_block_and_text_below_are_history() -> None:
    ends = ("\nPlease restart it.\n\nThanks", "\n\nPlease restart it.\n\nThanks")
    histories = [block + end for block in BLOCKS for end in ends]
    wrong = [each for each in histories if split(f"New words.\n\n{each}", is_reply=True) != ("New words.", each)]
    assert wrong == []


def test_quoted_header_block_is_history() -> None:
    for first in ("Message du 05/05/26 09:15\n> De : Ana", "Message du : 05/05/26 09:15\n> De : Ana", "De : Ana"):
        history = f"> {first} <ana@example.org>\n> A : eva@example.net\n> Copie à :\n> Objet : La lampe\n>\n> Texte."
        assert split(f"Merci.\n{history}", is_reply=True) == ("Merci.", history)


def test_rule_above_the_history_belongs_to_it() -> None:
    for rule in ("-" * 20, "_" * 32, "====", "\u2014" * 3, "* * *", "------------------------------\n\n"):
        history = f"{rule}\nFrom: Ana <ana@example.org>\nSent: Tuesday, May 5, 2026 9:15 AM\n\nold"
        assert split(f"New words.\n\n{history}", is_reply=True) == ("New words.", history)


@pytest.mark.parametrize(
    "text",
    [
        "Change it.\n\nFrom: Hamburg\nTo: Berlin\nDate: 3 June 2026\nSubject: Booking 4711\n\nA window seat, please.",
        "Book it.\n\nFrom: 09:00\nTo: 17:00\nDate: 3 June 2026\nSubject: Meeting\n\nCoffee for 12.",
        "Danke.\n\nVon: Hamburg\nNach: Berlin\nAn: 5.5.2026\nDatum: 5.5.2026\n\nBitte am Fenster.",
        "Da: Roma\nA: Milano\nData: 3 giugno 2026\n\nVicino al finestrino.",
        "Book.\n\nFrom: Rome\nTo: Bern\nDate: 5 May 2026, 10:15\nSubject: Trip\n\nA window seat, please.",
        "Room.\n\nWho: ana@example.org\nWhen: 5 May 2026 10:15\nRoom: 4\nTopic: lamps\n\nPlease book it.",
        "Hi.\n\nDate: 5 May 2026 10:00\nSubject: door\n\nIt is open.",
        "Hi.\n\nFrom: Rome\nDate: 5 May 2026 10:15\nTo: Bern\n\nA window seat, please.",
        "Hi.\n\nNo: 4711\nDate: 5 May 2026 10:15\nSubject: lamp\n\nIt is dark.",
        "Name: Eva\nFrom: 1 June 2026\nTo: open\nStreet: x\n\nThanks",
        "From: my point of view it is wrong.\n\nReally.",
        "From: Depot, depot@example.net\nTo: Shop, shop@example.net\nDate: 05.05.2026\nParcel: 12\n\nIt has not come.",
        "----------\nFrom: Eva (eva@example.net)\nDate: 05.05.2026\n\nIs that free?",
        "----------\nMail: eva@example.net\nTermin: 05.05.2026 10:15\nOrt: Bern\nKunde: 12\n\nIst das frei?",
        "Van: Eva, eva@example.net\nKlantnummer: 12\nOnderwerp: lamp\nDatum: 05.05.2026\n\nDe lamp is kapot.",
        "Kündigung\n\nVon: Eva, eva@example.net\nAn: Support\nDatum: 05.05.2026\nBetreff: Vertrag 12\n\nIch kündige.",
        "Oi.\n\nDe: Eva, eva@example.net\nPara: Support\nAssunto: Contrato 12\n\nCancelem.",
        "DATA\nFrom: eva@example.net\nTo: ana@example.org\nSubject: test\n\ntest\n.\n\nWhy 550?",
        "----------\nDate: 05.05.2026 10:15\nFrom: Eva (eva@example.net)\nTopics: lamps\n\n1. All is fine.",
        "From: eva@example.net\nSubject: Lamp\nDate: 05.05.2026 10:15\nMessage: it is broken",
        "a table\n\n| From | To | Date |\n| Rome | Bern | 5 May |\n\nPlease check.",
    ],
)
def test_labels_without_address_and_time_are_not_a_header_block(text: str) -> None:
    assert split(text, is_reply=True) == (text, "")


@pytest.mark.parametrize("own", ["Q: is it on?\nA: yes", "Date: it suits me on Monday"])
def test_new_line_with_a_label_above_a_header_block_is_kept(own: str) -> None:
    block = "From: Ana <ana@example.org>\nSent: Tuesday, May 5, 2026 9:15 AM\nTo: Eva\nSubject: x\n\nold"
    assert split(f"{own}\n\n{block}", is_reply=True) == (own, block)
