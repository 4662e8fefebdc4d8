"""The charset labels of mails, and the Python codec for each.

Labels are matched against a closed list before Python's codec machinery sees them: it imports modules by the label's
name and remembers each one for ever, and a mail must be able to do neither.
"""

from __future__ import annotations

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

_LABEL_NOISE = re.compile(r"[^a-z0-9]")
_PAGE_PREFIX = re.compile(r"^(?:windows|win|ibm|microsoftcp|xcp|dos)(?=\d)")


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
