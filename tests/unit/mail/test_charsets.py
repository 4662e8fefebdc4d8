"""Charsets of bodies and headers: labels that are right, wrong or missing, and bytes that are damaged."""

from __future__ import annotations

import base64
import quopri
import unicodedata
from email.header import Header

import pytest

from router.mail.charset_detection import MAX_DETECTIONS, CharsetReader, declared_charset, detect_charset
from router.mail.charset_labels import codec
from router.mail.charsets import decode_charset
from router.mail.headers import read_headers
from router.mail.parse import parse

# What a customer writes, in the charsets of mail programs of that language.
LANGUAGES = {
    "ru koi8-r": "Добрый день! Я заказал у вас лампу, но она пришла разбитой. Пожалуйста, вышлите новую.",
    "ru cp1251": "Где мой заказ? Обещали доставить в среду.",
    "uk koi8-u": "Підкажіть, будь ласка, коли приїде моє замовлення та чи є знижка?",
    "uk cp1251": "Доброго дня! Дякую, ваш ліхтар уже працює.",
    "bg cp1251": "Здравейте, поръчах лампа преди две седмици, но още не е пристигнала.",
    "el iso8859_7": "Καλημέρα σας, η παραγγελία μου δεν έχει φτάσει ακόμα.",
    "he cp1255": "שלום, הזמנתי מכם מנורה לפני שבועיים והיא עדיין לא הגיעה.",
    "ar cp1256": "مرحبا، طلبت منكم مصباحا قبل أسبوعين ولم يصل حتى الآن.",
    "tr iso8859_9": "Merhaba, geçen hafta sipariş ettiğim lamba kırık geldi. Lütfen yenisini gönderir misiniz?",
    "cs cp1250": "Dobrý den, objednal jsem si u vás lampu a přišla rozbitá. Můžete mi poslat novou?",
    "cs iso8859_2": "Žádám o vrácení peněz, zboží přišlo rozbité.",
    "pl iso8859_2": "Dzień dobry, zamówiłem lampę, ale przyszła uszkodzona. Proszę o przesłanie nowej.",
    "hu cp1250": "Jó napot kívánok, a megrendelt lámpa törötten érkezett. Kérem, küldjenek egy újat, őszintén.",
    "lt cp1257": "Laba diena, užsisakiau lempą, bet ji atkeliavo sudužusi. Prašau atsiųsti naują.",
    "ja shift_jis": "お世話になっております。先週注文したランプが壊れて届きました。",
    "ja euc_jp": "新しいものを送っていただけますか。よろしくお願いします。",
    "ja iso2022_jp": "領収書を再発行してください。",
    "zh gb18030": "您好，我上周订购的台灯收到时已经损坏，请重新寄一个新的。",
    "zh-TW big5": "您好，我上週訂購的檯燈收到時已經損壞，請重新寄一個新的。",
    "ko euc_kr": "안녕하세요, 지난주에 주문한 램프가 파손되어 도착했습니다.",
    "th tis-620": "สวัสดีครับ ผมสั่งโคมไฟเมื่อสัปดาห์ที่แล้ว แต่ของที่ได้รับแตกหัก",
    "vi cp1258": "Xin chào, tôi đã đặt một cái đèn tuần trước nhưng khi nhận thì bị vỡ.",
    "de cp1252": "Guten Tag, die bestellte Lampe ist beschädigt angekommen. Schöne Grüße aus Köln",
    "fr cp1252": "Bonjour, la lampe commandée est arrivée cassée. Merci d’avance, à bientôt",
    "es cp1252": "Hola, la lámpara que pedí llegó rota. ¿Pueden enviarme una nueva, señores?",
    "pt cp1252": "Olá, a lâmpada que encomendei chegou partida. Não tenho a fatura.",
    "sv cp1252": "Hej, lampan jag beställde kom fram trasig. Kan ni skicka en ny på måndag?",
    "is cp1252": "Góðan daginn, lampinn sem ég pantaði kom brotinn.",
    "en cp1252": "Hello, the lamp I ordered arrived broken – it’s in pieces. Please refund €10.",
}
NAMES = {
    "ru koi8-r": "Мария Иванова",
    "ru cp1251": "Иван Петров",
    "el iso8859_7": "Μαρία Παπαδοπούλου",
    "he cp1255": "דוד כהן",
    "ar cp1256": "محمد علي",
    "cs cp1250": "Jiří Dvořák",
    "pl iso8859_2": "Małgorzata Wójcik",
    "zh gb18030": "王小明",
    "ko euc_kr": "김철수",
    "th tis-620": "สมชาย ใจดี",
    "de cp1252": "Jürgen Müller",
    "fr cp1252": "François Lefèvre",
}


