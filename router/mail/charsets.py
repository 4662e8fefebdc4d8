"""Bytes as text by their charset label, or without one.

`decode_charset` is total: any bytes and any label give a text, in time linear in the input, and never an exception.
"""

from __future__ import annotations

from router.mail.charset_labels import codec

# Codecs whose octets are (also) 7-bit: plain ASCII octets may mean something else in them.
_SEVEN_BIT = frozenset({"utf_7", "hz", "iso2022_kr", "iso2022_jp_ext", "iso2022_jp_2", "iso2022_jp_3"})
_WIDE = frozenset({"utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"})
# Octet pairs of these can be valid UTF-8 by chance in a short text, so the label is believed first.
_MULTIBYTE = frozenset({"gb18030", "cp950", "big5hkscs", "cp949", "johab", "cp932", "euc_jp"})


def decode_charset(data: bytes, label: str) -> tuple[str, bool]:
    """Octets as text, and whether there was doubt about the charset (wrong, unknown or broken label).

    A label is tried, not trusted: UTF-8 that calls itself a one-byte charset is the most common lie in mail.
    """
    name = codec(label)
    escapes = b"\x1b" in data
    if data.isascii() and not escapes and name not in _SEVEN_BIT and b"\x00" not in data:
        return data.decode("ascii"), False
    if name in _WIDE:
        return _decode_wide(data, name)
    if name in _SEVEN_BIT or name in _MULTIBYTE:
        text = _strict(data, name)
        if text is not None:
            return text, False
    if escapes and (b"\x1b$" in data or b"\x1b(" in data):
        # ISO-2022-JP without or with a wrong label (RFC 1468).
        text = _strict(data, "iso2022_jp_ext")
        if text is not None:
            return text, name not in _SEVEN_BIT
    text = _strict(data, "utf_8")
    if text is not None:
        return text, name != "utf_8" and label != ""
    if name == "utf_8":
        return _damaged_utf8(data), True
    if not name:
        return _guess(data), True
    return data.decode(name, "replace"), name in _SEVEN_BIT or name in _MULTIBYTE


def _strict(data: bytes, name: str) -> str | None:
    try:
        return data.decode(name)
    except (UnicodeError, LookupError):
        return None


def _decode_wide(data: bytes, name: str) -> tuple[str, bool]:
    """UTF-16 and UTF-32, where a label without NUL octets is nearly always a lie."""
    if b"\x00" in data or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode(name, "replace"), False
    text = _strict(data, "utf_8")
    if text is not None:
        return text, True
    text = _strict(data, name)
    return (text, False) if text is not None else (_guess(data), True)


def _damaged_utf8(data: bytes) -> str:
    """What says it is UTF-8 and is not: a cut or a stray octet in it, or another charset altogether."""
    text = data.decode("utf_8", "replace")
    bad = text.count("\ufffd")
    good = len(data) - len(text)  # each good character of several octets shortens the text
    return text if bad <= max(2, good // 4) and good > 0 else _guess(data)


def _guess(data: bytes) -> str:
    """Eight-bit text without a usable label, not UTF-8: Western, unless most of it is not ASCII."""
    sample = data[:4096]
    high = [octet for octet in sample if octet > 0x7F]
    letters = sum(1 for octet in sample if octet > 0x20)
    if len(high) >= 4 and len(high) * 2 > letters:
        common_hanzi = sum(1 for octet in high[::2] if 0xB0 <= octet <= 0xD7)
        if b" " not in sample.strip() and common_hanzi * 10 >= len(high) * 4:
            text = _strict(data, "gb18030")
            if text is not None:
                return text
        lower_1251 = sum(1 for octet in high if octet >= 0xE0)
        lower_koi8 = sum(1 for octet in high if 0xC0 <= octet <= 0xDF)
        if lower_1251 + lower_koi8 >= len(high) * 0.8:
            return data.decode("cp1251" if lower_1251 >= lower_koi8 else "koi8_r", "replace")
    return data.decode("cp1252", "replace")
