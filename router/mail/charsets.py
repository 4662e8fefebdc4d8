"""Decodes bytes by their charset label, after checking that the label fits.

The public functions return a result for any bytes and any label in linear time and never raise.
"""

from __future__ import annotations

import codecs
import re
import string

from router.mail.charset_labels import (
    ISO_2022,
    MULTIBYTE,
    SEVEN_BIT,
    SIBLINGS,
    SUPPLEMENTS,
    WESTERN,
    WIDE,
    WINDOWS,
    codec_for,
)
from router.mail.escaped_charsets import (
    decode_euc_jp,
    decode_hz,
    decode_iso2022,
    find_odd_byte,
    has_open_line,
    restore_escapes,
)

# Lead bytes of the most frequent characters: first-level ideographs, syllables, kana.
_COMMON_LEADS = {
    "gb18030": range(0xB0, 0xD8),
    "cp949": range(0xB0, 0xC9),
    "cp950": range(0xA4, 0xC7),
    "cp932": (0x81, 0x82, 0x83, *range(0x88, 0x98)),
}
_PAIRS_AHEAD = 12
_NOT_IN_PAIR = re.compile(rb"[\x00-\x2f]")  # bytes that are never part of a two-byte character
# Charsets in which nearly all trail bytes are above 127.
_HIGH_PAIRS = frozenset({"gb18030", "cp949"})
_HIGH_RUN = re.compile(rb"(?<![\x81-\xfe])[\x81-\xfe]++(?![@-~]|[0-9][\x81-\xfe][0-9])")
_MAX_SKIPPED = 100  # with more damaged characters, decoding does not use `_skip_damage`
_SKIP_DAMAGE = "emailrouter-skip-damage"
_DAMAGE = re.compile("\ufffd{1,3}")  # one invalid byte produces up to three replacement characters
_KATAKANA = re.compile("[\uff61-\uff9f]")
# The lead bytes of EUC-JP kana, as Shift_JIS decodes them.
_KANA_LEADS = re.compile("[\uff64\uff65]")
_KANA = re.compile("[\u3041-\u30fe]")
_PRIVATE_USE = re.compile("[\ue000-\uf8ff]")
# The start of a word in inverted case, as in KOI8 text decoded as windows-1251 or windows-1251 text decoded as KOI8.
_INVERTED_WORD = re.compile(r"\b[\u0430-\u045f][\u0400-\u042f]")
_MIN_RANKED = 11  # fewer letters or ideographs are not significant
# Russian letters, the most frequent first.
_RANKS = {letter: rank for rank, letter in enumerate("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъ")}
_SMALL_LETTERS = re.compile(r"[\u0430-\u045f]{3}")
_IDEOGRAPHS = re.compile("[\u3000-\u9fff]")
_GB_PUNCTUATION = re.compile("[\u311b\ufe5d]")  # the comma and the full stop of GB 2312, decoded as Big5
_C1 = re.compile(rb"[\x80-\x9f]")
# Some bytes of windows-1256 that ISO 8859-6 does not define. A single one may be damage.
_NOT_IN_ISO_ARABIC = re.compile(rb"[\xa1\xba\xdb\xdd-\xdf]")
_C1_CHARACTER = re.compile("[\x80-\x9f]")
# The windows-1252 characters for C1 controls. U+0085 is excluded, because it ends a line.
_WINDOWS_CHARACTERS = {code: bytes((code,)).decode("cp1252", "ignore") for code in range(0x80, 0xA0) if code != 0x85}
# Letters of KOI8-U that are box-drawing characters in KOI8-R, next to another letter.
_UKRAINIAN = re.compile(rb"[\xc0-\xff][\xa4\xa6\xa7\xad]|[\xa4\xa6\xa7\xad\xb4\xb6\xb7\xbd][\xc0-\xff]")
# ISO 2022 escape sequences that select an East Asian charset.
_DESIGNATION = re.compile(rb"\x1b(?:\$[@AB]|\$[()][A-Z]|\(I)")
UTF_8_CHARACTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_TAG = re.compile(rb"<[^<>]*>")
_SAMPLE_BYTES = 4096
_TRIAL_BYTES = 65536  # bounds the cost of trying several charsets


