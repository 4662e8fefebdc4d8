"""Decodes charsets that combine several character sets in one text, in linear time.

Supports ISO-2022-JP with the extensions of CP50221, EUC-JP with the extensions of CP51932, ISO-2022-KR and HZ.
Undecodable bytes become U+FFFD, so the rest of the text stays readable.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Collection
from itertools import accumulate
from operator import sub

# Escape sequences (RFC 1468, RFC 1554, RFC 1557, JIS X 0213), the shifts SO and SI, and LF.
_SWITCH = re.compile(rb"\x1b(?:\$[@AB]|\$\([@A-Z]|\$\)[A-Z]|\([A-Z]|\)[A-Z]|\.[AF])|[\x0e\x0f\n]")
# An escape sequence of a two-byte set, or SO, without another escape sequence or SI before the end of the line.
_OPEN_LINE = re.compile(rb"(?:\x1b\$|\x0e)[^\x1b\x0e\x0f\n]*+\n")
# Text up to the next switch, if this is an escape sequence to ASCII or JIS X 0201 Roman, or SI.
# Such text after an open line is the rest of a folded line.
_CLOSED_LATER = re.compile(rb"[^\x1b\x0e\x0f]*+(?:\x1b\([BJ]|\x0f)")
_BARE_SWITCH = re.compile(rb"\$[@B]|\([BJ]|[^\x21-\x7e]")
_BARE_OPENERS, _BARE_CLOSERS = (b"$@", b"$B"), (b"(B", b"(J")
_PAIRS = re.compile(rb"([\x21-\x7e]+)|([\x00-\x20]+)|.", re.DOTALL)
_EUC_JP = re.compile(rb"([\xa1-\xfe]+)|((?:\x8e[\xa1-\xdf])+)|((?:\x8f[\xa1-\xfe]{2})+)|([\x00-\x7f]+)|.", re.DOTALL)
_HZ = re.compile(rb"~\{(.*?)(?:~\}|(?=\n)|\Z)", re.DOTALL)

_Decoder = Callable[[bytes], str]

_HIGH = bytes(number | 0x80 for number in range(256))
_LOW = bytes(number & 0x7F for number in range(256))
# Conversion of JIS X 0208 to Shift_JIS, in which an odd and an even row share a lead byte.
_SJIS_LEAD = bytes((n + 1 >> 1) + (0x70 if n < 0x5F else 0xB0) & 0xFF for n in range(256))
_SJIS_ODD_TRAIL = bytes(n + (0x1F if n < 0x60 else 0x20) & 0xFF for n in range(256))
_SJIS_EVEN_TRAIL = bytes(n + 0x7E & 0xFF for n in range(256))
_PRIVATE_USE = re.compile("[\ue000-\uf8ff]")
_ODD = bytes(0xFF if n % 2 else 0 for n in range(256))


def _skip_pair(error: UnicodeError) -> tuple[str, int]:
    """Replaces both bytes of an undecodable pair; skipping one byte would misalign all later pairs."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ufffd", min(error.start + 2, len(error.object))


_PAIR_ERRORS = "emailrouter-pair"
codecs.register_error(_PAIR_ERRORS, _skip_pair)


def has_open_line(data: bytes) -> bool:
    return _OPEN_LINE.search(data) is not None


def decode_iso2022(data: bytes) -> str:
    """Decodes text with escape sequences (RFC 1468, RFC 1557).

    Each line starts in ASCII. Only the rest of a folded line continues in the character set of the previous line. Bytes
    above 127 outside two-byte sets are decoded as half-width katakana or Shift_JIS.
    """
    pieces: list[str] = []
    decode: _Decoder = _decode_ascii
    shift_in: _Decoder = _decode_ascii
    shift_out: _Decoder = _decode_katakana  # until an escape sequence designates another set, SO selects katakana
    position = closed_at = 0
    for switch in _SWITCH.finditer(data):
        if switch.start() > position:
            pieces.append(decode(data[position : switch.start()]))
        position = switch.end()
        code = switch[0]
        if (designated := _DECODERS.get(code[1:])) is not None:
            decode = shift_in = designated
        elif code == b"\n":
            pieces.append("\n")
            if position > closed_at and decode is not _decode_ascii:
                closing = _CLOSED_LATER.match(data, position)
                closed_at = closing.end() if closing else position
            if position >= closed_at:
                decode = shift_in = _decode_ascii
        elif code == b"\x0e":
            decode = shift_out
        elif code == b"\x0f":
            decode = shift_in
        elif code[1:3] == b"$)" or code[1:2] == b")":
            shift_out = _DECODERS.get(b"$(" + code[3:] if code[1:2] == b"$" else b"(" + code[2:], _decode_ascii)
        elif code[1:2] != b".":
            decode = shift_in = _decode_ascii
    pieces.append(decode(data[position:]))
    return "".join(pieces)


