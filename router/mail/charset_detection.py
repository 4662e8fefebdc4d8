"""The charset of text that no label names: what the text declares itself, what the mail uses, what its language tells.

Languages are told apart by chardet, on a bounded sample of the lines that are not ASCII. It is loaded when it is first
needed: it takes 40 MB.
"""

from __future__ import annotations

import re

from router.mail.charset_labels import codec
from router.mail.charsets import decode_charset, decode_labelled, is_text_of, mostly_high

MAX_SAMPLE = 4096
"""Bytes that the detector gets: it reads a sentence right, and its cost grows with the square for some input."""
MAX_DETECTIONS = 16
"""Texts of one mail that are detected; the charset of the last one serves for those after it."""
_BEFORE, _BEHIND = 512, 16384  # bytes of a long line that are looked at around the first one that is not ASCII
_MAX_DECLARATION = 8192  # bytes in which markup declares its charset

_XML = re.compile(rb"""\s*<\?xml[^<>]{0,128}?encoding\s{0,8}=\s{0,8}["']([\w.:-]{1,64})["']""")
_META = re.compile(rb"""(?i)<meta[^<>]{0,512}?charset\s{0,8}=\s{0,8}["']?\s{0,8}([\w.:-]{1,64})""")
_TAG = re.compile(rb"<[^<>]*>")
_HIGH = re.compile(rb"[\x80-\xff]")
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")

_LATIN = ("cp1252", "cp1250", "cp1254", "cp1257", "cp1258", "iso8859-2")
_OTHER_SCRIPTS = (
    *("cp1251", "koi8-r", "koi8-u", "iso8859-5", "cp1253", "iso8859-7", "cp1255", "iso8859-8", "cp1256", "iso8859-6"),
    "cp874",
)
# Charsets that mail is written in: those of DOS, the old Mac OS and mainframes only make short texts ambiguous.
_CANDIDATES = (*_LATIN, *_OTHER_SCRIPTS, "big5", "cp932", "shift_jis", "cp949", "euc-kr", "euc-jp", "gb18030")


class CharsetReader:
    """Decodes the texts of one mail."""

    def __init__(self, hint: str) -> None:
        """hint: the label of the charset that the mail uses elsewhere, `""` if unknown."""
        self._hint = hint
        self._detections = 0
        self._last = ""

    def decode(self, data: bytes, label: str, *, markup: bool) -> tuple[str, bool]:
        """As `decode_charset`. markup: whether the text may declare its charset as HTML and XML do."""
        declared = declared_charset(data) if markup else ""
        if not codec(label) and is_text_of(data, declared):
            label = declared
        found = decode_labelled(data, label)
        if found is not None:
            return found
        for known in (declared, self._hint):
            if is_text_of(data, known):
                return decode_charset(data, known)[0], True
        if self._detections < MAX_DETECTIONS:
            self._detections += 1
            self._last = detect_charset(data)
        return decode_charset(data, self._last, label)[0], True


def declared_charset(data: bytes) -> str:
    """The label in an XML declaration or in HTML's own meta element, `""` without one.

    Markup whose declaration can be read as ASCII is not UTF-16 (WHATWG, "prescan a byte stream").
    """
    head = data[:_MAX_DECLARATION]
    match = _XML.match(head) or _META.search(head)
    label = match[1].decode("ascii", "replace") if match else ""
    return "utf-8" if codec(label).startswith(("utf_16", "utf_32")) else label


def detect_charset(data: bytes) -> str:
    """The label of the likeliest charset of text that is not UTF-8, `""` if there is none."""
    sample = _sample(data)
    if not sample:
        return ""
    found = _likeliest(sample, _CANDIDATES)
    if found in _OTHER_SCRIPTS and _has_mixed_words(sample):
        return _likeliest(sample, _LATIN)
    if found in _LATIN and mostly_high(sample):
        return _likeliest(sample, tuple(name for name in _CANDIDATES if name not in _LATIN))
    return found


def _sample(data: bytes) -> bytes:
    """Lines that are not ASCII, without tags, up to the bound. `<`, `>` and LF are never part of a longer character."""
    out = bytearray()
    at = 0
    while len(out) < MAX_SAMPLE and (high := _HIGH.search(data, at)):
        before = max(at, high.start() - _BEFORE)
        start = max(before, data.rfind(b"\n", before, high.start()) + 1)
        end = high.start() + _BEHIND
        at = data.find(b"\n", high.start(), end)
        at = end if at < 0 else at
        line = _TAG.sub(b" ", data[start:at])
        if not line.isascii():
            out += line[: MAX_SAMPLE - len(out)] + b"\n"
    return bytes(out)


def _has_mixed_words(sample: bytes) -> bool:
    """Whether the bytes that are not ASCII are letters of Latin words: other scripts share no word with ASCII."""
    mixed = pure = 0
    for match in _WORD.finditer(sample):
        word = match[0]
        high = sum(1 for byte in word if byte >= 0x80)
        if high:
            mixed += high < len(word) or high == 1
            pure += high == len(word) and high > 1
    return mixed > pure


def _likeliest(sample: bytes, candidates: tuple[str, ...]) -> str:
    import chardet  # noqa: PLC0415 - see the module

    try:
        found = chardet.detect(
            sample,
            max_bytes=MAX_SAMPLE,
            include_encodings=candidates,
            no_match_encoding=candidates[0],
            empty_input_encoding=candidates[0],
            compat_names=False,
            prefer_superset=False,
        )
    except Exception:  # noqa: BLE001 - a defect of the detector must not keep a mail from being accepted or read
        return ""
    return found["encoding"] or ""