KOREAN = "주문한 상품이 아직 도\ufffd하지 않았습니다"


def encoded(text: str, language: str) -> bytes:
    charset = language.split()[1]
    if charset != "cp1258":
        return text.encode(charset)
    # windows-1258 has letters with circumflex, horn or breve, and the tones as combining marks.
    out = b""
    for character in text:
        tones = [mark for mark in unicodedata.normalize("NFD", character) if mark in "\u0300\u0301\u0303\u0309\u0323"]
        base = "".join(mark for mark in unicodedata.normalize("NFD", character) if mark not in tones)
        out += (unicodedata.normalize("NFC", base) + "".join(tones)).encode(charset)
    return out


def body(content: bytes) -> str:
    return unicodedata.normalize("NFC", parse(content).text.replace("\n", " ").replace("  ", " "))


def plain(data: bytes) -> bytes:
    return b"Content-Type: text/plain\r\n\r\n" + data


def in_base64(data: bytes) -> bytes:
    return b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data)


def in_quoted_printable(data: bytes) -> bytes:
    return b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + quopri.encodestring(data)


def in_html(data: bytes) -> bytes:
    tags = b'<p class="MsoNormal"><span style="font-family:Arial">Order 4711</span></p>\r\n' * 40
    return b"Content-Type: text/html\r\n\r\n<html><body>" + tags + b"<p><b>" + data + b"</b></p></body></html>"


@pytest.mark.parametrize("mail", [plain, in_base64, in_quoted_printable])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_without_a_label(language: str, mail: type) -> None:
    assert body(mail(encoded(LANGUAGES[language], language))) == LANGUAGES[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_in_html_without_a_label(language: str) -> None:
    assert body(in_html(encoded(LANGUAGES[language], language))).endswith(LANGUAGES[language])


@pytest.mark.parametrize("language", NAMES)
def test_a_name_without_a_label(language: str) -> None:
    name = encoded(NAMES[language], language)
    facts = read_headers(b"From: " + name + b" <a@customer.example>\r\nSubject: 1\r\n\r\nx\r\n")
    assert facts.from_name == NAMES[language]


def test_a_subject_takes_its_charset_from_a_part() -> None:
    mail = (
        b"Subject: " + "Фактура".encode("iso8859_5") + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain; charset=iso-8859-5\r\n\r\nx\r\n--b--\r\n"
    )
    assert read_headers(mail).subject == "Фактура"


def test_a_short_subject_is_detected_with_the_body() -> None:
    subject, text = "Siparişim nerede?", LANGUAGES["tr iso8859_9"]
    mail = f"Subject: {subject}\r\n\r\n{text}".encode("iso8859_9")
    assert read_headers(mail).subject == subject
    assert parse(mail).text == text
    # The body of this one is in another charset.
    mail = b"Subject: " + LANGUAGES["ru koi8-r"].encode("koi8-r") + b"\r\n\r\n" + text.encode()
    assert read_headers(mail).subject == LANGUAGES["ru koi8-r"]


def test_words_of_an_unknown_charset() -> None:
    name, subject = (
        f"=?unknown-8bit?B?{base64.b64encode(text.encode('koi8-r')).decode()}?=" for text in ("Анна", "Счёт")
    )
    lines = f"From: {name} <a@customer.example>\r\nSubject: {subject}\r\n"
    facts = read_headers(f"{lines}Content-Type: text/plain; charset=koi8-r\r\n\r\nx".encode())
    assert (facts.from_name, facts.subject) == ("Анна", "Счёт")
    assert read_headers(f"{lines}\r\nx".encode()).subject == "Счёт"


def test_a_body_takes_its_charset_from_the_subject() -> None:
    subject = Header("Счёт", "iso-8859-5").encode().encode()
    text = "НЕТ"  # too short to be detected
    assert parse(b"Subject: " + subject + b"\r\n\r\n" + text.encode("iso8859_5")).text == text


def test_a_charset_of_the_subject_that_does_not_fit() -> None:
    subject = Header("Grüße", "utf-8").encode().encode()
    text = LANGUAGES["cs cp1250"]
    assert parse(b"Subject: " + subject + b"\r\n\r\n" + text.encode("cp1250")).text == text


def test_the_name_of_a_file_without_a_label() -> None:
    name = "Счёт за октябрь.pdf"
    mail = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b\r\nContent-Type: application/pdf\r\n"
        b'Content-Disposition: attachment; filename="' + name.encode("koi8-r") + b'"\r\n\r\nx\r\n--b--\r\n'
    )
    assert parse(mail).attachments[0].filename == name


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'<?xml version="1.0" encoding="koi8-r"?><html>', "koi8-r"),
        (b"<html><head><meta charset=shift_jis>", "shift_jis"),
        (b'<META content="text/html; charset=windows-1251" http-equiv="Content-Type">', "windows-1251"),
        (b"<meta charset='utf-16'>", "utf-8"),
        (b"<p>charset=koi8-r</p>", ""),
        (b"<meta name=x>" * 9 + b"<meta", ""),
    ],
)
def test_declared_charset(data: bytes, expected: str) -> None:
    assert declared_charset(data) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<meta charset=windows-1254><p>\xdeifremi", "Şifremi"),
        (b"<meta charset=gb2312><p>LED \xb9\xca\xd5\xcf", "LED 故障"),
        (b"<meta charset=hz-gb-2312><p>~{Dc:C~}", "你好"),
        (b"<meta charset=windows-1251><p>Gr\xc3\xbc\xc3\x9fe", "Grüße"),
        ("\ufeff<p>Łódź".encode("utf-16-le"), "Łódź"),
        ("\ufeff<p>Łódź".encode("utf-16-be"), "Łódź"),
        ("<p>Łódź hat viele Straßen".encode("utf-16-le"), "Łódź hat viele Straßen"),
        ("\ufeff<p>Łódź".encode(), "Łódź"),
    ],
)
def test_html_without_a_label(data: bytes, expected: str) -> None:
    mail = b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data)
    assert parse(mail).text == expected


