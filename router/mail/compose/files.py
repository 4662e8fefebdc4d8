"""Attachments of a message that is composed."""

from __future__ import annotations

import re
from binascii import b2a_base64
from dataclasses import dataclass
from urllib.parse import quote

from router.mail.compose.header import build_structured
from router.mail.compose.parts import MAX_ENCODED_LINE_LENGTH, MimePart
from router.mail.decode import safe_filename

UNKNOWN_TYPE = "application/octet-stream"
MAX_LINE_BYTES = 998  # without CRLF (RFC 5322 section 2.1.1)
_LONG_LINE = re.compile(rb"\n[^\r\n]{%d}" % (MAX_LINE_BYTES + 1))
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,63}"  # RFC 6838 section 4.2
_TYPE = re.compile(rf"({_NAME})/({_NAME})(?:\s*;\s*charset\s*=\s*(?:({_NAME})|\"({_NAME})\"))?\s*", re.IGNORECASE)
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,200}")
_PLAIN_NAME = re.compile(r"[\w !#$&'()+,.;=@^`{}~-]{1,60}", re.ASCII)
_DATA_BYTES_PER_LINE = MAX_ENCODED_LINE_LENGTH // 4 * 3
_CHUNK_LENGTH = 60  # characters of a piece of a long parameter


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file that is attached.

    Attributes:
        filename: Any text; paths, control characters and deceptive characters are removed.
        content_type: The media type, with `charset` if it is known. Types that are invalid, or that receivers would
            not treat as a file, become application/octet-stream.
        content_id: The id by which HTML references the image (`cid:`), "" for none.
    """

    filename: str
    content_type: str
    data: bytes
    content_id: str = ""


def build_file_part(file: OutgoingFile, *, inline: bool) -> MimePart:
    """Returns a file, whose bytes do not change on its way.

    Args:
        inline: The HTML of the message shows the file.

    Raises:
        ValueError: The content id is invalid.
    """
    media_type, parameters = _read_type(file.content_type)
    name = safe_filename(file.filename) or "attachment"
    is_message = media_type == "message/rfc822"
    # Only 7bit and 8bit are allowed for a message (RFC 2046 section 5.2.1).
    if is_message and not _is_unchangeable(file.data):
        media_type, is_message = UNKNOWN_TYPE, False
        name = name if name.lower().endswith(".eml") else safe_filename(f"{name}.eml")
    disposition = "inline" if inline else "attachment"
    fields = [
        build_structured("Content-Type", [f"{media_type}{';' if parameters else ''}", *parameters]),
        build_structured("Content-Disposition", [f"{disposition};", *_build_filename(name)]),
        f"Content-Transfer-Encoding: {'7bit' if is_message else 'base64'}\r\n",
    ]
    if inline:
        if not _CONTENT_ID.fullmatch(file.content_id):
            raise ValueError("the content id of an image is invalid")
        fields.append(build_structured("Content-ID", [f"<{file.content_id}>"]))
    return MimePart("".join(fields), file.data if is_message else encode_base64(file.data))


def _is_unchangeable(data: bytes) -> bool:
    """Whether no server changes the data: 7bit (RFC 2045 section 2.7) without a line like that between stored mails."""
    lines = b"\r\n" + data
    return (
        data != b""
        and lines.isascii()
        and b"\0" not in lines
        and lines.count(b"\r") == lines.count(b"\n") == lines.count(b"\r\n")
        and b"\nFrom " not in lines
        and _LONG_LINE.search(lines) is None
    )


def encode_base64(data: bytes) -> bytes:
    """Encodes data as lines that end with CRLF (RFC 2045 section 6.8)."""
    view = memoryview(data)
    starts = range(0, len(data), _DATA_BYTES_PER_LINE)
    return b"\r\n".join(b2a_base64(view[start : start + _DATA_BYTES_PER_LINE], newline=False) for start in starts)


def _read_type(content_type: str) -> tuple[str, list[str]]:
    """Returns a media type in lower case and its parameters."""
    match = _TYPE.fullmatch(content_type.strip())
    if match is None:
        return UNKNOWN_TYPE, []
    media_type = f"{match[1]}/{match[2]}".lower()
    if media_type.startswith(("multipart/", "message/")) and media_type != "message/rfc822":
        return UNKNOWN_TYPE, []  # receivers would take it apart
    charset = match[3] or match[4]
    return media_type, [f"charset={charset.lower()}"] if charset and media_type.startswith("text/") else []


def _build_filename(name: str) -> list[str]:
    """Returns the parameter `filename`, in pieces if it is long (RFC 2231 sections 3 and 4)."""
    if _PLAIN_NAME.fullmatch(name) and "  " not in name:
        return [f'filename="{name}"']
    pieces = [""]
    for character in name:
        encoded = quote(character, safe="")
        if len(pieces[-1]) + len(encoded) > _CHUNK_LENGTH:
            pieces.append("")
        pieces[-1] += encoded
    if len(pieces) == 1:
        return [f"filename*=utf-8''{pieces[0]}"]
    pieces[0] = f"utf-8''{pieces[0]}"
    numbered = [f"filename*{number}*={piece};" for number, piece in enumerate(pieces)]
    return [*numbered[:-1], numbered[-1].removesuffix(";")]
