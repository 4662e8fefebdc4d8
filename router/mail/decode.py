"""Octets of header fields and bodies as text: charsets, encoded words (RFC 2047), parameters (RFC 2231).

Every function here is total: any octets and any label give a text, in time linear in the input, and never an
exception. What comes out of `one_line` and `storable` can be kept in a PostgreSQL TEXT column: no NUL, no lone
surrogates. Labels are matched against a closed list before Python's codec machinery sees them: it imports modules by
the label's name and remembers each one for ever, and a mail must be able to do neither.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache

# Labels as mails write them -> Python codecs. Names of a subset go to the superset real mailers mean by them.
_CODECS = {
    "": "",
    "default": "",
    "unknown": "",
    "unknown8bit": "",
    "x-unknown": "",
    "8bit": "",
    "7bit": "",
    "usascii": "cp1252",
    "ascii": "cp1252",
    "ansix341968": "cp1252",
    "ansi": "cp1252",
    "latin1": "cp1252",
    "iso88591": "cp1252",
    "iso8859115": "iso8859_15",
    "latin9": "iso8859_15",
    "iso88599": "cp1254",
    "latin5": "cp1254",
    "iso885911": "cp874",
    "tis620": "cp874",
    "iso88598i": "iso8859_8",
    "iso88598e": "iso8859_8",
    "iso88596i": "iso8859_6",
    "utf8": "utf_8",
    "utf8mb4": "utf_8",
    "unicode11utf8": "utf_8",
    "cp65001": "utf_8",
    "utf7": "utf_7",
    "unicode11utf7": "utf_7",
    "cp65000": "utf_7",
    "utf16": "utf_16",
    "utf16le": "utf_16_le",
    "utf16be": "utf_16_be",
    "ucs2": "utf_16",
    "unicode": "utf_16",
    "utf32": "utf_32",
    "utf32le": "utf_32_le",
    "utf32be": "utf_32_be",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "xgbk": "gb18030",
    "gb18030": "gb18030",
    "euccn": "gb18030",
    "hzgb2312": "hz",
    "hz": "hz",
    "big5": "cp950",
    "cp950": "cp950",
    "xbig5": "cp950",
    "big5hkscs": "big5hkscs",
    "euckr": "cp949",
    "ksc56011987": "cp949",
    "ksc5601": "cp949",
    "ksc56011989": "cp949",
    "cp949": "cp949",
    "uhc": "cp949",
    "iso2022kr": "iso2022_kr",
    "johab": "johab",
    "shiftjis": "cp932",
    "sjis": "cp932",
    "xsjis": "cp932",
    "mskanji": "cp932",
    "cp932": "cp932",
    "cp31j": "cp932",
    "eucjp": "euc_jp",
    "xeucjp": "euc_jp",
    "iso2022jp": "iso2022_jp_ext",
    "iso2022jp1": "iso2022_jp_ext",
    "iso2022jp2": "iso2022_jp_2",
    "iso2022jp3": "iso2022_jp_3",
    "iso2022jpms": "iso2022_jp_ext",
    "cp50220": "iso2022_jp_ext",
    "cp50221": "iso2022_jp_ext",
    "koi8r": "koi8_r",
    "koi8": "koi8_r",
    "koi8u": "koi8_u",
    "koi8ru": "koi8_u",
    "koi8t": "koi8_t",
    "macintosh": "mac_roman",
    "mac": "mac_roman",
    "macroman": "mac_roman",
    "xmacroman": "mac_roman",
    "maccyrillic": "mac_cyrillic",
    "xmaccyrillic": "mac_cyrillic",
    "ptcp154": "ptcp154",
}
_DOS_PAGES = (437, 720, 737, 775, 850, 852, 855, 856, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 874, 1125)
_CODECS |= {f"cp{n}": f"cp{n}" for n in (*range(1250, 1259), *_DOS_PAGES)}
_CODECS |= {f"iso8859{n}": f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)}

# Codecs whose octets are (also) 7-bit: plain ASCII octets may mean something else in them.
_SEVEN_BIT = frozenset({"utf_7", "hz", "iso2022_kr", "iso2022_jp_ext", "iso2022_jp_2", "iso2022_jp_3"})
_WIDE = frozenset({"utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"})
# Octet pairs of these can be valid UTF-8 by chance in a short text, so the label is believed first.
_MULTIBYTE = frozenset({"gb18030", "cp950", "big5hkscs", "cp949", "johab", "cp932", "euc_jp"})

_LABEL_NOISE = re.compile(r"[^a-z0-9]")
_PAGE_PREFIX = re.compile(r"^(?:windows|win|ibm|microsoftcp|xcp|dos)(?=\d)")
_NOT_STORABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
# In one line beside other texts: controls, and the marks that turn the direction of what follows (UAX 9 3.1).
_NOT_IN_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
_WORD_HEAD = re.compile(rb"=\?([^?\s]{1,64})\?([bBqQ])\?")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
_PARAMETER = re.compile(rb';\s*([^\s=;]{1,128})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))', re.DOTALL)
_CONTINUED = re.compile(r"(.+?)(?:\*(\d{1,3}))?(\*)?\Z")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_NOT_IN_FILENAME = re.compile('[<>:"|?*\u200e\u200f\u061c]')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)", re.IGNORECASE)


@lru_cache(maxsize=512)
def codec(label: str) -> str:
    """The Python codec for a charset label of a mail, `""` for a missing or unknown one."""
    name = _LABEL_NOISE.sub("", label[:64].partition("*")[0].lower())
    if name in _CODECS:
        return _CODECS[name]
    name = _PAGE_PREFIX.sub("cp", name.removeprefix("cs"))
    if name.startswith("iso") and name[3:7] == "8859":
        name = "iso8859" + name[7:].removesuffix("1987").removesuffix("1988").removesuffix("1989")
    return _CODECS.get(name, "")


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


def decode_words(value: bytes, hint: str = "") -> str:
    """An unstructured field's value with its encoded words read (RFC 2047 section 6); not yet cleaned.

    hint: the charset of raw 8-bit octets, from the mail's Content-Type, where there is one. Adjacent words of one
    charset are joined before they are decoded: many mailers cut inside a character, against section 5.
    """
    if b"=?" not in value:
        return decode_charset(value, hint)[0] if not value.isascii() or b"\x1b" in value else value.decode("ascii")
    out: list[str] = []
    pending = bytearray()  # bytes of the words just before, waiting for more of the same charset
    charset = ""
    at = 0  # end of what has been taken
    search = 0
    while True:
        head = _WORD_HEAD.search(value, search)
        if head is None:
            break
        end = value.find(b"?=", head.end())
        if end < 0:
            break  # no later word can end either: this keeps the scan linear
        between = value[at : head.start()]
        label = head[1].decode("ascii", "replace")
        data = _word_octets(value[head.end() : end], head[2])
        if pending and not between.strip() and label.lower() == charset.lower():
            pending += data
        else:
            if pending:
                out.append(decode_charset(bytes(pending), charset)[0])
            if between and (between.strip() or not charset):
                out.append(decode_charset(between, hint)[0])
            pending, charset = bytearray(data), label
        at = search = end + 2
    if pending:
        out.append(decode_charset(bytes(pending), charset)[0])
    out.append(decode_charset(value[at:], hint)[0])
    return "".join(out)


def _word_octets(text: bytes, encoding: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(text.replace(b"\n", b""), header=True)
    return lenient_base64(text)


def lenient_base64(text: bytes) -> bytes:
    """Base64 without regard to padding, line ends and stray characters; a lone last character is dropped."""
    text = text.translate(None, _NOT_BASE64)
    spare = len(text) % 4
    if spare == 1:
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def parameters(value: bytes, hint: str = "") -> tuple[str, dict[str, str]]:
    """The token in front and the parameters of a Content-Type or Content-Disposition (RFC 2045 section 5.1).

    Names are lower-case, values decoded: continuations and charsets (RFC 2231), encoded words where they should not
    be (RFC 2047 section 5), raw octets. An extended value is preferred to a plain one of the same name.
    """
    value = value[:8192]
    token, semicolon, rest = value.partition(b";")
    found: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for match in _PARAMETER.finditer(semicolon + rest):
        name = match[1].decode("ascii", "replace").lower()
        octets = match[3].strip() if match[2] is None else match[2].replace(b'\\"', b'"').replace(b"\\\\", b"\\")
        continued = _CONTINUED.match(name)
        if "*" in name and continued:
            number = int(continued[2] or 0)
            pieces.setdefault(continued[1], {}).setdefault(number, (octets, continued[3] is not None))
        else:
            found.setdefault(name, decode_words(octets, hint))
    for name, numbered in pieces.items():
        found[name] = _joined(numbered, hint)
    return token.strip().lower().decode("ascii", "replace"), found


def _joined(numbered: dict[int, tuple[bytes, bool]], hint: str) -> str:
    """The pieces of one parameter in their order, charset and language taken from the first (RFC 2231 section 4)."""
    charset = ""
    octets = b""
    for position, number in enumerate(sorted(numbered)):
        piece, extended = numbered[number]
        if extended:
            if position == 0 and piece.count(b"'") >= 2:
                label, _, piece = piece.split(b"'", 2)
                charset = label.decode("ascii", "replace")
            piece = _PERCENT.sub(lambda m: bytes((int(m[1], 16),)), piece)
        octets += piece
    if b"=?" in octets and not charset:
        return decode_words(octets, hint)
    return decode_charset(octets, charset or hint)[0]


def safe_filename(text: str) -> str:
    """A file's name that is only a name: no path, no control or direction marks, nothing a system reads as more.

    At most 120 characters, the ending kept; `""` when nothing is left.
    """
    name = _NOT_IN_FILENAME.sub("_", one_line(text, 1024).replace("\\", "/").rpartition("/")[2]).strip(" .")
    if _DEVICE.match(name):
        name = f"_{name}"
    if len(name) > 120:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[: 119 - len(ending)]}.{ending}" if dot and len(ending) <= 16 else name[:120]
    return name


def one_line(text: str, limit: int) -> str:
    """One storable line of at most `limit` characters: white space runs are one blank, controls are gone."""
    text = " ".join(text[: limit * 4].split())
    if not text.isprintable():
        text = _SURROGATES.sub("\ufffd", _NOT_IN_LINE.sub("", text))
    return text[:limit].rstrip()


def storable(text: str) -> str:
    """Text of several lines, ended by LF, without NUL and other controls and without lone surrogates."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\f" in text:
        text = text.replace("\f", "\n")
    if text.isascii():
        return _NOT_STORABLE.sub("", text)
    return _SURROGATES.sub("\ufffd", _NOT_STORABLE.sub("", text))