def restore_escapes(data: bytes) -> bytes:
    """Inserts the escape characters (ESC) that a gateway removed from ISO-2022-JP."""
    pieces: list[bytes] = []
    position, opened = 0, -1
    for match in _BARE_SWITCH.finditer(data):
        mark, start = match[0], match.start()
        if mark in _BARE_OPENERS:
            opened = start if opened < 0 else opened
        elif mark in _BARE_CLOSERS:
            if opened >= 0 and (start - opened) % 2 == 0 and start - opened > 2:
                pieces += (data[position:opened], b"\x1b", data[opened:start], b"\x1b", mark)
                position, opened = match.end(), -1
        else:
            opened = -1
    return b"".join((*pieces, data[position:]))


def decode_euc_jp(data: bytes) -> str:
    """Decodes EUC-JP with the extensions of CP51932."""
    pieces = [""]
    for match in _EUC_JP.finditer(data):
        pairs, katakana, third, plain = match.groups()
        if pairs:
            pieces.append(_decode_run(pairs.translate(_LOW), _decode_jis_x_0208, after_damage=pieces[-1] == "\ufffd"))
        elif katakana:
            pieces.append(katakana[1::2].decode("cp932"))
        elif third or plain:
            pieces.append(match[0].decode("euc_jp", "replace"))
        else:
            pieces.append("\ufffd")
    return "".join(pieces)


def decode_hz(data: bytes) -> str:
    """Decodes HZ (RFC 1843): text from `~{` to `~}`, or to the end of the line, is GB 2312."""
    pieces: list[str] = []
    position = 0
    for match in _HZ.finditer(data):
        pieces += (_decode_hz_ascii(data[position : match.start()]), _decode_pairs(match[1], _decode_gb2312))
        position = match.end()
    pieces.append(_decode_hz_ascii(data[position:]))
    return "".join(pieces)


def _decode_hz_ascii(data: bytes) -> str:
    return data.replace(b"~\r\n", b"").replace(b"~\n", b"").replace(b"~~", b"~").decode("ascii", "replace")


def _decode_ascii(data: bytes) -> str:
    return data.decode("ascii") if data.isascii() else data.decode("cp932", "replace")


def _decode_roman(data: bytes) -> str:
    return _decode_ascii(data).replace("\\", "\u00a5").replace("~", "\u203e")


def _decode_katakana(data: bytes) -> str:
    """Decodes JIS X 0201 katakana in the 7-bit or 8-bit form."""
    return "".join(chr(0xFF40 + byte) if 0x21 <= byte <= 0x5F else chr(byte & 0x7F) for byte in data.translate(_LOW))


def _decode_pairs(data: bytes, decode: _Decoder) -> str:
    """Decodes pairs of a 94 x 94 character set. Spaces and control characters may stand between the pairs."""
    if data.isalnum() and len(data) % 2 == 0:
        return decode(data)
    pieces = [""]
    for match in _PAIRS.finditer(data):
        if match[1]:
            pieces.append(_decode_run(match[1], decode, after_damage=pieces[-1] == "\ufffd"))
        else:
            pieces.append(match[2].decode("ascii") if match[2] else "\ufffd")
    return "".join(pieces)


def _decode_run(run: bytes, decode: _Decoder, *, after_damage: bool) -> str:
    """Decodes a run of pairs. In a run of odd length, the most likely extra byte becomes U+FFFD."""
    if len(run) % 2 == 0:
        return decode(run)
    index = find_odd_byte(run, _LEADS.get(decode, b""), prefer_first=after_damage)
    return decode(run[:index]) + "\ufffd" + decode(run[index + 1 :])


