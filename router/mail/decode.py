"""Header fields as text: encoded words (RFC 2047), parameters (RFC 2231), lenient base64.

Every function here is total: any bytes and any label give a text, in time linear in the input, and never an
exception. What comes out of `clean_line` and `clean_text` can be kept in a PostgreSQL TEXT column: no NUL, no lone
surrogates.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from router.mail.charsets import decode_charset, decode_labelled
from router.unicode_security import shown_line

_NOT_STORABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufeff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_NOT_IN_LINE = re.compile("[\x00-\x1f\x7f-\x9f]")
ENCODED_WORD = re.compile(rb"=\?([^?\s]{1,64})\?([bBqQ])\?")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
# Comments (RFC 2045 section 5.1) may stand before a name and around its equals sign.
_COMMENT = re.compile(rb"\([^()]{0,256}\)")
_PARAMETER = re.compile(
    rb";\s*(?:\([^()]{0,256}\)\s*)?([^\s=;()]{1,128})\s*(?:\([^()]{0,256}\)\s*)?=\s*(?:\([^()]{0,256}\)\s*(?=\"))?"
    rb'(?:"((?:[^"\\]|\\.)*)"|([^;]*))',
    re.DOTALL,
)
# Values that are written without quotes although they hold parentheses: `name=report (1).pdf`.
_FILE_NAMES = ("name", "filename")
_CONTINUED = re.compile(r"(.+?)(?:\*(\d{1,3}))?(\*)?\Z")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_NOT_IN_FILENAME = re.compile('[<>:"|?*\u200e\u200f\u061c]')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)", re.IGNORECASE)


def decode_encoded_words(value: bytes, hint: str = "", fallback: str | None = None) -> str:
    """An unstructured field's value with its encoded words read (RFC 2047 section 6); not yet cleaned.

    hint: the charset of raw 8-bit bytes. fallback: that of words whose own label is wrong or unknown, `hint` if None.
    """
    if b"=?" not in value:
        return _decode_raw(value, hint)
    fallback = hint if fallback is None else fallback
    return "".join(
        _decode_raw(data, hint) if label is None else decode_charset(data, label, fallback)[0]
        for data, label in _split_encoded_words(value)
    )


def undecodable_bytes(value: bytes) -> bytes:
    """What no label in a field's value explains: raw 8-bit bytes, and words under a wrong or unknown label."""
    return b" ".join(
        data
        for data, label in _split_encoded_words(value)
        if not data.isascii() and (label is None or decode_labelled(data, label) is None)
    )


def _decode_raw(data: bytes, hint: str) -> str:
    return data.decode("ascii") if data.isascii() and b"\x1b" not in data else decode_charset(data, hint)[0]


def _split_encoded_words(value: bytes) -> Iterator[tuple[bytes, str | None]]:
    """The bytes of encoded words with their label, and those between them with None.

    Adjacent words of one charset are joined: many mailers cut inside a character, against RFC 2047 section 5.
    """
    pending = bytearray()  # bytes of the words just before, waiting for more of the same charset
    charset = ""
    at = 0  # end of what has been taken
    while b"=?" in value and (head := ENCODED_WORD.search(value, at)):
        end = value.find(b"?=", head.end())
        if end < 0:
            break  # no later word can end either: this keeps the scan linear
        between = value[at : head.start()]
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
        at = end + 2
    if pending:
        yield bytes(pending), charset
    yield value[at:], None


def _decode_word(text: bytes, encoding: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(text.replace(b"\n", b""), header=True)
    return decode_base64_leniently(text)


def decode_base64_leniently(text: bytes) -> bytes:
    """Base64 without regard to padding, line ends and stray characters; a lone last character is dropped."""
    text = text.translate(None, _NOT_BASE64)
    spare = len(text) % 4
    if spare == 1:
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def parse_parameters(value: bytes, hint: str = "") -> tuple[str, dict[str, str]]:
    """The token in front and the parameters of a Content-Type or Content-Disposition (RFC 2045 section 5.1).

    Names are lower-case, values decoded: continuations and charsets (RFC 2231), encoded words where they should not
    be (RFC 2047 section 5), raw octets. An extended value is preferred to a plain one of the same name.
    """
    token, rest = _split_parameters(value[:8192])
    found: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for match in _PARAMETER.finditer(rest):
        name = match[1].decode("ascii", "replace").lower()
        data = _strip_comment(name, match[3]) if match[2] is None else _unquote(match[2])
        continued = _CONTINUED.match(name)
        if "*" in name and continued:
            number = int(continued[2] or 0)
            pieces.setdefault(continued[1], {}).setdefault(number, (data, continued[3] is not None))
        else:
            found.setdefault(name, decode_encoded_words(data, hint))
    for name, numbered in pieces.items():
        found[name] = _join_continuations(numbered, hint)
    return token.lower().decode("ascii", "replace"), found


def _split_parameters(value: bytes) -> tuple[bytes, bytes]:
    """The token in front, and the parameters; a semicolon that is missing between them is there again."""
    token, semicolon, rest = value.partition(b";")
    first, _, more = _COMMENT.sub(b"", token).replace(b"\t", b" ").strip().partition(b" ")
    return first, b";" + more + semicolon + rest if b"=" in more else semicolon + rest


def _strip_comment(name: str, value: bytes) -> bytes:
    """A value without quotes, and without the comment that may stand behind it."""
    return (value if name.startswith(_FILE_NAMES) else _COMMENT.sub(b"", value).partition(b"(")[0]).strip()


def _unquote(value: bytes) -> bytes:
    return value.replace(b'\\"', b'"').replace(b"\\\\", b"\\")


def _join_continuations(numbered: dict[int, tuple[bytes, bool]], hint: str) -> str:
    """The pieces of one parameter in their order, charset and language taken from the first (RFC 2231 section 4)."""
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
    """A file's name that is only a name: no path, no control or direction marks, nothing a system reads as more.

    At most 120 characters, the ending kept; `""` when nothing is left.
    """
    name = _NOT_IN_FILENAME.sub("_", clean_line(text, 1024).replace("\\", "/").rpartition("/")[2]).strip(" .")
    if _DEVICE.match(name):
        name = f"_{name}"
    if len(name) > 120:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[: 119 - len(ending)]}.{ending}" if dot and len(ending) <= 16 else name[:120]
    return name


def clean_line(text: str, limit: int) -> str:
    """One storable line of at most `limit` characters: white space runs are one blank, controls are gone.

    So are the characters that deceive about what is written (`router.unicode_security`).
    """
    text = " ".join(text[: limit * 4].split())
    if not (text.isascii() and text.isprintable()):
        text = " ".join(shown_line(_SURROGATES.sub("\ufffd", _NOT_IN_LINE.sub("", text))).split())
    return text[:limit].rstrip()


def clean_text(text: str) -> str:
    """Text of several lines, ended by LF, without NUL and other controls and without lone surrogates."""
    if "\r" in text:
        # CR CR LF: a CRLF whose CR was encoded as well, or a gateway's.
        text = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n")
    if "\f" in text or "\v" in text or "\x85" in text:  # Word ends the lines of a paragraph with VT
        text = text.replace("\f", "\n").replace("\v", "\n").replace("\x85", "\n")
    if text.isascii():
        return _NOT_STORABLE.sub("", text)
    return _SURROGATES.sub("\ufffd", _NOT_STORABLE.sub("", text))
