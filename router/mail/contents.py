"""The result of parsing a message, and the limits of parsing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from router.mail.decode import clean_line
from router.mail.html_sanitizer import MAX_SANITIZED_LENGTH

AttachmentKind = Literal["file", "image", "calendar", "contact", "encrypted", "signed", "winmail", "message"]


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """The limits of parsing in bytes (`*_bytes`), characters (`text`, `html`, `sanitized_html`) or counts."""

    header_bytes: int = 262144
    parts: int = 1000
    depth: int = 50
    text: int = 262144
    html: int = 524288
    sanitized_html: int = MAX_SANITIZED_LENGTH
    attachments: int = 200
    enclosed_bytes: int = 1048576
    enclosed_depth: int = 2


DEFAULT_LIMITS = ParseLimits()
MAX_SNIPPET_LENGTH = 200  # in characters


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment of a message, without its data.

    Attributes:
        n: The number of the attachment in the message, from 1.
        filename: Safe as a filename, never empty.
        size: The decoded size in bytes.
        inline: The attachment is an image that is meant to be shown in the text.
    """

    n: int
    filename: str
    content_type: str
    size: int
    inline: bool
    content_id: str
    kind: AttachmentKind


@dataclass(frozen=True, slots=True)
class AttachmentData:
    """An attachment and its decoded bytes, for a download.

    `attachment.inline` is false for an image that is inline only because the HTML references it.
    """

    attachment: Attachment
    data: bytes


@dataclass(frozen=True, slots=True)
class NamedMailbox:
    """An address of a header field, and its display name or `""`. The address has a domain."""

    address: str
    name: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The parsed body of a message.

    Attributes:
        text: The text without quoted history and signature.
        quoted: The quoted history and the signature.
        html: The sanitised HTML, `""` if there is none, for example because the HTML is too complex.
        warnings: Texts for display that say what was repaired, guessed or truncated.
        reply_to, original_from: See `router.mail.originator_fields`.
    """

    text: str
    quoted: str
    html: str
    attachments: tuple[Attachment, ...]
    warnings: tuple[str, ...]
    reply_to: tuple[NamedMailbox, ...] = ()
    original_from: NamedMailbox | None = None
    failed_recipients: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The size of the texts and the HTML in bytes."""
        return len(self.text.encode()) + len(self.quoted.encode()) + len(self.html.encode())

    @property
    def snippet(self) -> str:
        """The start of the text in one line."""
        return clean_line(self.text, MAX_SNIPPET_LENGTH)

    @property
    def file_count(self) -> int:
        """The number of attachments that are not images in the text."""
        return sum(not attachment.inline for attachment in self.attachments)

    @property
    def quoted_lines(self) -> int:
        return sum(1 for line in self.quoted.split("\n") if line.strip())

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @staticmethod
    def from_json(stored: str) -> Contents:
        fields = json.loads(stored)
        fields["attachments"] = tuple(Attachment(**attachment) for attachment in fields["attachments"])
        for name in ("warnings", "failed_recipients"):
            fields[name] = tuple(fields[name])
        fields["reply_to"] = tuple(NamedMailbox(**mailbox) for mailbox in fields["reply_to"])
        fields["original_from"] = fields["original_from"] and NamedMailbox(**fields["original_from"])
        return Contents(**fields)


class HtmlNotAllowed(Exception):  # noqa: N818 - describes a message, not a fault
    """The message has a part that would be parsed as HTML, and the caller does not allow HTML."""