def find_odd_byte(run: bytes, common: Collection[int], *, prefer_first: bool = False) -> int:
    """Returns the index of the most likely extra byte in an odd-length run of pairs.

    Args:
        common: Lead bytes of the most frequent characters. A repeated lead byte has more weight.
        prefer_first: If several bytes are equally likely, return the first index instead of the last.
    """
    weights = bytearray(256)
    for lead in common:
        weights[lead] += 1
    scores = run.translate(weights)
    gains = [*accumulate(map(sub, scores[0::2], scores[1::2]), initial=0)]
    best = max(gains)
    return 2 * (gains.index(best) if prefer_first else len(gains) - 1 - gains[::-1].index(best))


def _decode_jis_x_0208(pairs: bytes) -> str:
    """Decodes JIS X 0208 with the NEC extensions of CP932 (row 13, and IBM characters in rows 89 to 92)."""
    try:
        return pairs.translate(_HIGH).decode("euc_jp")
    except UnicodeDecodeError:
        leads, trails = pairs[0::2], pairs[1::2]
        odd, even, mask = (
            int.from_bytes(part)
            for part in (trails.translate(_SJIS_ODD_TRAIL), trails.translate(_SJIS_EVEN_TRAIL), leads.translate(_ODD))
        )
        sjis = bytearray(len(pairs))
        sjis[0::2] = leads.translate(_SJIS_LEAD)
        sjis[1::2] = (even ^ ((even ^ odd) & mask)).to_bytes(len(trails))
        return sjis.decode("cp932", _PAIR_ERRORS)


def _decode_gb2312(pairs: bytes) -> str:
    text = pairs.translate(_HIGH).decode("gb18030", _PAIR_ERRORS)
    # GB 18030 maps most pairs that GB 2312 does not define to private-use characters.
    return _PRIVATE_USE.sub("\ufffd", text)


def _decode_ks_x_1001(pairs: bytes) -> str:
    return pairs.translate(_HIGH).decode("cp949", _PAIR_ERRORS)


def _decode_jis_x_0212(pairs: bytes) -> str:
    third = bytearray(b"\x8f") * (len(pairs) // 2 * 3)
    third[1::3], third[2::3] = pairs[0::2].translate(_HIGH), pairs[1::2].translate(_HIGH)
    return third.decode("euc_jp", "replace")


def _pair_decoder(decode: _Decoder) -> _Decoder:
    return lambda data: _decode_pairs(data, decode)


def _jis_x_0213_decoder(escape: bytes) -> _Decoder:
    return _pair_decoder(lambda pairs: (escape + pairs).decode("iso2022_jp_2004", "replace"))


# Lead bytes of frequent characters: punctuation, and first-level ideographs or syllables. The lead bytes of kana occur
# twice to double their weight.
_LEADS: dict[_Decoder, bytes] = {
    _decode_jis_x_0208: bytes((0x21, 0x24, 0x24, 0x25, 0x25, *range(0x30, 0x50))),
    _decode_gb2312: bytes((0x21, 0x23, *range(0x30, 0x58))),
    _decode_ks_x_1001: bytes((0x21, *range(0x30, 0x49))),
}
# Decoders by escape sequence without ESC. `$(O` and `$(Q` select plane 1 of JIS X 0213, `$(P` selects plane 2.
_DECODERS: dict[bytes, _Decoder] = {
    b"(B": _decode_ascii,
    b"(J": _decode_roman,
    b"(I": _decode_katakana,
    b"$@": _pair_decoder(_decode_jis_x_0208),
    b"$B": _pair_decoder(_decode_jis_x_0208),
    b"$(B": _pair_decoder(_decode_jis_x_0208),
    b"$(D": _pair_decoder(_decode_jis_x_0212),
    b"$A": _pair_decoder(_decode_gb2312),
    b"$(A": _pair_decoder(_decode_gb2312),
    b"$(C": _pair_decoder(_decode_ks_x_1001),
    b"$(O": _jis_x_0213_decoder(b"\x1b$(O"),
    b"$(P": _jis_x_0213_decoder(b"\x1b$(P"),
    b"$(Q": _jis_x_0213_decoder(b"\x1b$(Q"),
}