KANJI = b"\x1b$B4A;z\x1b(B"  # 漢字


@pytest.mark.parametrize(
    ("data", "label", "expected"),
    [
        # ISO-2022-JP with the rows of NEC and IBM, half-width katakana, damage; the escape sequences are never shown.
        (b"\x1b$B-!-j-5\x1b(B", "iso-2022-jp", "①㈱Ⅰ"),
        (b"\x1b$B|by~\x1b(B", "iso-2022-jp", "髙德"),
        (b"\x1b(I1;\x1b(B " + KANJI, "iso-2022-jp", "ｱｻ 漢字"),
        (b"\x0e1;\x0f " + KANJI, "iso-2022-jp", "ｱｻ 漢字"),
        (b"\xb1\xbb " + KANJI, "iso-2022-jp", "ｱｻ 漢字"),
        (b"\x1b$B4A;", "iso-2022-jp", "漢\ufffd"),
        (b"\x1b$B4A;\n" + KANJI, "iso-2022-jp", "漢\ufffd\n漢字"),
        (b"\x1b$B~~4A\x1b(B " + KANJI, "iso-2022-jp", "\ufffd漢 漢字"),
        (b"\x1b$B4A\xff;z\x1b(B", "iso-2022-jp", "漢\ufffd字"),
        (b"\x1b$B-!4A", "", "①漢"),
        (b"\x1b$B-!4A", "utf-8", "①漢"),
        (KANJI + b" \xff", "", "漢字 \uf8f3"),
        (KANJI + " für".encode(), "utf-8", KANJI.decode() + " für"),
        (b"\x1b$)C\n\x0e>H3gGO<<?d\x0f", "", "\n안녕하세요"),
        (b"$B4A;z(B 12 $B;z(J", "iso-2022-jp", "漢字 12 字"),
        (b"$B$9$H(B$B(B, $B4 $B4A(B", "iso-2022-jp", "すと$B(B, $B4 漢"),
        (b"It costs $B 5 (B2B)", "iso-2022-jp", "It costs $B 5 (B2B)"),
        (b"\x1b[1mbold\x1b(B", "", "\x1b[1mbold\x1b(B"),
        ("漢字です。カナ".encode("euc_jp"), "iso-2022-jp", "漢字です。カナ"),
        ("漢字です。カナ".encode("cp932"), "iso-2022-jp", "漢字です。カナ"),
        ("漢字です。カナ".encode(), "iso-2022-jp", "漢字です。カナ"),
        # EUC-JP as CP51932.
        (b"\xad\xa1\xad\xea \xb4\xc1\xbb\xfa \x8e\xb1", "euc-jp", "①㈱ 漢字 ｱ"),
        ("漢字です。カナ".encode("cp932"), "euc-jp", "漢字です。カナ"),
        *(
            (LANGUAGES[language].encode(language.split()[1]), label, LANGUAGES[language])
            for language in ("ja shift_jis", "ja euc_jp")
            for label in ("iso-2022-jp", "euc-jp")
        ),
        # Other 7-bit charsets, with one damaged pair.
        (b"\x1b$)C\n\x0e>H3gGO<<?d\x0f.\n\x0e~!>H\x0f end", "iso-2022-kr", "\n안녕하세요.\n\ufffd안 end"),
        ("안녕하세요".encode("cp949"), "iso-2022-kr", "안녕하세요"),
        (b"~{Dc:C~} ~~ ~{~~~} end", "hz-gb-2312", "你好 ~ \ufffd end"),
        ("你好".encode("gb18030"), "hz-gb-2312", "你好"),
        (b"Gr+APwA3w-e +!", "utf-7", "Grüße \ufffd"),
        # Damage in charsets of several bytes a character.
        ("Картинка с именем".encode() + b"\xd1", "", "Картинка с именем\ufffd"),
        ("Картинка".encode() + b"\xff" + "имя".encode(), "utf-8", "Картинка\ufffdимя"),
        ("您好，请问发票".encode("gb18030") + b"\xff" + "开".encode("gb18030"), "gb2312", "您好，请问发票\ufffd开"),
        ("ランプが壊れた".encode("cp932")[:-1], "shift_jis", "ランプが壊れ\ufffd"),
        ("안녕하세요".encode("cp949") + b"\xff", "euc-kr", "안녕하세요\ufffd"),
        (b"\xc3\xed\xca\xb8\xa4\x80\xcf\xc8\xc0", "euc-jp", "注文\ufffd\ufffd\ufffd叛"),
        (b"\xc4\xff\xfa\xba\xc3\xa3\xac\xc7\xeb\xce\xca\xb7\xa2\xc6\xb1", "gb2312", "\ufffd\ufffd好，请问发票"),
        ("Где мой зак".encode("iso8859_5") + b"\x80", "iso-8859-5", "Где мой зак\x80"),
        ("איפה ההזמנה".encode("cp1255") + b"\xff", "windows-1255", "איפה ההזמנה\ufffd"),
        ("Grüße aus Köln".encode("cp1252") + b"\x81", "iso-8859-1", "Grüße aus Köln\ufffd"),
        (b"a\xed\xa0\xbd\xed\xb8\x80b", "utf-8", "a\U0001f600b"),
        # Labels of a subset, a sibling or another language.
        ("Grüße – 10 €".encode("cp1252"), "iso-8859-15", "Grüße – 10 €"),
        (b"\xa35, \xa310, \xa315, \xa320", "iso-8859-1", "£5, £10, £15, £20"),
        (b"\xc4\xd6\xdc", "iso-8859-1", "ÄÖÜ"),
        ("Žluťoučký kůň – test".encode("cp1250"), "iso-8859-2", "Žluťoučký kůň – test"),
        ("Žluťoučký kůň".encode("iso8859_2"), "iso-8859-2", "Žluťoučký kůň"),
        ("Підкажіть".encode("koi8_u"), "koi8-r", "Підкажіть"),
        ("Привет ─│┌".encode("koi8_r"), "koi8-r", "Привет ─│┌"),
        ("朱镕基 – 报价单 €".encode("gb18030"), "gb2312", "朱镕基 – 报价单 €"),
        ("똠방각하".encode("cp949"), "euc-kr", "똠방각하"),
        ("嘅喺啲".encode("big5hkscs"), "big5", "嘅喺啲"),
        ("①髙﨑㈱".encode("cp932"), "shift_jis", "①髙﨑㈱"),
        # Labels that fit by chance: kana, private use or the case of words tell.
        ("よろしくお願いします。".encode("euc_jp"), "shift_jis", "よろしくお願いします。"),
        ("住所は東京都千代田区です".encode("euc_jp"), "shift_jis", "住所は東京都千代田区です"),
        ("ｶﾅﾘ､ｿｳ､ｺｳ､ｱﾉ".encode("cp932"), "shift_jis", "ｶﾅﾘ､ｿｳ､ｺｳ､ｱﾉ"),
        ("明日\ue63e行きます".encode("cp932"), "shift_jis", "明日\ue63e行きます"),
        ("您好，我的訂單還沒有到。".encode("cp950"), "gb2312", "您好，我的訂單還沒有到。"),
        ("Где мой заказ?".encode("cp1251"), "koi8-r", "Где мой заказ?"),
        ("Где мой заказ?".encode("koi8_r"), "windows-1251", "Где мой заказ?"),
        ("гДЕ МОЙ ЗАКАЗ? пРИВЕТ".encode("koi8_r"), "koi8-r", "гДЕ МОЙ ЗАКАЗ? пРИВЕТ"),
        ("гДЕ МОЙ ЗАКАЗ? пРИВЕТ".encode("cp1251"), "windows-1251", "гДЕ МОЙ ЗАКАЗ? пРИВЕТ"),
        ("СРОЧНО! ГОСТ 12".encode("koi8_r"), "koi8-r", "СРОЧНО! ГОСТ 12"),
        # UTF-16 by its mark, by its NUL bytes, and where the label is a lie.
        ("Łódź 12".encode("utf-16-be"), "utf-16", "Łódź 12"),
        ("Łódź 12".encode("utf-16-le"), "utf-16", "Łódź 12"),
        ("\ufeffŁódź".encode("utf-16-le"), "us-ascii", "Łódź"),
        ("Łódź".encode(), "utf-16", "Łódź"),
        ("您好请问发票".encode("utf-16-be"), "utf-16be", "您好请问发票"),
        ("ご注文の件です".encode("utf-16-be"), "utf-16", "ご注文の件です"),
        ("ご注文の件です".encode("utf-16-le"), "utf-16", "ご注文の件です"),
        # A line that is folded between its escape sequences, and one whose sequence was lost.
        (b'\x1b$B$"$$\r\n$&$(\x1b(B ok', "iso-2022-jp", "あい\r\nうえ ok"),
        (b'\x1b$B$"$$$\r\n&$(\x1b(B', "iso-2022-jp", "あい\ufffd\r\n\ufffdえ"),
        (b'\x1b$B$"$$\r\nThanks\r\n\x1b$B$&\x1b(B', "iso-2022-jp", "あい\r\nThanks\r\nう"),
        (b"\x1b$)C\n\x0eGQ\n1[\x0f ok", "iso-2022-kr", "\n한\n글 ok"),
        (b"ok \x0eGQ1[\x0f", "iso-2022-kr", "ok 한글"),
        ("مرحبا، طلبي لم يصل بعد، كيف أدفع؟".encode("cp1256"), "iso-8859-6", "مرحبا، طلبي لم يصل بعد، كيف أدفع؟"),
        ("مرحبا، لم يصل".encode("iso8859_6"), "iso-8859-6", "مرحبا، لم يصل"),
        # Controls that stand for characters of windows-1252.
        ("5 \u0080, it\u0092s \u0093new\u0094".encode(), "utf-8", "5 €, it’s “new”"),
        # Simplified Chinese under the label of Big5: its comma is a letter of bopomofo there.
        ("您好，我的订单还没有到，请退款。".encode("gbk"), "big5", "您好，我的订单还没有到，请退款。"),
        ("哈囉ㄛ，我的訂單還沒有到ㄛ".encode("big5"), "big5", "哈囉ㄛ，我的訂單還沒有到ㄛ"),
        # The damage of a word is no damage of the next, and digits behind a run of pairs are no part of them.
        (
            "주문한 상품이 아직 도착하지 않았습니다".encode("cp949").replace(b"\xb5\xb5\xc2\xf8", b"\xb5\xb5\xc2\xff"),
            "euc-kr",
            KOREAN,
        ),
        ("您好请问号码是".encode("gbk")[1:] + "12，请退款".encode("gbk"), "gb2312", "\ufffd好请问号码是12，请退款"),
    ],
)
def test_decode_charset(data: bytes, label: str, expected: str) -> None:
    assert decode_charset(data, label)[0] == expected


