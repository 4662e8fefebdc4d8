"""Decodes encoded words (RFC 2047), parameters of header fields (RFC 2231) and damaged base64; cleans text.

Every function returns a result for any input and never raises. Cleaned text has no NUL and no lone surrogates, so
PostgreSQL can store the text.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from router.mail.charsets import decode_charset, decode_labelled
from router.unicode_security import safe_line

_NOT_STORABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_NOT_IN_LINE = re.compile("[\x00-\x1f\x7f-\x9f]")
ENCODED_WORD = re.compile(rb"=\?([^?\s]{1,64})\?([bBqQ])\?")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
_COMMENT = re.compile(rb"\([^()]{0,256}\)")
# A comment may stand before a parameter name, and before and after the equals sign (RFC 2045 section 5.1).
_PARAMETER = re.compile(
    rb";\s*(?:\([^()]{0,256}\)\s*)?([^\s=;()]{1,128})\s*(?:\([^()]{0,256}\)\s*)?=\s*(?:\([^()]{0,256}\)\s*(?=\"))?"
    rb'(?:"((?:[^"\\]|\\.)*)"|([^;]*))',
    re.DOTALL,
)
# Parameters whose unquoted values may contain parentheses that are not comments: `name=report (1).pdf`.
_FILE_NAMES = ("name", "filename")
_CONTINUED = re.compile(r"(.+?)(?:\*(\d{1,3}))?(\*)?\Z")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_NOT_IN_FILENAME = re.compile('[<>:"|?*\u200e\u200f\u061c]')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[\d\xb9\xb2\xb3]) *(?:\.|\Z)", re.IGNORECASE)


def decode_encoded_words(value: bytes, hint: str = "", fallback: str | None = None) -> str:
    """Decodes the encoded words of a field value (RFC 2047 section 6). The result is not cleaned.

    Args:
        hint: The charset of raw 8-bit bytes.
        fallback: The charset of encoded words whose label is unusable; `hint` if None.
    """
    if b"=?" not in value:
        return _decode_raw(value, hint)
    fallback = hint if fallback is None else fallback
    return "".join(
        _decode_raw(data, hint) if label is None else decode_charset(data, label, fallback)[0]
        for data, label in _split_encoded_words(value)
    )


def undecodable_bytes(value: bytes) -> bytes:
    """Returns the 8-bit text without a usable charset label: raw text, and decoded bytes of encoded words."""
    return b" ".join(
        data
        for data, label in _split_encoded_words(value)
        if not data.isascii() and (label is None or decode_labelled(data, label) is None)
    )


def _decode_raw(data: bytes, hint: str) -> str:
    return data.decode("ascii") if data.isascii() and b"\x1b" not in data else decode_charset(data, hint)[0]


def _split_encoded_words(value: bytes) -> Iterator[tuple[bytes, str | None]]:
    """Yields (decoded bytes, charset label) for encoded words, and (bytes, None) for other text.

    Some mail programs split a multibyte character between two encoded words, which RFC 2047 section 5 forbids. So
    adjacent words with the same charset are joined.
    """
    pending = bytearray()  # decoded bytes of the preceding adjacent words, which have the same charset
    charset = ""
    position = 0
    while (start := value.find(b"=?", position)) >= 0 and (head := ENCODED_WORD.search(value, start)):
        end = value.find(b"?=", head.end())
        if end < 0:
            break  # no later word has an end; stopping keeps the scan linear
        between = value[position : head.start()]
        label = head[1].decode("ascii", "replace")
        data = _decode_word(value[head.end() : end], head[2])
        if pending and not between.strip() and label.lower() == charset.lower():
            pending += data
        else:
            if pending:
                yield bytes(pending), charset
            if between and (between.strip() or not charset):
                yield between, None
            pending, charset = bytearray(data), label
        position = end + 2
    if pending:
        yield bytes(pending), charset
    yield value[position:], None


def _decode_word(text: bytes, encoding: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(text.replace(b"\n", b""), header=True)
    return decode_base64_leniently(text)


def decode_base64_leniently(text: bytes) -> bytes:
    """Decodes base64, ignoring padding and all bytes outside the alphabet."""
    text = text.translate(None, _NOT_BASE64)
    spare = len(text) % 4
    if spare == 1:
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def parse_parameters(value: bytes, hint: str = "") -> tuple[str, dict[str, str]]:
    """Returns the first token and the parameters of a Content-Type or Content-Disposition (RFC 2045 section 5.1).

    The token and the parameter names are in lower case. Values are decoded (RFC 2231), including encoded words, which
    RFC 2047 section 5 forbids in parameters.
    """
    token, remaining = _split_parameters(value[:8192])
    found: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for match in _PARAMETER.finditer(remaining):
        name = match[1].decode("ascii", "replace").lower()
        data = _strip_comment(name, match[3]) if match[2] is None else _unquote(match[2])
        continuation = _CONTINUED.match(name)
        if "*" in name and continuation:
            number = int(continuation[2] or 0)
            pieces.setdefault(continuation[1], {}).setdefault(number, (data, continuation[3] is not None))
        else:
            found.setdefault(name, decode_encoded_words(data, hint))
    for name, numbered in pieces.items():
        found[name] = _join_continuations(numbered, hint)
    return token.lower().decode("ascii", "replace"), found


def _split_parameters(value: bytes) -> tuple[bytes, bytes]:
    """Separates the first token from the parameters, even if the semicolon between them is missing."""
    token, semicolon, remaining = value.partition(b";")
    first, _, more = _COMMENT.sub(b"", token).replace(b"\t", b" ").strip().partition(b" ")
    return first, b";" + more + semicolon + remaining if b"=" in more else semicolon + remaining


def _strip_comment(name: str, value: bytes) -> bytes:
    return (value if name.startswith(_FILE_NAMES) else _COMMENT.sub(b"", value).partition(b"(")[0]).strip()


def _unquote(value: bytes) -> bytes:
    return value.replace(b'\\"', b'"').replace(b"\\\\", b"\\")


def _join_continuations(numbered: dict[int, tuple[bytes, bool]], hint: str) -> str:
    """Joins the pieces of a parameter value (RFC 2231 section 3).

    The first piece may start with a charset and a language (section 4).
    """
    charset = ""
    data = b""
    for position, number in enumerate(sorted(numbered)):
        piece, extended = numbered[number]
        if extended:
            if position == 0 and piece.count(b"'") >= 2:
                label, _, piece = piece.split(b"'", 2)
                charset = label.decode("ascii", "replace")
            piece = _PERCENT.sub(lambda m: bytes((int(m[1], 16),)), piece)
        data += piece
    if b"=?" in data and not charset:
        return decode_encoded_words(data, hint)
    return decode_charset(data, charset or hint, hint)[0]


def safe_filename(text: str) -> str:
    """Returns a safe filename, `""` if nothing remains.

    The filename has no directories, control characters or direction marks. A Windows device name such as `CON` gets the
    prefix `_`.
    """
    name = _NOT_IN_FILENAME.sub("_", clean_line(text, 1024).replace("\\", "/").rpartition("/")[2]).strip(" .")
    if _DEVICE.match(name):
        name = f"_{name}"
    if len(name) > 120:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[: 119 - len(ending)]}.{ending}" if dot and len(ending) <= 16 else name[:120]
    return name


def clean_line(text: str, limit: int) -> str:
    """Returns one line of at most `limit` characters for display and storage.

    Removes deceptive characters (`router.unicode_security`).
    """
    text = " ".join(text[: limit * 4].split())
    if not (text.isascii() and text.isprintable()):
        text = " ".join(safe_line(_SURROGATES.sub("\ufffd", _NOT_IN_LINE.sub("", text))).split())
    return text[:limit].rstrip()


def clean_text(text: str) -> str:
    """Returns text with LF line endings.

    Removes control characters except tabs, and replaces lone surrogates by U+FFFD.
    """
    if "\r" in text:
        # CR CR LF is one line ending, to which a gateway or an encoder added a CR.
        text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    if "\f" in text or "\v" in text or "\x85" in text:  # Microsoft Word separates the lines of a paragraph by VT
        text = text.replace("\f", "\n").replace("\v", "\n").replace("\x85", "\n")
    if text.isascii():
        return _NOT_STORABLE.sub("", text)
    return _SURROGATES.sub("\ufffd", _NOT_STORABLE.sub("", text))
