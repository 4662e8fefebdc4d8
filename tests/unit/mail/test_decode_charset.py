"""`decode_charset` with correct and wrong labels, and with damaged bytes."""

from __future__ import annotations

import pytest

from router.mail.charset_detection import CharsetDecoder
from router.mail.charsets import decode_charset
from tests.unit.mail.test_charsets import LANGUAGES

KOREAN = "주문한 상품이 아직 도\ufffd하지 않았습니다"
KANJI = b"\x1b$B4A;z\x1b(B"  # 漢字


@pytest.mark.parametrize(
    ("data", "label", "expected"),
    [
        # Mostly ISO-2022-JP: NEC and IBM rows, half-width katakana, damage, lost escape characters and wrong labels.
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
        # EUC-JP with the additional characters of CP51932, and Japanese with correct and wrong labels.
        (b"\xad\xa1\xad\xea \xb4\xc1\xbb\xfa \x8e\xb1", "euc-jp", "①㈱ 漢字 ｱ"),
        ("漢字です。カナ".encode("cp932"), "euc-jp", "漢字です。カナ"),
        *(
            (LANGUAGES[language].encode(language.split()[1]), label, LANGUAGES[language])
            for language in ("ja shift_jis", "ja euc_jp")
            for label in ("iso-2022-jp", "euc-jp")
        ),
        # Other 7-bit charsets, with damaged pairs and with wrong labels.
        (b"\x1b$)C\n\x0e>H3gGO<<?d\x0f.\n\x0e~!>H\x0f end", "iso-2022-kr", "\n안녕하세요.\n\ufffd안 end"),
        ("안녕하세요".encode("cp949"), "iso-2022-kr", "안녕하세요"),
        (b"~{Dc:C~} ~~ ~{~~~} end", "hz-gb-2312", "你好 ~ \ufffd end"),
        ("你好".encode("gb18030"), "hz-gb-2312", "你好"),
        (b"Gr+APwA3w-e +!", "utf-7", "Grüße \ufffd"),
        # Damage in multibyte and single-byte charsets, and surrogates in UTF-8.
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
        # Labels of a subset of the actual charset or of a related charset, and correct labels.
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
        # Kana, private-use characters or letter case reveal wrong labels that cause no decoding errors. Similar texts
        # with correct labels.
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
        # UTF-16 with a byte order mark, without one, and with a wrong label.
        ("Łódź 12".encode("utf-16-be"), "utf-16", "Łódź 12"),
        ("Łódź 12".encode("utf-16-le"), "utf-16", "Łódź 12"),
        ("\ufeffŁódź".encode("utf-16-le"), "us-ascii", "Łódź"),
        ("Łódź".encode(), "utf-16", "Łódź"),
        ("您好请问发票".encode("utf-16-be"), "utf-16be", "您好请问发票"),
        ("ご注文の件です".encode("utf-16-be"), "utf-16", "ご注文の件です"),
        ("ご注文の件です".encode("utf-16-le"), "utf-16", "ご注文の件です"),
        # Lines folded between escape sequences, and a lost escape sequence.
        (b'\x1b$B$"$$\r\n$&$(\x1b(B ok', "iso-2022-jp", "あい\r\nうえ ok"),
        (b'\x1b$B$"$$$\r\n&$(\x1b(B', "iso-2022-jp", "あい\ufffd\r\n\ufffdえ"),
        (b'\x1b$B$"$$\r\nThanks\r\n\x1b$B$&\x1b(B', "iso-2022-jp", "あい\r\nThanks\r\nう"),
        (b"\x1b$)C\n\x0eGQ\n1[\x0f ok", "iso-2022-kr", "\n한\n글 ok"),
        (b"ok \x0eGQ1[\x0f", "iso-2022-kr", "ok 한글"),
        # Arabic with a wrong and a correct label.
        ("مرحبا، طلبي لم يصل بعد، كيف أدفع؟".encode("cp1256"), "iso-8859-6", "مرحبا، طلبي لم يصل بعد، كيف أدفع؟"),
        ("مرحبا، لم يصل".encode("iso8859_6"), "iso-8859-6", "مرحبا، لم يصل"),
        # C1 controls that represent characters of windows-1252.
        ("5 \u0080, it\u0092s \u0093new\u0094".encode(), "utf-8", "5 €, it’s “new”"),
        # In Big5, the bytes of the GBK comma are the bopomofo letter ㄛ.
        ("您好，我的订单还没有到，请退款。".encode("gbk"), "big5", "您好，我的订单还没有到，请退款。"),
        ("哈囉ㄛ，我的訂單還沒有到ㄛ".encode("big5"), "big5", "哈囉ㄛ，我的訂單還沒有到ㄛ"),
        # Damaged bytes do not affect the next word.
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
    assert CharsetDecoder("").decode(text.encode(encoding), label, markup=False) == (text, True)


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
@pytest.mark.parametrize("position", range(7, 19, 2))
def test_text_after_a_damaged_byte_is_decoded(
    text: str, encoding: str, label: str, inserted: bytes, position: int
) -> None:
    data = text.encode(encoding)
    damaged = data[:position] + inserted + data[position + (not inserted) :]
    found = decode_charset(damaged, label)[0]
    assert found.startswith(text[0])
    assert found.endswith(text[-6:])
