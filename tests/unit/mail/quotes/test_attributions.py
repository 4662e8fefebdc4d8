"""Attributions in the forms of many mail programs and languages."""

from __future__ import annotations

import pytest

from router.mail.quotes import split

MARKED = "> Please restart it.\n> Thanks"
UNMARKED = "Please restart it.\n\nThanks"

LINES = [
    "On Tue, 5 May 2026 at 09:15, Ana Lima <ana@example.org> wrote:",
    "On Tue, May 5, 2026 at 9:15 AM Ana Lima <ana@example.org> wrote:",
    "On May 5, 2026, at 09:15, Ana Lima <ana@example.org> wrote:",
    "On 5 May 2026, at 09:15, Ana Lima via Support <ana@example.org> wrote:",
    "On 05/05/2026 09:15, Ana Lima wrote:",
    "On 5/5/26 09:15, Ana Lima wrote:",
    "On Tue, 5 May 2026, Ana Lima wrote:",
    "On Tuesday, 5 May 2026 09:15:00 CEST Ana Lima wrote:",
    "On 2026-05-05 09:15, Ana Lima wrote:",
    "Ana Lima <ana@example.org> writes:",
    "Ana Lima <ana@example.org> wrote:",
    "* Ana Lima <ana@example.org> [2026-05-05 09:15]:",
    '>>>>> "Ana" == Ana Lima <ana@example.org> writes:',
    "Tuesday, May 5, 2026, 9:15:00 AM, you wrote:",
    "Quoting Ana Lima <ana@example.org>:",
    "Zitat von Ana Lima <ana@example.org>:",
    "Citando Ana Lima <ana@example.org>:",
    "Citando a Ana Lima <ana@example.org>:",
    "Ana Lima <ana@example.org> hat am 05.05.2026 09:15 geschrieben:",
    "Am 5. Mai 2026 um 09:15 schrieb Ana Lima <ana@example.org>:",
    "Am 05.05.2026 um 09:15 schrieb Ana Lima:",
    "Am Di., 5. Mai 2026 um 09:15 Uhr schrieb Ana Lima <ana@example.org>:",
    "Ana Lima <ana@example.org> schrieb am Di., 5. Mai 2026, 09:15:",
    "Am Dienstag, 5. Mai 2026 um 09:15:22 MESZ hat Ana Lima <ana@example.org> Folgendes geschrieben:",
    "Am Dienstag, 5. Mai 2026, 09:15:00 CEST schrieb Ana Lima:",
    "Ana Lima <ana@example.org> schrieb am 9:15 Dienstag, 5.Mai 2026:",
    '5. Mai 2026 09:15, "Ana Lima" <ana@example.org> schrieb:',
    'May 5, 2026 9:15 AM, "Ana Lima" <ana@example.org> wrote:',
    "On Tuesday, May 5th, 2026 at 9:15 AM, Ana Lima <ana@example.org> wrote:",
    "On May 5, 2026, Ana Lima <ana@example.org> wrote:",
    "On May 5, 2026, 9:15 AM GMT+2 ana@example.org wrote:",
    "On Tue, May 05, 2026 at 9:15 AM, Ana Lima < ana@example.org > wrote:",
    "5 May 2026, 09:15 by ana@example.org:",
    "5. Mai 2026, 09:15 von ana@example.org:",
    '05.05.2026, 09:15, "Ana Lima" <ana@example.org>:',
    "Вторник, 5 мая 2026, 9:15 +03:00 от Ana Lima <ana@example.org>:",
    "вт, 5 мая 2026 г. в 09:15, Ana Lima <ana@example.org>:",
    "5 мая 2026 г., в 09:15, Ana Lima <ana@example.org> написал(а):",
    "05.05.2026 9:15, Ana Lima пишет:",
    '5 травня 2026, 09:15:22, від "Ana Lima" <ana@example.org>:',
    "вт, 5 трав. 2026 р. о 09:15 Ana Lima <ana@example.org> пише:",
    "на 5.05.2026 г. 9:15, Ana Lima написа:",
    "На вт, 5.05.2026 г. в 9:15 Ana Lima <ana@example.org> написа:",
    "уто, 5. мај 2026. у 09:15 Ana Lima <ana@example.org> је написао/ла:",
    "uto, 5. svi 2026. u 09:15 Ana Lima <ana@example.org> napisao je:",
    "uto, 5. maj 2026. u 09:15 Ana Lima <ana@example.org> je napisao/la:",
    "V V tor., 5. maj 2026 ob 09:15 je oseba Ana Lima <ana@example.org> napisala:",
    "Le mar. 5 mai 2026 à 09:15, Ana Lima <ana@example.org> a écrit :",
    "Le 05/05/2026 à 09:15, Ana Lima a écrit :",
    "Le 5 mai 2026 à 09:15, Ana Lima <ana@example.org> a écrit :",
    "Le Mardi, Mai 05, 2026 09:15 CEST, Ana Lima <ana@example.org> a écrit:",
    "Le mardi 5 mai 2026 à 09:15:22 UTC+2, Ana Lima <ana@example.org> a écrit :",
    "El mar, 5 may 2026 a las 9:15, Ana Lima (<ana@example.org>) escribió:",
    "El 5 may 2026, a las 9:15, Ana Lima <ana@example.org> escribió:",
    "El 05/05/2026 a las 9:15, Ana Lima escribió:",
    "El martes, 5 de mayo de 2026, Ana Lima <ana@example.org> escribió:",
    "Em ter., 5 de mai. de 2026 às 09:15, Ana Lima <ana@example.org> escreveu:",
    "Em 05/05/2026 09:15, Ana Lima escreveu:",
    "Ana Lima <ana@example.org> escreveu (terça, 5/05/2026 à(s) 09:15):",
    "No dia 05/05/2026, às 09:15, Ana Lima <ana@example.org> escreveu:",
    "Il giorno mar 5 mag 2026 alle ore 09:15 Ana Lima <ana@example.org> ha scritto:",
    "Il 05/05/2026 09:15, Ana Lima ha scritto:",
    "Il 5 maggio 2026 alle 09.15 Ana Lima <ana@example.org> ha scritto:",
    "In data martedì 5 maggio 2026 09:15:22 CEST, Ana Lima ha scritto:",
    "Op di 5 mei 2026 om 09:15 schreef Ana Lima <ana@example.org>:",
    "Op 5 mei 2026 om 09:15 heeft Ana Lima <ana@example.org> het volgende geschreven:",
    "Op 05-05-2026 om 09:15 schreef Ana Lima:",
    "Den tis 5 maj 2026 kl 09:15 skrev Ana Lima <ana@example.org>:",
    "5 maj 2026 kl. 09:15 skrev Ana Lima <ana@example.org>:",
    "Den tirs. 5. maj 2026 kl. 09.15 skrev Ana Lima <ana@example.org>:",
    "Den 05.05.2026 kl. 09.15 skrev Ana Lima:",
    "tir. 5. mai 2026 kl. 09:15 skrev Ana Lima <ana@example.org>:",
    "On þri., 5. maí 2026 at 09:15 Ana Lima <ana@example.org> skrifaði:",
    "ti 5. toukok. 2026 klo 9.15 Ana Lima (ana@example.org) kirjoitti:",
    "Ana Lima kirjoitti 5.5.2026 klo 9.15:",
    "Kontakt Ana Lima (<ana@example.org>) kirjutas kuupäeval T, 5. mai 2026 kell 09:15:",
    "Lietotājs Ana Lima (<ana@example.org>) rakstīja (otrd., 2026. g. 5. maijs, plkst. 09:15):",
    "2026-05-05, an, 09:15 Ana Lima <ana@example.org> rašė:",
    "wt., 5 maj 2026 o 09:15 Ana Lima <ana@example.org> napisał(a):",
    "W dniu 5.05.2026 o 09:15, Ana Lima pisze:",
    "W dniu 2026-05-05 09:15:22 użytkownik Ana Lima <ana@example.org> napisał:",
    "Dnia 5 maja 2026 09:15 Ana Lima <ana@example.org> napisał(a):",
    "Wiadomość napisana przez Ana Lima <ana@example.org> w dniu 05.05.2026, o godz. 09:15:",
    "út 5. 5. 2026 v 9:15 odesílatel Ana Lima <ana@example.org> napsal:",
    "Dne 05. 05. 26 v 9:15 Ana Lima napsal(a):",
    "5. 5. 2026 v 9:15, Ana Lima <ana@example.org>:",
    "ut 5. 5. 2026 o 9:15 Ana Lima <ana@example.org> napísal(a):",
    "Dňa 5. 5. 2026 o 9:15 Ana Lima napísal(a):",
    "Ana Lima <ana@example.org> ezt írta (időpont: 2026. máj. 5., K, 9:15):",
    "2026. 05. 05. 9:15 keltezéssel, Ana Lima írta:",
    "2026. máj. 5. dátummal, 9:15 időpontban Ana Lima <ana@example.org> írta:",
    "mar., 5 mai 2026, 09:15 Ana Lima <ana@example.org> a scris:",
    "În mar., 5 mai 2026 la 09:15, Ana Lima <ana@example.org> a scris:",
    "Pe 05.05.2026 09:15, Ana Lima a scris:",
    "Ana Lima <ana@example.org>, 5 May 2026 Sal, 09:15 tarihinde şunu yazdı:",
    "5.05.2026 09:15 tarihinde Ana Lima yazdı:",
    "Στις Τρί 5 Μαΐ 2026 στις 9:15 π.μ., ο/η Ana Lima <ana@example.org> έγραψε:",
    "Στις 5/5/26 09:15, ο/η Ana Lima έγραψε:",
    "\u202bבתאריך יום ג׳, 5 במאי 2026 ב-9:15 מאת \u202aAna Lima\u202c\u200f <\u202aana@example.org\u202c\u200f>:\u202c",
    "ב-5 במאי 2026, בשעה 09:15, Ana Lima <ana@example.org> כתב/ה:",
    "في الثلاثاء، ٥ مايو ٢٠٢٦ في ٩:١٥ ص تمت كتابة ما يلي بواسطة Ana Lima <ana@example.org>:",
    "في ٠٥\u200f/٠٥\u200f/٢٠٢٦، الساعة ٩:١٥ ص، كتب Ana Lima <ana@example.org>:",
    "در تاریخ سه\u200cشنبه ۵ مهٔ ۲۰۲۶،\u200f ۹:۱۵ Ana Lima <ana@example.org> نوشت:",
    "मंगल, 5 मई 2026 को 9:15 पूर्वाह्न को Ana Lima <ana@example.org> ने लिखा:",
    "মঙ্গল, ৫ মে, ২০২৬ তারিখে ৯:১৫ AM টায় Ana Lima <ana@example.org> লিখেছেন:",
    "ในวันที่ อ. 5 พ.ค. 2026 เวลา 09:15 Ana Lima <ana@example.org> เขียนว่า:",
    "Vào Th 3, 5 thg 5, 2026 vào lúc 09:15 Ana Lima <ana@example.org> đã viết:",
    "Pada tanggal Sel, 5 Mei 2026 pukul 09.15 Ana Lima <ana@example.org> menulis:",
    "Pada Sel, 5 Mei 2026, 09:15 Ana Lima <ana@example.org> menulis:",
    "Noong Mar, Mayo 5, 2026 nang 9:15 AM, sinulat ni Ana Lima <ana@example.org> na:",
    "2026年5月5日(火) 9:15 Ana Lima <ana@example.org>:",
    "2026/05/05 9:15、Ana Lima <ana@example.org>のメール:",
    "2026年5月5日 9:15、Ana Lima <ana@example.org>のメール：",
    "Ana Lima <ana@example.org> 于2026年5月5日周二 09:15写道：",
    "在 2026年5月5日，09:15，Ana Lima <ana@example.org> 写道：",
    '在 2026-05-05 09:15:22，"Ana Lima" <ana@example.org> 写道：',
    'At 2026-05-05 09:15:22, "Ana Lima" <ana@example.org> wrote:',
    "Ana Lima <ana@example.org> 於 2026年5月5日 週二 上午9:15寫道：",
    "2026년 5월 5일 (화) 오전 9:15, Ana Lima <ana@example.org>님이 작성:",
    "2026. 5. 5. 오전 9:15, Ana Lima <ana@example.org> 작성:",
    "El dt., 5 de maig 2026, 9:15, Ana Lima <ana@example.org> va escriure:",
    "Missatge de Ana Lima <ana@example.org> del dia dt., 5 de maig 2026 a les 9:15:",
    "O mar, 5 maio 2026 ás 9:15, Ana Lima (<ana@example.org>) escribiu:",
    "A l'atenció, El 5/5/26 a les 9:15, Ana Lima ha escrit:",
    "On Tue, 5 May 2026 at 09:15 Ana Lima <ana@example.org> skryf:",
    "Ana Lima <ana@example.org> igorleak hau idatzi zuen (2026 mai. 5(a), ar. (09:15)):",
    "---- On Tue, 05 May 2026 09:15:22 +0200 Ana Lima <ana@example.org> wrote ----",
    "---- Ana Lima wrote ----",
    "---- Am Di, 05 Mai 2026 09:15:22 +0200 Ana Lima <ana@example.org> schrieb ----",
    "---- Le mar., 05 mai 2026 09:15:22 +0200 Ana Lima <ana@example.org> a écrit ----",
    "2026-05-05 9:15 GMT+02:00 Ana Lima <ana@example.org>:",
    "2026/5/5 Ana Lima <ana@example.org>",
]
# Wrapped attributions.
FOLDED = [
    "On Tue, May 5, 2026 at 9:15 AM Ana Lima from the Department of Lamps <\nana@example.org> wrote:",
    "On Tue, May 5, 2026 at 9:15 AM Ana Lima from the Department of Lamps\n<ana@example.org> wrote:",
    "On Tue, May 5, 2026 at 9:15 AM Ana Lima <ana@example.org>\nwrote:",
    "On Tue, 5 May 2026 09:15:22 +0200\nAna Lima <ana@example.org> wrote:",
    "On May 5, 2026, at 9:15 AM, Ana Lima from Lamps\nvia Support <\nana@example.org>\nwrote:",
    "On Tue, May 5, 2026 at\n9:15 AM Ana Lima <ana@example.org> wrote:",
    "Am Di., 5. Mai 2026 um 09:15 Uhr schrieb Ana Lima aus dem Haus der Lampen <\nana@example.org>:",
    "Am 05.05.2026 um 09:15 schrieb Ana Lima aus dem Haus der\nLampen und Leuchten:",
    "Ana Lima <ana@example.org> schrieb am Di., 5. Mai 2026\num 09:15 Uhr:",
    "Le mar. 5 mai 2026 à 09:15, Ana Lima <ana@example.org> a\nécrit :",
    "Le mar. 5 mai 2026 à 09:15, Ana Lima du service des lampes\n<ana@example.org> a écrit :",
    "El mar, 5 may 2026 a las 9:15, Ana Lima de la tienda (<ana@example.org>)\nescribió:",
    "Op di 5 mei 2026 om 09:15 schreef Ana Lima <ana@example.org\n>:",
    "Op 5 mei 2026 om 09:15 heeft Ana Lima <ana@example.org> het\nvolgende geschreven:",
    "вт, 5 мая 2026 г. в 09:15, Ana Lima из отдела ламп <\nana@example.org>:",
    "Στις Τρί 5 Μαΐ 2026 στις 9:15 π.μ., ο/η Ana Lima <ana@example.org>\nέγραψε:",
    "Pada tanggal Sel, 5 Mei 2026 pukul 09.15 Ana Lima <\nana@example.org> menulis:",
    "Kontakt Ana Lima (<ana@example.org>) kirjutas kuupäeval T, 5. mai 2026\nkell 09:15:",
    "Lietotājs Ana Lima (<ana@example.org>) rakstīja (otrd., 2026. g. 5. maijs,\nplkst. 09:15):",
    "Ana Lima <ana@example.org>, 5 May 2026 Sal, 09:15 tarihinde şunu\nyazdı:",
    "On Tue, May 5, 2026 at 9:15 AM Ana Lima\n\n<\nmailto:Ana Lima <ana@example.org>\n> wrote:",
    "Wiadomość napisana przez Ana Lima <ana@example.org> w dniu\n05.05.2026, o godz. 09:15:",
]
# Most attributions with these prefixes are recognised only above lines with quote marks.
NEED_MARKS = ("*", ">>>", "Quoting", "Zitat", "Citando", "Ana Lima <ana@example.org> wr")


