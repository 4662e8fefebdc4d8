"""Charsets of bodies and headers without a correct label."""

from __future__ import annotations

import base64
import quopri
import unicodedata
from email.header import Header

import pytest

from router.mail.charset_detection import MAX_DETECTIONS, CharsetDecoder, declared_charset, detect_charset
from router.mail.charset_labels import codec_for
from router.mail.headers import read_headers
from router.mail.parse import parse

# Sample texts, by language and charset.
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


def encode_in_charset(text: str, language: str) -> bytes:
    charset = language.split()[1]
    if charset != "cp1258":
        return text.encode(charset)
    # windows-1258 has precomposed letters with circumflex, horn or breve. Tones are encoded as combining marks here.
    out = b""
    for character in text:
        tones = [mark for mark in unicodedata.normalize("NFD", character) if mark in "\u0300\u0301\u0303\u0309\u0323"]
        base = "".join(mark for mark in unicodedata.normalize("NFD", character) if mark not in tones)
        out += (unicodedata.normalize("NFC", base) + "".join(tones)).encode(charset)
    return out


def parse_text(content: bytes) -> str:
    return unicodedata.normalize("NFC", parse(content).text.replace("\n", " ").replace("  ", " "))


def make_plain_mail(data: bytes) -> bytes:
    return b"Content-Type: text/plain\r\n\r\n" + data


def make_base64_mail(data: bytes) -> bytes:
    return b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data)


def make_quoted_printable_mail(data: bytes) -> bytes:
    return b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + quopri.encodestring(data)


def make_html_mail(data: bytes) -> bytes:
    tags = b'<p class="MsoNormal"><span style="font-family:Arial">Order 4711</span></p>\r\n' * 40
    return b"Content-Type: text/html\r\n\r\n<html><body>" + tags + b"<p><b>" + data + b"</b></p></body></html>"


@pytest.mark.parametrize("mail", [make_plain_mail, make_base64_mail, make_quoted_printable_mail])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_without_a_label(language: str, mail: type) -> None:
    assert parse_text(mail(encode_in_charset(LANGUAGES[language], language))) == LANGUAGES[language]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sentence_in_html_without_a_label(language: str) -> None:
    assert parse_text(make_html_mail(encode_in_charset(LANGUAGES[language], language))).endswith(LANGUAGES[language])


@pytest.mark.parametrize("language", NAMES)
def test_a_name_without_a_label(language: str) -> None:
    name = encode_in_charset(NAMES[language], language)
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
    mail = b"Subject: " + LANGUAGES["ru koi8-r"].encode("koi8-r") + b"\r\n\r\n" + text.encode()
    assert read_headers(mail).subject == LANGUAGES["ru koi8-r"]


def test_encoded_words_with_an_unknown_charset() -> None:
    name, subject = (
        f"=?unknown-8bit?B?{base64.b64encode(text.encode('koi8-r')).decode()}?=" for text in ("Анна", "Счёт")
    )
    lines = f"From: {name} <a@customer.example>\r\nSubject: {subject}\r\n"
    facts = read_headers(f"{lines}Content-Type: text/plain; charset=koi8-r\r\n\r\nx".encode())
    assert (facts.from_name, facts.subject) == ("Анна", "Счёт")
    assert read_headers(f"{lines}\r\nx".encode()).subject == "Счёт"


def test_a_body_takes_its_charset_from_the_subject() -> None:
    subject = Header("Счёт", "iso-8859-5").encode().encode()
    text = "НЕТ"  # too short for charset detection
    assert parse(b"Subject: " + subject + b"\r\n\r\n" + text.encode("iso8859_5")).text == text


def test_unsuitable_subject_charset_is_ignored() -> None:
    subject = Header("Grüße", "utf-8").encode().encode()
    text = LANGUAGES["cs cp1250"]
    assert parse(b"Subject: " + subject + b"\r\n\r\n" + text.encode("cp1250")).text == text


def test_filename_without_a_label() -> None:
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
        # The bytes of two of these characters are accidentally valid UTF-8.
        ("联通\n订单\n退款\n时间\n".encode("gbk"), "gb2312", "联通\n订单\n退款\n时间\n"),
    ],
)
def test_lines_in_different_charsets(data: bytes, label: str, expected: str) -> None:
    assert CharsetDecoder("").decode(data, label, markup=False)[0] == expected


@pytest.mark.parametrize("text", ["お世話になっております", "ありがとうございます"])
@pytest.mark.parametrize("charset", ["cp932", "euc_jp"])
def test_a_greeting_in_kana_is_japanese(text: str, charset: str) -> None:
    assert read_headers(b"Subject: " + text.encode(charset)).subject == text


def test_the_number_of_detections_is_bounded() -> None:
    reader = CharsetDecoder("")
    greek = LANGUAGES["el iso8859_7"].encode("iso8859_7")
    for _ in range(MAX_DETECTIONS):
        assert reader.decode(greek, "", markup=False)[0] == LANGUAGES["el iso8859_7"]
    assert reader.decode(b"Gr\xfc\xdfe", "", markup=False) == ("Grόίe", True)


def test_the_detector_sees_lines_that_are_not_ascii() -> None:
    text = ("All work and no play\n" * 5000 + LANGUAGES["he cp1255"]).encode("cp1255")
    assert codec_for(detect_charset(text)) == "cp1255"