@pytest.mark.parametrize(
    ("text", "encoding", "label"),
    [
        (LANGUAGES["ru cp1251"], "cp1251", "iso-8859-1"),
        (LANGUAGES["ru koi8-r"], "koi8-r", "us-ascii"),
        (LANGUAGES["ja shift_jis"], "shift_jis", "iso-8859-1"),
        (LANGUAGES["zh-TW big5"], "big5", "windows-1252"),
        (LANGUAGES["el iso8859_7"], "iso8859_7", "utf-8"),
        (LANGUAGES["cs cp1250"], "cp1250", "utf-8"),
        (LANGUAGES["tr iso8859_9"], "iso8859_9", "unknown-8bit"),
        (LANGUAGES["ko euc_kr"], "euc_kr", "utf-8"),
        ("Grüße", "cp1252", "utf-8"),
        ("Grüße aus Köln", "cp1252", "utf-16"),
        (LANGUAGES["he cp1255"], "cp1255", "utf-7"),
        ("5 € – “quoted”", "cp1252", "utf-8"),
    ],
)
def test_a_wrong_label(text: str, encoding: str, label: str) -> None:
    assert CharsetReader("").decode(text.encode(encoding), label, markup=False) == (text, True)


@pytest.mark.parametrize(
    ("text", "encoding", "label"),
    [
        ("お世話になっております。先日の注文の件です。", "euc_jp", "euc-jp"),
        ("お世話になっております。先日の注文の件です。", "iso2022_jp", "iso-2022-jp"),
        ("我的订单还没有到。请问什么时候发货?", "gb2312", "gb2312"),
        ("주문한상품이아직도착하지않았습니다.", "euc_kr", "euc-kr"),
    ],
)
@pytest.mark.parametrize("inserted", [b"", b"\xff", b"\x80", b"\x00"])
@pytest.mark.parametrize("place", range(7, 19, 2))
def test_text_behind_a_damaged_byte_is_read(text: str, encoding: str, label: str, inserted: bytes, place: int) -> None:
    data = text.encode(encoding)
    damaged = data[:place] + inserted + data[place + (not inserted) :]
    found = decode_charset(damaged, label)[0]
    assert found.startswith(text[0])
    assert found.endswith(text[-6:])


