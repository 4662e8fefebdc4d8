"""Content-Transfer-Encoding (RFC 2045 section 6): encoded bodies as bytes.

Total and linear: any bytes decode to something, and what could not be decoded is reported.
"""

from __future__ import annotations

import binascii
import re

from router.mail.decode import lenient_base64

_WORDS = re.compile(rb"[^\s][ \t]+[^\s]")


def decode(data: bytes, encoding: str) -> tuple[bytes, bool]:
    """The decoded bytes, and whether all of `data` could be decoded.

    encoding: the mechanism in lower case; an unknown one leaves the bytes as they are.
    """
    if encoding == "base64":
        return _base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data), True
    return data, True


def _base64(data: bytes) -> tuple[bytes, bool]:
    if _written_in_words(data):
        return data, False
    blank = data.find(b" ")
    if blank >= 0 and (words := _WORDS.search(data, max(0, blank - 1))):
        # A footer that a list put below: base64 has no blanks inside a line.
        return _base64(data[: max(0, data.rfind(b"\n", 0, words.start()))])[0], False
    padding = data.find(b"=")
    whole = padding < 0 or not data[padding:].strip(b"=\r\n \t")
    try:
        return binascii.a2b_base64(data), whole
    except binascii.Error:
        return lenient_base64(data), False


def _written_in_words(data: bytes) -> bool:
    """Whether what calls itself base64 is plain text: blanks inside its first lines."""
    return any(_WORDS.search(line) for line in data[:512].split(b"\n")[:2])


def decoded_size(data: bytes, encoding: str) -> int:
    """The number of bytes that `data` decodes to, without decoding base64: counting costs no copy."""
    if encoding != "base64":
        return len(decode(data, encoding)[0])
    noise = sum(data.count(byte) for byte in (b"\r", b"\n", b" ", b"\t", b"="))
    return (len(data) - noise) * 3 // 4