def decode_charset(data: bytes, label: str, fallback: str = "") -> tuple[str, bool]:
    """Returns the decoded text, and whether it is known to be doubtful: the label does not fit, or bytes are damaged.

    Args:
        fallback: The label to use if `label` does not fit.
    """
    found = decode_labelled(data, label)
    if found is not None:
        return found
    if fallback and (found := decode_labelled(data, fallback)) is not None:
        return found[0], True
    name = codec_for(label) or codec_for(fallback)
    if name in ("", "utf_8") or name in SEVEN_BIT or name in WIDE:
        name = "cp1252"
    return data.decode(name, "replace"), True


def decode_labelled(data: bytes, label: str) -> tuple[str, bool] | None:
    """Decodes like `decode_charset`; returns None if neither the label nor the bytes determine the charset."""
    name = codec_for(label)
    if data.isascii() and b"\x1b" not in data and b"\x00" not in data and name not in SEVEN_BIT:
        return data.decode("ascii"), False
    wide = _wide_codec(data, name)
    if wide:
        return data.decode(wide, "replace"), name not in WIDE
    text = _decode_seven_bit(data, name)
    if text is not None:
        return text, name not in SEVEN_BIT
    for supplement in (name, *SUPPLEMENTS.get(name, ())) if name in MULTIBYTE else ():
        text = decode_strict(data, supplement)
        if text is not None:
            return _prefer_sibling(data, name, text)
    text = decode_utf_8(data, labelled=name == "utf_8")
    if text is not None:
        return text, "\ufffd" in text or (name != "utf_8" and label != "")
    if name in ("", "utf_8") or name in WIDE:
        return None
    return _decode_with_siblings(data, name)


def can_decode(data: bytes, label: str) -> bool:
    """Whether the label is known and `decode_labelled` decodes the start of the data with it."""
    return codec_for(label) != "" and decode_labelled(data[:_TRIAL_BYTES], label) is not None


def decode_strict(data: bytes, name: str) -> str | None:
    """Returns None if a byte is invalid or the codec is unknown."""
    try:
        return data.decode(name)
    except (UnicodeError, LookupError):
        return None


def _wide_codec(data: bytes, name: str) -> str:
    """Returns the codec of text in UTF-16 or UTF-32, `""` for other text."""
    if name not in WIDE and data[:1] not in b"\xff\xfe\x00" and b"\x00" not in data:
        return ""
    unicode_or_none = name in WIDE or name in ("", "utf_8")
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf_32"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) and (unicode_or_none or b"\x00" in data):
        return "utf_16"
    sample = data[:_SAMPLE_BYTES]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if name in WIDE:
        if name == "utf_16":
            name = "utf_16_be" if even > odd or (even == odd and _is_big_endian(sample)) else "utf_16_le"
        # Without NUL bytes, only text that is mostly Chinese or Japanese is accepted as UTF-16.
        whole = sample[: len(sample) & ~3]
        text = "" if _letter_count(sample) * 2 > len(sample) else decode_strict(whole, name) or ""
        return name if even or odd or len(_IDEOGRAPHS.findall(text)) * 5 > len(text) * 4 else ""
    # Text in which most of the even bytes or most of the odd bytes are NUL, but not both.
    if unicode_or_none and len(sample) > 3 and max(even, odd) * 4 > len(sample) and min(even, odd) * 8 < max(even, odd):
        return "utf_16_be" if even > odd else "utf_16_le"
    return ""


def _is_big_endian(sample: bytes) -> bool:
    little, big = (len(_IDEOGRAPHS.findall(sample.decode(name, "replace"))) for name in ("utf_16_le", "utf_16_be"))
    return big > little


def _decode_seven_bit(data: bytes, name: str) -> str | None:
    if b"\x1b" in data or (name == "iso2022_kr" and b"\x0e" in data):
        if name in ISO_2022:
            return _decode_escaped(data, name)
        unlabelled = data.isascii() or (name not in MULTIBYTE and not decode_strict(data, "utf_8"))
        if unlabelled and _DESIGNATION.search(data):
            # ISO-2022-JP or ISO-2022-KR with a missing or wrong label.
            return _decode_escaped(data, "iso2022_jp_ext")
    if data.isascii():
        if name == "utf_7":
            return data.decode("utf_7", "replace")
        if name == "hz":
            return decode_hz(data)
        if name in ISO_2022:
            return _decode_escaped(data if name == "iso2022_kr" else restore_escapes(data), name)
    return None