GERMAN, FOOTER = "Grüße aus Köln, für Ihre Prüfung.\n", "Geschäftsführer: Jörg Müller, Büro Süd, Fußweg 3, Höhe 2"
RUSSIAN = LANGUAGES["ru cp1251"]


@pytest.mark.parametrize(
    ("data", "label", "expected"),
    [
        (GERMAN.encode() * 2 + FOOTER.encode("cp1252"), "utf-8", GERMAN * 2 + FOOTER),
        (GERMAN.encode() + FOOTER.encode("cp1252"), "iso-8859-1", GERMAN + FOOTER),
        (FOOTER.encode("cp1252") + b"\n" + GERMAN.encode(), "", f"{FOOTER}\n{GERMAN}"),
        (GERMAN.encode() + RUSSIAN.encode("cp1251"), "utf-8", GERMAN + RUSSIAN),
        (GERMAN.encode() + RUSSIAN.encode("koi8_r"), "koi8-r", GERMAN + RUSSIAN),
        # Lines of one or two characters are UTF-8 by chance.
        ("联通\n订单\n退款\n时间\n".encode("gbk"), "gb2312", "联通\n订单\n退款\n时间\n"),
    ],
)
def test_lines_in_different_charsets(data: bytes, label: str, expected: str) -> None:
    assert CharsetReader("").decode(data, label, markup=False)[0] == expected


@pytest.mark.parametrize("text", ["お世話になっております", "ありがとうございます"])
@pytest.mark.parametrize("charset", ["cp932", "euc_jp"])
def test_a_greeting_in_kana_is_japanese(text: str, charset: str) -> None:
    assert read_headers(b"Subject: " + text.encode(charset)).subject == text


def test_the_number_of_detections_is_bounded() -> None:
    reader = CharsetReader("")
    greek = LANGUAGES["el iso8859_7"].encode("iso8859_7")
    for _ in range(MAX_DETECTIONS):
        assert reader.decode(greek, "", markup=False)[0] == LANGUAGES["el iso8859_7"]
    assert reader.decode(b"Gr\xfc\xdfe", "", markup=False) == ("Grόίe", True)


def test_the_detector_sees_lines_that_are_not_ascii() -> None:
    text = ("All work and no play\n" * 5000 + LANGUAGES["he cp1255"]).encode("cp1255")
    assert codec(detect_charset(text)) == "cp1255"
