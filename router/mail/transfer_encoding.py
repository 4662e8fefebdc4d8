"""Decodes Content-Transfer-Encoding (RFC 2045 section 6) in linear time for any bytes.

Some gateways append a second run of base64 with its own padding. Some mailing lists and virus scanners insert lines of
words into base64. Such lines are usually recognised, and then not decoded.
"""

from __future__ import annotations

import binascii
import re
from collections import Counter
from collections.abc import Iterator
from operator import ne

from router.mail import uuencode

_MECHANISM = re.compile(rb"\s{0,64}(?:\([^()]{0,256}\))?[\s\"']{0,64}([^\s\"'(;:,]{1,32})")
_NOT_LETTERS = re.compile(r"[^a-z0-9]")
# Mechanisms by name without punctuation; programs differ in the punctuation.
_MECHANISMS = {
    "b64": "base64",
    "qp": "quoted-printable",
    **dict.fromkeys(("uuencode", "xuuencode", "uue", "xuue"), "uuencode"),
}

_SOFT_BREAK = re.compile(rb"=[ \t]*+(?:\r++\n?|\n|\Z)")
_LONE_EQUALS_SIGN = re.compile(rb"=(?==)")

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
_NOT_BASE64_OR_PADDING = bytes(set(range(256)) - set(_BASE64) - set(b"="))
_FOREIGN_AS_ZEROS = bytes(byte if byte in _BASE64 else ord("A") for byte in range(256))
_MAX_ALIGNED_LINES = 200_000  # about 15 MB of base64; limits time and memory
_MIN_FULL_LINES = 2  # minimum number of equally long lines that establish the line length
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/=\r\n]")
_INNER_BLANK = re.compile(rb"[^ \t\r][ \t]+[^ \t\r]")
# A base64 run that ends with padding, followed by other text on the same line.
_CLOSED_RUN = re.compile(rb"(?:[A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2}(?:==|[A-Za-z0-9+/]=)(?=[ \t])")
# A line that may be base64. Unlike most words, base64 usually has an upper-case letter after a lower-case letter.
_BASE64_LINE = re.compile(rb"\n([A-Za-z0-9+/]{14,}+={0,2}+)(?=[ \t\r]*(?:\n|\Z))")
_CASE_CHANGE = re.compile(rb"[a-z][A-Z]")
_MIN_SPACED_LENGTH = 20  # characters of a base64 run between spaces; hardly any word is so long
# Words of lower-case letters, which may start with a capital. base64 hardly ever consists of such words.
_PLAIN_WORDS = re.compile(rb"\s*(?:[A-Z]?[a-z]+(?:\s+|\Z))*+\Z")
_MAX_PLAIN_WORDS_BYTES = 1024  # longer text usually contains other characters too
# Minimum ratio of the length of a base64 line to the number of its foreign bytes.
_NOISE_RATIO = 16
# These limits bound the time for a crafted message.
_MAX_TEXT_LINES = 100_000
_MAX_RUNS = 500_000


def parse_mechanism(value: bytes) -> str:
    """Returns the mechanism of a Content-Transfer-Encoding, `""` if there is none.

    Variant names, such as `x-uue`, are replaced by `base64`, `quoted-printable` or `uuencode`.
    """
    match = _MECHANISM.match(value)
    name = match[1].decode("ascii", "replace").lower() if match else ""
    letters = _NOT_LETTERS.sub("", name)
    if letters == "base" or "base64" in letters:
        return "base64"
    return "quoted-printable" if "quoted" in letters else _MECHANISMS.get(letters, name)