def _decode_escaped(data: bytes, name: str) -> str:
    if name == "iso2022_kr" and b"\x1b$)C" not in data:
        data = b"\x1b$)C" + data  # a header or a fragment may lack the designation for SO
    # Python's ISO-2022-JP codecs pass SO and SI through. Only its ISO-2022-KR codec ends the shift state with the line.
    plain = (b"\x0e" not in data or name == "iso2022_kr") and not has_open_line(data)
    text = decode_strict(data, name) if plain else None
    return text if text is not None else decode_iso2022(data)


def decode_utf_8(data: bytes, *, labelled: bool) -> str | None:
    """Decodes UTF-8 that may be damaged; returns None for text that is probably not UTF-8.

    In valid UTF-8, C1 controls except U+0085 become windows-1252 characters: some programs convert windows-1252 text to
    UTF-8 as if it were ISO 8859-1.
    """
    text = decode_strict(data, "utf_8")
    if text is not None:
        if b"\xc2" in data and _C1_CHARACTER.search(text):
            text = text.translate(_WINDOWS_CHARACTERS)
        return text.removeprefix("\ufeff")
    if b"\xed" in data and (surrogates := _decode_cesu_8(data)) is not None:
        return surrogates
    text = data.decode("utf_8", "replace")
    bad = text.count("\ufffd")
    good = len(UTF_8_CHARACTER.findall(data))
    if data.startswith(b"\xef\xbb\xbf"):
        return text.removeprefix("\ufeff")
    if bad <= good // 4 or (bad == 1 and good > 1) or (labelled and bad <= min(2, good)):
        return text
    return None


def _decode_cesu_8(data: bytes) -> str | None:
    """Decodes CESU-8, which encodes a character above U+FFFF as two surrogates of three bytes each."""
    try:
        return data.decode("utf_8", "surrogatepass").encode("utf_16_le", "surrogatepass").decode("utf_16_le")
    except UnicodeError:
        return None


def _decode_with_siblings(data: bytes, name: str) -> tuple[str, bool] | None:
    """Decodes with the codec `name` or a sibling, with some replacement characters if necessary; None if none fits."""
    if name in MULTIBYTE:
        if (text := _decode_damaged(data, name)) is not None:
            text, doubtful = _prefer_sibling(data, name, text)
            return text, doubtful or "\ufffd" in text
    elif name not in SEVEN_BIT:
        name = _windows_codec(data, name)
        text = decode_strict(data, name)
        # If strict decoding fails, the text may be Shift_JIS, so lead bytes below A0 count too.
        if name in WESTERN and is_mostly_high(data, 0xA0 if text is not None else 0x7F):
            return None
        text = _decode_damaged(data, name) if text is None else text
        if text is None:
            return None
        text, doubtful = _prefer_sibling(data, name, text)
        return text, doubtful or "\ufffd" in text
    texts = (_decode_damaged(data, sibling) for sibling in SIBLINGS.get(name, ()))
    # Text in another charset that is decoded as Shift_JIS often becomes half-width katakana.
    likely = (text for text in texts if text and len(_KATAKANA.findall(text)) * 2 < _non_ascii_count(text))
    return next(((text, True) for text in likely), None)


def _prefer_sibling(data: bytes, name: str, text: str) -> tuple[str, bool]:
    """Returns `text`, or the text in a sibling charset if that is likelier, and whether the sibling was chosen."""
    siblings = SIBLINGS.get(name, ())
    if siblings and _is_unlikely(text, name):
        for sibling in ("utf_8", *siblings):
            other = _decode_damaged(data, sibling)
            if other is None or "\ufffd" in other or _is_unlikely(other, sibling):
                continue
            if _has_confirming_letters(other, text, name):
                return other, True
    return text, False


def _has_confirming_letters(other: str, text: str, name: str) -> bool:
    if name == "cp932":
        return len(_KANA.findall(other)) >= len(_KANA_LEADS.findall(text))
    if name == "cp950":
        hanzi = len(_IDEOGRAPHS.findall(other))
        return hanzi >= _MIN_RANKED and other.encode("gb2312", "ignore").decode("gb2312") == other
    if name in MULTIBYTE:
        return True
    ranks = _letter_ranks(other)
    return len(ranks) >= _MIN_RANKED and sum(ranks) * 5 < sum(_letter_ranks(text)) * 4


