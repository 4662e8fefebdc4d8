"""Header fields as text: encoded words (RFC 2047), parameters (RFC 2231), lenient base64.

Every function here is total: any bytes and any label give a text, in time linear in the input, and never an
exception. What comes out of `one_line` and `storable` can be kept in a PostgreSQL TEXT column: no NUL, no lone
surrogates.
"""

from __future__ import annotations

import binascii
import re

from router.mail.charsets import decode_charset

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
