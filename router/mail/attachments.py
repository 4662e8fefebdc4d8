"""Describes an attachment: its kind, safe filename, size, and whether it is an inline image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from router.mail import uuencode
from router.mail.contents import Attachment, AttachmentKind
from router.mail.decode import clean_line, decode_encoded_words, safe_filename
from router.mail.headers import read_headers
from router.mail.structure import Part, decode_body

_EXTENSIONS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/x-pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "application/x-pkcs7-mime": ".p7m",
    "text/x-vcalendar": ".vcs",
    "text/x-vcard": ".vcf",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/csv": ".csv",
}
# Names of parts that mail programs add without a name.
_NAMES = {
    "message/delivery-status": "Delivery report.txt",
    "message/global-delivery-status": "Delivery report.txt",
    "message/disposition-notification": "Read receipt.txt",
    "message/global-disposition-notification": "Read receipt.txt",
    "message/feedback-report": "Feedback report.txt",
    "text/rfc822-headers": "Original headers.txt",
    "message/global-headers": "Original headers.txt",
    "text/calendar": "Calendar.ics",
    "text/vcard": "Contact.vcf",
    "application/pgp-signature": "Signature.asc",
    "application/pgp-encrypted": "Encryption version.asc",
    "application/pkcs7-signature": "Signature.p7s",
}


@dataclass(frozen=True, slots=True)
class File:
    """A part that can be downloaded.

    Attributes:
        related: The part is directly in a multipart/related (RFC 2387) and is not its root.
        kind: `""` if the kind is derived from the part.
    """

    part: Part
    related: bool = False
    kind: AttachmentKind | Literal[""] = ""


def describe_file(file: File, n: int, size: int, html: str) -> Attachment:
    """Describes a file for the list of attachments.

    Args:
        n: The number of the attachment in the message, from 1.
        size: The decoded size in bytes.
        html: The sanitised HTML of the message, in which `cid:` URLs may reference images.
    """
    part = file.part
    kind: AttachmentKind = file.kind or _classify(part)
    is_shown = (
        file.related or part.disposition == "inline" or bool(part.content_id and f"cid:{part.content_id}" in html)
    )
    return Attachment(
        n=n,
        filename=_filename(part, n, kind),
        content_type=part.content_type,
        size=size,
        inline=kind == "image" and is_shown and part.disposition != "attachment",
        content_id=clean_line(part.content_id, 255),
        kind=kind,
    )


def declared_filename(part: Part) -> str:
    return part.disposition_parameters.get("filename", "") or part.parameters.get("name", "")


def is_pkcs7(part: Part) -> bool:
    """Whether the part is declared as an S/MIME object in PKCS #7 format (RFC 8551 section 3.2)."""
    if part.content_type == "application/octet-stream":
        return declared_filename(part).lower().endswith(".p7m")
    return part.content_type in ("application/pkcs7-mime", "application/x-pkcs7-mime")


def _classify(part: Part) -> AttachmentKind:
    kind, name = part.content_type, declared_filename(part).lower()
    if kind in ("message/rfc822", "message/global"):
        return "message"
    if kind in ("application/ms-tnef", "application/vnd.ms-tnef") or name == "winmail.dat":
        return "winmail"
    if kind in ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"):
        return "signed"
    if kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        # An object that `router.mail.smime` did not classify, such as a compressed one.
        smime_type = part.parameters.get("smime-type", "").lower()
        if smime_type in ("signed-data", "certs-only") or name.endswith((".p7s", ".p7c")):
            return "signed"
        return "file" if smime_type == "compressed-data" else "encrypted"
    if kind == "application/pgp-encrypted" or name.endswith((".pgp", ".gpg")):
        return "encrypted"
    if kind.startswith("image/"):
        return "image"
    if kind in ("text/calendar", "text/x-vcalendar", "application/ics") or name.endswith((".ics", ".vcs")):
        return "calendar"
    if kind in ("text/vcard", "text/x-vcard", "text/directory", "application/vcard") or name.endswith(".vcf"):
        return "contact"
    return "message" if name.endswith(".eml") else "file"


def _filename(part: Part, n: int, kind: AttachmentKind) -> str:
    name = safe_filename(declared_filename(part) or _uuencoded_name(part))
    if name:
        return name
    if kind == "message":
        data, _ = decode_body(part, 16384)
        subject = safe_filename(read_headers(data, max_bytes=16384).subject.replace("/", "-")[:100])
        return f"{subject or f'message-{n}'}.eml"
    known_name = _NAMES.get(part.content_type)
    if known_name is not None:
        return known_name
    return f"{'image' if kind == 'image' else 'attachment'}-{n}{_EXTENSIONS.get(part.content_type, '')}"


def _uuencoded_name(part: Part) -> str:
    if part.encoding != "uuencode":
        return ""
    return decode_encoded_words(uuencode.find_filename(part.content[part.start : min(part.end, part.start + 1024)]))
