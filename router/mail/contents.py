"""What is read of a mail, and the bounds on reading it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from router.mail.html_sanitizer import MAX_SANITIZED_LENGTH

AttachmentKind = Literal["file", "image", "calendar", "contact", "encrypted", "signed", "winmail", "message"]


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """How much of a mail is read. Bytes, but `text`, `html` and `sanitized_html` (sanitised): characters."""

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


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment. filename is safe to be one and never empty; size is of the decoded bytes.

    inline: an image that the text shows in its place, by content_id where that is not `""`.
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
    """What a download needs: the attachment and its decoded bytes.

    The attachment is as `parse` lists it, but whether the text shows it in its place is not looked up (`inline`).
    """

    attachment: Attachment
    data: bytes


@dataclass(frozen=True, slots=True)
class NamedMailbox:
    """An address as a header field has it, with a domain; name is `""` where there is none."""

    address: str
    name: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read. text: the new text; quoted: history and signature that were cut from it; html: sanitised, `""`
    for a mail without HTML. failed_recipients: the addresses that a bounce says could not be reached. reply_to,
    original_from: see `router.mail.originator_fields`. Subject and From are in `router.mail.headers.HeaderFacts`.
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
        """Bytes of the texts and of the HTML; at most 6.3 MB by `ParseLimits`."""
        return len(self.text.encode()) + len(self.quoted.encode()) + len(self.html.encode())

    @property
    def quoted_lines(self) -> int:
        """How many lines were split off, without the empty ones."""
        return sum(1 for line in self.quoted.split("\n") if line.strip())

    def to_json(self) -> str:
        """As it is stored."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @staticmethod
    def from_json(stored: str) -> Contents:
        """What `to_json` gave."""
        fields = json.loads(stored)
        fields["attachments"] = tuple(Attachment(**attachment) for attachment in fields["attachments"])
        for name in ("warnings", "failed_recipients"):
            fields[name] = tuple(fields[name])
        fields["reply_to"] = tuple(NamedMailbox(**mailbox) for mailbox in fields["reply_to"])
        fields["original_from"] = fields["original_from"] and NamedMailbox(**fields["original_from"])
        return Contents(**fields)


class HtmlNotAllowed(Exception):  # noqa: N818 - said of a mail, not of a fault
    """The mail has a part that would be read as HTML, and the caller does not allow that."""