def decode(data: bytes, encoding: str, *, keep_text: bool = False) -> tuple[bytes, bool]:
    """Decodes data; also returns whether all of it could be decoded.

    Args:
        encoding: A result of `parse_mechanism`. Data with an unknown mechanism is returned unchanged.
        keep_text: Whether to include lines of words around base64, which suits displayed text but not files. Words on
            the same line after the padding are usually dropped (RFC 2045 section 6.8).
    """
    if encoding == "base64":
        return _decode_base64(data, keep_text=keep_text)
    if encoding == "quoted-printable":
        return _decode_quoted_printable(data), True
    if encoding == "uuencode":
        return uuencode.decode(data)
    return data, True


def _decode_quoted_printable(data: bytes) -> bytes:
    """Decodes quoted-printable.

    Ignores white space between the `=` of a soft line break and the line ending (RFC 2045 section 6.7).
    """
    if b"= " in data or b"=\t" in data or data.count(b"=\r") != data.count(b"=\r\n"):
        data = _SOFT_BREAK.sub(b"=\n", data)
    if b"==" in data:  # `binascii` would decode `==` as one `=`
        data = _LONE_EQUALS_SIGN.sub(b"=3D", data)
    return binascii.a2b_qp(data)


def decoded_size(data: bytes, encoding: str) -> tuple[int, bool]:
    """Returns the size in bytes of the data that `decode` returns, and whether all data could be decoded.

    A single run of base64, the usual case, is counted without decoding.
    """
    if encoding == "base64" and _is_one_run(data):
        characters = len(data.translate(None, _NOT_BASE64))
        return characters * 3 // 4, characters % 4 != 1
    decoded, is_complete = decode(data, encoding)
    return len(decoded), is_complete


def _is_one_run(data: bytes) -> bool:
    if _is_plain_words(data) or _find_trailing_word(data) < len(data):
        return False
    if (len(data) - data.count(b"\r") - data.count(b"\n")) % 4 and b"\n" in data.strip():
        return False  # a character was lost or added
    noise = data.translate(None, _BASE64 + b"\r\n")
    return not noise or (not noise.strip(b"=") and not data[data.index(b"=") :].strip(b"=\r\n"))


def _is_plain_words(data: bytes) -> bool:
    return len(data) <= _MAX_PLAIN_WORDS_BYTES and _PLAIN_WORDS.match(data) is not None and data.strip() != b""


def _find_trailing_word(data: bytes) -> int:
    """Returns the start of the last line if it is a word after complete base64.

    Otherwise returns the length of the data.
    """
    end = len(data.rstrip())
    start = data.rfind(b"\n", 0, end) + 1
    line = data[start:end].strip()
    if start == 0 or len(line) % 4 == 0 or b"=" in line:
        return len(data)
    before = data[:start].rstrip()
    if before.endswith(b"="):
        return start
    run_is_complete = len(before.translate(None, _NOT_BASE64)) % 4 == 0
    return start if run_is_complete and (len(line) % 4 == 1 or _is_plain_words(line)) else len(data)


def _decode_base64(data: bytes, *, keep_text: bool) -> tuple[bytes, bool]:
    if _is_one_run(data):
        return _decode_run(data.translate(None, _NOT_BASE64))
    for blank in (b" ", b"\t"):
        data = data.replace(blank + b"\r\n", b"\r\n").replace(blank + b"\n", b"\n")
    pieces: list[bytes] = []
    is_complete, is_encoded = True, False
    for is_words, piece in _split_text_lines(data):
        if is_words or _is_plain_words(piece):
            is_complete = False
            if keep_text:
                pieces.append(b"\n" + piece.strip(b"\r\n") + b"\n")
        elif piece.strip():
            is_encoded = True
            end = _find_trailing_word(piece)
            decoded, run_is_complete = _decode_runs(piece[:end])
            pieces.append(decoded)
            is_complete = is_complete and run_is_complete and end == len(piece)
            if keep_text and end < len(piece):
                pieces.append(b"\n" + piece[end:])
    # Data labelled as base64 without any base64 line is plain text.
    return (b"".join(pieces), is_complete) if is_encoded else (data, False)


