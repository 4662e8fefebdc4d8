"""Charset labels of messages, the Python codec for each, and related charsets.

Labels are checked against a closed list. Python's codec registry imports modules by name and caches each name forever,
which a message must not be able to trigger.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Many programs label text with a subset of its charset, such as windows-1252 text as ISO-8859-1. The label of the
# subset therefore has the codec of the superset.
_CODECS = {
    name: codec_name
    for codec_name, names in {
        # Labels that do not determine the meaning of 8-bit bytes.
        "": " default unknown unknown8bit xunknown 8bit 7bit 8bitmime none binary usascii ascii ansix341968 iso646us "
        "cp20127",
        "cp1252": "ansi latin1 l1 iso88591 cp819 cp28591 isoir100 western",
        "iso8859_2": "latin2 l2 cp28592 isoir101",
        "iso8859_3": "latin3 l3 cp28593",
        "iso8859_4": "latin4 l4 cp28594",
        "iso8859_5": "cyrillic cp28595",
        "iso8859_6": "arabic asmo708 cp708 iso88596i iso88596e cp28596",
        "iso8859_7": "greek greek8 ecma118 elot928 cp28597",
        "iso8859_8": "hebrew visual logical iso88598i iso88598e cp28598 cp38598",
        "iso8859_10": "latin6 l6",
        "iso8859_13": "latin7 l7 cp28603",
        "iso8859_14": "latin8 l8",
        "iso8859_15": "iso8859115 latin9 latin0 l9 cp28605 cp923",
        "iso8859_16": "latin10 l10",
        "cp1254": "iso88599 latin5 l5 turkish cp28599",
        "cp874": "iso885911 tis620 tis62025330 thai",
        "utf_8": "utf8 utf8mb3 utf8mb4 utf8sig utf8bom utf8mac cesu8 unicode11utf8 unicode20utf8 cp65001",
        "utf_7": "utf7 unicode11utf7 cp65000",
        "utf_16": "utf16 ucs2 unicode iso10646ucs2 iso10646",
        "utf_16_le": "utf16le ucs2le cp1200",
        "utf_16_be": "utf16be ucs2be cp1201",
        "utf_32": "utf32 ucs4 iso10646ucs4",
        "utf_32_le": "utf32le ucs4le cp12000",
        "utf_32_be": "utf32be ucs4be cp12001",
        "gb18030": "gb18030 gb180302000 gb180302022 gb2312 gb231280 gb23121980 gbk cp936 gb euccn cngb chinese isoir58 "
        "cp51936 cp54936",
        "hz": "hzgb2312 hzgb hz cp52936",
        "cp950": "big5 cp950 cnbig5 big5eten big5tw eten",
        "big5hkscs": "big5hkscs hkscs cp951",
        "cp949": "euckr ksc56011987 ksc5601 ksc56011989 ksc5636 cp949 uhc korean isoir149 cp51949",
        "iso2022_kr": "iso2022kr cp50225",
        "johab": "johab cp1361",
        "cp932": "shiftjis sjis sjiswin shiftjisms shiftjis2004 mskanji cp932 cp943 cp943c cp31j",
        "euc_jp": "eucjp eucjpms eucjpwin cp51932 cp20932 ujis eucpkdfmtjapanese eucjp2004 eucjis2004 eucjisx0213",
        "iso2022_jp_ext": "iso2022jp iso2022jp1 iso2022jpms iso2022jpext cp50220 cp50221 cp50222 jis",
        "iso2022_jp_2": "iso2022jp2",
        "iso2022_jp_3": "iso2022jp3",
        "iso2022_jp_2004": "iso2022jp2004",
        "koi8_r": "koi8r koi8 koi cp20866 cp878",
        "koi8_u": "koi8u koi8ru koi8uni cp21866",
        "koi8_t": "koi8t",
        "mac_roman": "macintosh mac macroman cp10000",
        "mac_cyrillic": "maccyrillic macukrainian cp10007",
        "mac_latin2": "maclatin2 maccentraleurope macce cp10029",
        "mac_greek": "macgreek cp10006",
        "mac_turkish": "macturkish cp10081",
        "mac_iceland": "maciceland cp10079",
        "ptcp154": "ptcp154 pt154 cp154",
        "kz1048": "kz1048 strk10482002 rk1048",
    }.items()
    for name in names.split(" ")
}
_DOS_PAGES = (437, 720, 737, 775, 850, 852, 855, 856, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 874, 1125)
_CODECS |= {f"cp{n}": f"cp{n}" for n in (*range(1250, 1259), *_DOS_PAGES)}
_CODECS |= {f"iso8859{n}": f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)}

# 7-bit codecs, in which ASCII bytes may encode other characters.
ISO_2022 = frozenset({"iso2022_jp_ext", "iso2022_jp_2", "iso2022_jp_3", "iso2022_jp_2004", "iso2022_kr"})
SEVEN_BIT = ISO_2022 | {"utf_7", "hz"}
WIDE = frozenset({"utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"})
# Short texts in these charsets can be valid UTF-8 by accident, so the label is tried before UTF-8.
MULTIBYTE = frozenset({"gb18030", "cp950", "big5hkscs", "cp949", "johab", "cp932", "euc_jp"})
# Charsets of languages that mostly use ASCII letters.
WESTERN = frozenset({"cp1252", "iso8859_15", "iso8859_14", "iso8859_10", "mac_roman", "cp850", "cp437"})

# EUC-JP text is often valid Shift_JIS, so Shift_JIS is tried last.
_JAPANESE = ("euc_jp", "cp932")
# By labelled charset: the charsets that mail programs also send under this label, in the order in which they are tried.
SIBLINGS = {
    **dict.fromkeys(ISO_2022 - {"iso2022_kr"}, _JAPANESE),
    "euc_jp": ("cp932",),
    "cp932": ("euc_jp",),
    "iso2022_kr": ("cp949",),
    "johab": ("cp949",),
    "hz": ("gb18030",),
    "gb18030": ("cp950",),
    "cp950": ("gb18030",),
    "cp1251": ("koi8_r",),
    "koi8_r": ("cp1251",),
    "koi8_u": ("cp1251",),
}
# By labelled charset: the variants that are tried if the text is not valid in that charset.
SUPPLEMENTS = {"cp950": ("big5hkscs",), "big5hkscs": ("cp950",)}
# By ISO 8859 charset: the Windows charset that is meant if the text has bytes 80 to 9F, which are controls in ISO 8859.
WINDOWS = {
    "iso8859_2": "cp1250",
    "iso8859_16": "cp1250",
    "iso8859_4": "cp1257",
    "iso8859_13": "cp1257",
    "iso8859_6": "cp1256",
    "iso8859_7": "cp1253",
    "iso8859_8": "cp1255",
    "iso8859_10": "cp1252",
    "iso8859_14": "cp1252",
    "iso8859_15": "cp1252",
}

_YEAR = re.compile(r"(?<=\d)(?:19|20)\d\d$")
_LABEL_NOISE = re.compile(r"[^a-z0-9]")
_PAGE_PREFIX = re.compile(r"^(?:windows|win|ibm|microsoftcp|microsoft|cp|ms|dos)0*(?=\d)")


@lru_cache(maxsize=512)
def codec_for(label: str) -> str:
    """Returns the Python codec for a charset label, `""` if it is unknown or says nothing about 8-bit bytes."""
    name = _LABEL_NOISE.sub("", label[:64].partition("*")[0].partition("(")[0].lower())
    # "3d" is left of "charset=3D", the quoted-printable form of "charset=".
    for prefix in ("", "3d", "x", "cs", "xcs", "xx"):
        bare = _PAGE_PREFIX.sub("cp", name.removeprefix(prefix))
        if bare.startswith(("iso8859", "isoiec8859")):
            bare = _YEAR.sub("", bare.replace("iec", ""))
        if bare in _CODECS:
            return _CODECS[bare]
    return ""