def is_history(history: str, own: str = "New words.\n\n") -> bool:
    return split(own + history, is_reply=True) == (own.rstrip(), history)


def test_attribution_above_quoted_lines_is_history() -> None:
    histories = [f"{line}{between}{MARKED}" for line in (*LINES, *FOLDED) for between in ("\n", "\n\n")]
    assert [each for each in histories if not is_history(each)] == []


def test_attribution_above_unmarked_lines_is_history() -> None:
    lines = [
        *(line for line in LINES if "@" in line and line[-1] != ">" and not line.startswith(NEED_MARKS)),
        *FOLDED,
        *("On 05/05/2026 09:15, Ana Lima wrote:", "Den 5. maj 2026 kl. 09.15 skrev Ana Lima:"),
        *(
            "Wednesday, 17 June 2026, 9:15 AM +0300 from Ana <ana@example.org>:",
            "5.5.2026, 9.15, Ana <ana@example.org>:",
            "Ana Lima <ana@example.org> wrote on 05.05.2026:",
            "On Tue, May 5, 2026 at 09:15:22AM +0200, Ana Lima wrote:",
            "Am Dienstag, dem 05.05.2026 um 09:15 +0200 schrieb Ana Lima:",
        ),
    ]
    assert [line for line in lines if not is_history(f"{line}\n\n{UNMARKED}")] == []