def _split_text_lines(data: bytes) -> Iterator[tuple[bool, bytes]]:
    """Splits data into runs of base64 lines and runs of lines of words.

    Yields (whether the run consists of words, run).
    """
    start = position = 0
    for _ in range(_MAX_TEXT_LINES):
        found = _FOREIGN.search(data, position)
        if found is None:
            break
        line_start = data.rfind(b"\n", position, found.start()) + 1 or position
        line_end = data.find(b"\n", found.start())
        line = data[line_start : line_end if line_end >= 0 else len(data)].strip(b" \t\r\n")
        position = line_end if line_end >= 0 else len(data)
        foreign = len(line) - len(line.translate(None, _NOT_BASE64_OR_PADDING))
        if _is_spaced_base64(line) if _INNER_BLANK.search(line) else foreign * _NOISE_RATIO <= len(line):
            continue
        closed_run = _CLOSED_RUN.match(line)
        if closed_run is not None and _CASE_CHANGE.search(closed_run[0]) is None:
            closed_run = None
        yield False, data[start:line_start] + (closed_run[0] if closed_run else b"")
        start = _find_base64(data, position)
        yield True, data[position if closed_run else line_start : start]
        position = start
    yield False, data[start:]


def _is_spaced_base64(line: bytes) -> bool:
    *before, last = line.split()
    if last.translate(None, _BASE64).strip(b"="):
        return False
    return all(
        len(run) >= _MIN_SPACED_LENGTH and not run.translate(None, _BASE64) and _CASE_CHANGE.search(run)
        for run in before
    )


def _find_base64(data: bytes, position: int) -> int:
    """Returns the start of the next base64 line, or the length of the data if there is none."""
    for _ in range(_MAX_TEXT_LINES):
        found = _BASE64_LINE.search(data, position)
        if found is None:
            break
        if len(found[1]) % 4 == 0 and _CASE_CHANGE.search(found[1]):
            return found.start(1)
        position = found.end()
    return len(data)


def _decode_runs(data: bytes) -> tuple[bytes, bool]:
    pieces: list[bytes] = []
    aligned = _align_lines(data) if len(data.translate(None, _NOT_BASE64_OR_PADDING)) % 4 else data
    is_complete = aligned is data
    for run in aligned.translate(None, _NOT_BASE64_OR_PADDING).split(b"=", _MAX_RUNS):
        if run:
            decoded, run_is_complete = _decode_run(run.translate(None, b"=") if b"=" in run else run)
            pieces.append(decoded)
            is_complete = is_complete and run_is_complete
    return b"".join(pieces), is_complete


def _align_lines(data: bytes) -> bytes:
    """Realigns damaged lines, so that damage to a line does not affect the next line.

    Returns `data` itself if nothing was changed.
    """
    if data.count(b"\n") > _MAX_ALIGNED_LINES:
        return data
    lines = data.strip().split(b"\n")
    widths = Counter(len(line.strip()) for line in lines[:-1])
    width = widths.most_common(1)[0][0] if widths else 0
    if width % 4 or widths[width] < _MIN_FULL_LINES:
        return data
    aligned = [_align_line(line.strip(), width) for line in lines[:-1]]
    return b"\n".join((*aligned, lines[-1])) if any(map(ne, aligned, map(bytes.strip, lines))) else data


def _align_line(line: bytes, width: int) -> bytes:
    if b"=" in line:
        return line
    if len(line) == width:
        return line.translate(_FOREIGN_AS_ZEROS)
    return line + b"=" if len(line.translate(None, _NOT_BASE64)) % 4 else line


def _decode_run(run: bytes) -> tuple[bytes, bool]:
    """Decodes a run of base64 without padding; also returns whether the run is complete.

    A last character that completes no byte is dropped.
    """
    spare = len(run) % 4
    if spare == 1:
        run = run[:-1]
    return binascii.a2b_base64(run + b"=" * (-len(run) % 4)), spare != 1
