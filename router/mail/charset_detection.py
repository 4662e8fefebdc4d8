"""Finds the charset of text without a usable label: by a declaration, by other parts of the message, or by detection.

The detector, chardet, takes about 33 MB of memory and is loaded on first use.
"""

from __future__ import annotations

import re

from router.mail.charset_labels import MULTIBYTE, codec_for
from router.mail.charsets import (
    UTF_8_CHARACTER,
    can_decode,
    decode_charset,
    decode_labelled,
    decode_strict,
    decode_utf_8,
    is_mostly_high,
)

MAX_SAMPLE_BYTES = 4096
"""The maximum for chardet, which takes quadratic time for some inputs. A sentence is enough for detection."""
MAX_DETECTIONS = 16
"""The maximum number of detections for the texts of a message, and separately for the headers of its parts."""
# The maximum numbers of bytes of a line that are examined before and after a non-ASCII byte.
_BYTES_BEFORE, _BYTES_AFTER = 512, 16384
_MIN_UTF_8_CHARACTERS = 4  # fewer non-ASCII characters are no evidence of UTF-8
_MAX_LINES = 20_000  # text with more lines is not decoded line by line
_MAX_DECLARATION_BYTES = 8192

_XML = re.compile(rb"""\s*<\?xml[^<>]{0,128}?encoding\s{0,8}=\s{0,8}["']([\w.:-]{1,64})["']""")
_META = re.compile(rb"""(?i)<meta[^<>]{0,512}?charset\s{0,8}=\s{0,8}["']?\s{0,8}([\w.:-]{1,64})""")
_TAG = re.compile(rb"<[^<>]*>")
_NON_ASCII = re.compile(rb"[\x80-\xff]")
# Kana identify Japanese. In text in other languages, the two bytes of a kana are rarely adjacent.
_KANA = re.compile("[\u3041-\u30fe]")
_MIN_KANA = 4
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")

_LATIN_CANDIDATES = ("cp1252", "cp1250", "cp1254", "cp1257", "cp1258", "iso8859-2")
_OTHER_CANDIDATES = (
    *("cp1251", "koi8-r", "koi8-u", "iso8859-5", "cp1253", "iso8859-7", "cp1255", "iso8859-8", "cp1256", "iso8859-6"),
    "cp874",
)
# Charsets used in mail. More candidates, such as those of DOS, would make short texts more ambiguous.
_CANDIDATES = (
    *_LATIN_CANDIDATES,
    *_OTHER_CANDIDATES,
    "big5",
    "cp932",
    "shift_jis",
    "cp949",
    "euc-kr",
    "euc-jp",
    "gb18030",
)


class CharsetDecoder:
    """Decodes the texts of one message.

    Args:
        hint: A charset label that is likely for the message, `""` if unknown.
    """

    def __init__(self, hint: str) -> None:
        self._hint = hint
        self._detections = 0
        self._last = ""

    def decode(self, data: bytes, label: str, *, markup: bool) -> tuple[str, bool]:
        """Decodes like `decode_charset`, and finds the charset of text without a usable label.

        Args:
            markup: The text is HTML or XML, and may declare its charset.
        """
        declared = declared_charset(data) if markup else ""
        if not codec_for(label) and can_decode(data, declared):
            label = declared
        numbers = _non_utf_8_lines(data) if codec_for(label) not in MULTIBYTE else []
        if numbers and (mixed := self._decode_mixed(data, label, numbers)) is not None:
            return mixed, True
        return self._decode(data, label, declared)

    def _decode_mixed(self, data: bytes, label: str, numbers: list[int]) -> str | None:
        """Decodes UTF-8 in which the lines `numbers`, such as a footer, have another charset or are damaged.

        Returns None if these lines become more or fewer lines when decoded.
        """
        lines = data.split(b"\n")
        text, _ = self._decode(b"\n".join(lines[number] for number in numbers), label, "")
        texts = text.split("\n")
        if len(texts) != len(numbers):
            return None
        decoded = dict(zip(numbers, texts, strict=True))
        return "\n".join(
            decoded[number] if number in decoded else line.decode("utf_8") for number, line in enumerate(lines)
        ).removeprefix("\ufeff")

    def _decode(self, data: bytes, label: str, declared: str) -> tuple[str, bool]:
        found = decode_labelled(data, label)
        if found is not None:
            return found
        for known in (declared, self._hint):
            if can_decode(data, known):
                return decode_charset(data, known)[0], True
        if self._detections < MAX_DETECTIONS:
            self._detections += 1
            self._last = detect_charset(data)
        return decode_charset(data, self._last, label)[0], True