def test_new_line_above_an_attribution_is_kept() -> None:
    own = "It is lamp 4711, from 2026"
    assert [line for line in LINES if not is_history(f"{line}\n{MARKED}", f"{own}\n")] == []


@pytest.mark.parametrize(
    ("own", "line"),
    [
        ("It works -", "On Tue, 5 May 2026 at 09:15, Ana Lima <ana@example.org> wrote:"),
        ("Thank you very much.", "Am 05.05.2026 um 09:15 schrieb Ana Lima <ana@example.org>:"),
        ("Merci !", "Le 05/05/2026 à 09:15, Ana Lima a écrit :"),
    ],
)
def test_new_text_on_an_attribution_line_is_kept(own: str, line: str) -> None:
    new, quoted = split(f"Hello.\n{own} {line}\n{MARKED}", is_reply=True)
    assert new == f"Hello.\n{own}"
    assert quoted == f"{line}\n{MARKED}"


@pytest.mark.parametrize(
    "line",
    [
        "Support wrote:",
        "The program wrote:",
        "At 10:02 the program wrote:",
        "The log says:",
        "Please forward this to Karl <karl@example.org>:",
        "Karl (karl@example.org):",
        "Please send Karl <karl@example.org> this of 5 May 2026:",
        "We got on 5 May 2026 at 10:15 from Karl <karl@example.org>:",
        "Here is the list of 5 May 2026:",
        "2026-05-05 09:15:22 ana@example.org: login failed:",
        "What I found at 09:15:",
    ],
)
def test_introduction_of_own_quote_is_not_an_attribution(line: str) -> None:
    text = f"New words.\n\n{line}\n> Error 500\n> at line 7"
    assert split(text, is_reply=True) == (text, "")