def _letter_ranks(text: str) -> list[int]:
    return [_RANKS.get(letter, len(_RANKS)) for letter in text[:_SAMPLE_BYTES].lower() if letter > "\u0400"]


def _is_unlikely(text: str, name: str) -> bool:
    """Whether text that was decoded with the codec `name` looks as if it was in another charset."""
    if name == "cp950":
        return len(_GB_PUNCTUATION.findall(text)) * 20 >= _non_ascii_count(text) > 0
    if name in MULTIBYTE:
        foreign = _non_ascii_count(text)
        leads = len(_KANA_LEADS.findall(text)) if name == "cp932" else 0
        return len(_PRIVATE_USE.findall(text)) * 20 >= foreign > 0 or leads * 6 > foreign
    return _INVERTED_WORD.search(text) is not None and _SMALL_LETTERS.search(text) is None


def _decode_damaged(data: bytes, name: str) -> str | None:
    """Decodes with replacement characters; returns None if too much is damaged."""
    if len(data) > _TRIAL_BYTES and _decode_damaged(data[:_TRIAL_BYTES], name) is None:
        return None  # with a wrong charset, the start of the text is usually damaged too
    if name in _HIGH_PAIRS:
        data = _HIGH_RUN.sub(lambda run: _mark_odd_byte(run[0], name), data)
    text = decode_euc_jp(data) if name == "euc_jp" else data.decode(name, "replace")
    if name in _COMMON_LEADS and text.count("\ufffd") <= _MAX_SKIPPED:
        text = data.decode(name, _SKIP_DAMAGE)
    return text if len(_DAMAGE.findall(text)) * 5 <= _non_ascii_count(text) else None


def _mark_odd_byte(run: bytes, name: str) -> bytes:
    if len(run) % 2 == 0:
        return run
    index = find_odd_byte(run, (0xA1, 0xA3, *_COMMON_LEADS[name]))
    return run[:index] + b"\xff" + run[index + 1 :]


def _skip_damage(error: UnicodeError) -> tuple[str, int]:
    """Skips one to three bytes, so that as many as possible of the next byte pairs start with a common lead byte.

    Counts only the pairs before the next space or punctuation, because each run of pairs has its own alignment.
    """
    if not isinstance(error, UnicodeDecodeError):
        raise error
    leads = _COMMON_LEADS[error.encoding]
    stop = error.start + 2 * _PAIRS_AHEAD
    if (found := _NOT_IN_PAIR.search(error.object, error.start + 1, stop)) is not None:
        stop = found.start()

    def count_common(skipped: int) -> int:
        return sum(byte in leads for byte in error.object[error.start + skipped : stop : 2])

    return "\ufffd", min(error.start + max((1, 2, 3), key=count_common), len(error.object))


codecs.register_error(_SKIP_DAMAGE, _skip_damage)


def _non_ascii_count(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _windows_codec(data: bytes, name: str) -> str:
    """Returns the codec of a Windows charset or KOI8-U if the text has characters of it, else `name`."""
    if name == "koi8_r" and _UKRAINIAN.search(data):
        return "koi8_u"
    windows = WINDOWS.get(name, name)
    used = _C1.search(data) or (name == "iso8859_6" and len(_NOT_IN_ISO_ARABIC.findall(data)) > 1)
    return windows if windows != name and used and decode_strict(data, windows) is not None else name


def is_mostly_high(data: bytes, above: int = 0xA0) -> bool:
    """Whether bytes above `above` outnumber ASCII letters, which makes Latin script unlikely."""
    sample = _TAG.sub(b"", data[:_SAMPLE_BYTES])
    high = sum(1 for byte in sample if byte > above)
    # Some bytes must be C0 or above, because currency and other signs are below C0 in windows-1252.
    return high > _letter_count(sample) and sum(1 for byte in sample if byte >= 0xC0) >= 4


def _letter_count(sample: bytes) -> int:
    return len(sample) - len(sample.translate(None, string.ascii_letters.encode()))