def _non_utf_8_lines(data: bytes) -> list[int]:
    """Returns the indices of the lines that are not UTF-8, if the others have enough UTF-8 characters; else `[]`."""
    if data.isascii() or b"\x1b$" in data or data.count(b"\n") > _MAX_LINES:
        return []
    if decode_utf_8(data, labelled=True) is not None:
        return []
    numbers: list[int] = []
    valid = 0
    for number, line in enumerate(data.split(b"\n")):
        if decode_strict(line, "utf_8") is not None:
            valid += len(UTF_8_CHARACTER.findall(line))
        else:
            numbers.append(number)
    return numbers if valid >= max(_MIN_UTF_8_CHARACTERS, 2 * len(numbers)) else []


def declared_charset(data: bytes) -> str:
    """Returns the label in an XML declaration or an HTML meta element, `""` without one.

    The declaration is read as ASCII, so a UTF-16 label means UTF-8 (WHATWG, "prescan a byte stream"). So does UTF-32.
    """
    head = data[:_MAX_DECLARATION_BYTES]
    match = _XML.match(head) or _META.search(head)
    label = match[1].decode("ascii", "replace") if match else ""
    return "utf-8" if codec_for(label).startswith(("utf_16", "utf_32")) else label


def detect_charset(data: bytes) -> str:
    """Returns the label of the most likely charset of text that is not UTF-8, `""` if there is none."""
    sample = _sample(data)
    if not sample:
        return ""
    for japanese in ("euc-jp", "cp932"):
        text = decode_strict(sample, codec_for(japanese)) or ""
        kana = len(_KANA.findall(text))
        if kana >= _MIN_KANA and kana * 3 >= len(text) - len(text.encode("ascii", "ignore")):
            return japanese
    found = _likeliest_charset(sample, _CANDIDATES)
    if found in _OTHER_CANDIDATES and _has_mixed_words(sample):
        return _likeliest_charset(sample, _LATIN_CANDIDATES)
    if found in _LATIN_CANDIDATES and is_mostly_high(sample):
        return _likeliest_charset(sample, tuple(name for name in _CANDIDATES if name not in _LATIN_CANDIDATES))
    return found


def _sample(data: bytes) -> bytes:
    """Returns the text around the first non-ASCII bytes, without tags.

    In the candidate charsets, `<`, `>` and LF are never part of a multibyte character.
    """
    sample = bytearray()
    position = 0
    while len(sample) < MAX_SAMPLE_BYTES and (high := _NON_ASCII.search(data, position)):
        before = max(position, high.start() - _BYTES_BEFORE)
        start = max(before, data.rfind(b"\n", before, high.start()) + 1)
        end = high.start() + _BYTES_AFTER
        position = data.find(b"\n", high.start(), end)
        position = end if position < 0 else position
        line = _TAG.sub(b" ", data[start:position])
        if not line.isascii():
            sample += line[: MAX_SAMPLE_BYTES - len(sample)] + b"\n"
    return bytes(sample)


def _has_mixed_words(sample: bytes) -> bool:
    """Whether the words with non-ASCII bytes look like Latin script, in which most also contain ASCII letters."""
    mixed = pure = 0
    for match in _WORD.finditer(sample):
        word = match[0]
        high = sum(1 for byte in word if byte >= 0x80)
        if high:
            mixed += high < len(word) or high == 1
            pure += high == len(word) and high > 1
    return mixed > pure


def _likeliest_charset(sample: bytes, candidates: tuple[str, ...]) -> str:
    import chardet  # noqa: PLC0415 - loaded on first use to save memory

    try:
        found = chardet.detect(
            sample,
            max_bytes=MAX_SAMPLE_BYTES,
            include_encodings=candidates,
            no_match_encoding=candidates[0],
            empty_input_encoding=candidates[0],
            compat_names=False,
            prefer_superset=False,
        )
    except Exception:  # noqa: BLE001 - a defect in the detector must not block a message
        return ""
    return found["encoding"] or ""