@pytest.mark.parametrize(
    "line",
    [
        "On 3 May 2026 your colleague wrote:",
        "On 3 May at 10:02 your colleague wrote:",
        "On 3 May 2026 at 10:02 your colleague wrote:",
        "Am 3. Mai 2026 um 10:02 schrieb mir Karl:",
        "The manager wrote:",
        "Karl <karl@example.org> wrote:",
        "I wrote to Karl <karl@example.org> on 5 May 2026 at 09:15:",
        "Meeting on 12.03.2026 10:02 with karl@example.org:",
        "Please answer Karl <karl@example.org>:",
        "Votre conseiller Karl <karl@example.org> a écrit le 05/05/2026 :",
        "A vossa colega Ana <ana@example.org> escreveu em 05/05/2026:",
        "Váš kolega Karl <karl@example.org> napsal 5. 5. 2026 v 09:15:",
        "Ваш сотрудник Карл <karl@example.org> написал 05.05.2026 09:15:",
        "Ο συνάδελφός σας Karl <karl@example.org> έγραψε στις 05/05/2026 09:15:",
        "御社の田中様 <tanaka@example.org> から2026年5月5日 9:15に来信:",
        "귀사의 김 <kim@example.org> 님이 2026년 5월 5일 9:15에 저에게 작성:",
        "This is what Dr. Frei <frei@example.org> wrote on 5 May 2026:",
        "Termin am 5.5.2026 um 09:15 mit Karl <karl@example.org>:",
        "New message of 5 May 2026 09:15 from Karl (karl@example.org):",
        "As Karl <karl@example.org> wrote on 5 May 2026:",
        "Hello all\nAs Karl <karl@example.org> wrote on 5 May 2026:",
        "Wie Karl <karl@example.org> schon am 05.05.2026 schrieb:",
        "Comme Karl <karl@example.org> l'a écrit le 05/05/2026 :",
        "Como escribió Karl <karl@example.org> el 05/05/2026:",
        "Jak napisał Karl <karl@example.org> dnia 05.05.2026:",
        "Как написал Карл <karl@example.org> 05.05.2026:",
        "The mail that Karl <karl@example.org> wrote on 5 May 2026:",
        "Den 5 maj 2026 kl 09:15 skrev Karl <karl@example.org> till mig:",
        "Dnia 5 maja 2026 o 09:15 napisała do mnie Karla <karla@example.org>:",
        "Am 05.05.2026 um 09:15 hat Karl (karl@example.org) geschrieben,\ndass es geht.",
        "Auf der Seite stand am 05.05.2026 um 09:15 geschrieben:",
        "Na webu bylo 5. 5. 2026 v 09:15 napsáno a Karl píše:",
        "Der Fahrer schrieb am 05.05.2026 um 09:15:",
        "On 5 May 2026 at 09:15 your system sent:",
    ],
)
def test_sentence_above_unmarked_lines_is_not_an_attribution(line: str) -> None:
    text = f"New words.\n\n{line}\n\nWe will pay.\n\nThis has not happened."
    assert split(text, is_reply=True) == (text, "")


@pytest.mark.parametrize(
    "line",
    [
        "pon., 24 sie 2026 o 09:15 Ana Lima <ana@example.org> napisał(a):",
        "su 24. elok. 2026 klo 9.15 Ana Lima (ana@example.org) kirjoitti:",
        "Den ons 5 maj 2026 kl 09:15 skrev Ana Lima <ana@example.org>:",
        "ons. 5. mai 2026 kl. 09:15 skrev Ana Lima <ana@example.org>:",
        "Em qui., 5 de mai. de 2026 às 09:15, Ana Lima <ana@example.org> escreveu:",
    ],
)
def test_day_or_month_that_is_a_pronoun_in_another_language(line: str) -> None:
    assert is_history(f"{line}\n\n{UNMARKED}")
