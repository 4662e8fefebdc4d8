"""The list of a mail's attachments: for each file its kind, a safe name, its size, and whether the text shows it."""

from __future__ import annotations

from dataclasses import dataclass

from router.mail.contents import Attachment, Kind
from router.mail.decode import one_line, safe_filename
from router.mail.headers import read_headers
from router.mail.structure import Part, decoded_body, decoded_size

_ENDINGS = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/svg+xml": ".svg",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
    "application/pgp-signature": ".asc",
    "application/pgp-encrypted": ".asc",
    "application/pkcs7-signature": ".p7s",
    "application/x-pkcs7-signature": ".p7s",
    "application/pkcs7-mime": ".p7m",
    "application/x-pkcs7-mime": ".p7m",
    "text/calendar": ".ics",
    "text/vcard": ".vcf",
    "text/x-vcard": ".vcf",
    "text/plain": ".txt",
    "text/html": ".html",
    "text/csv": ".csv",
    "message/delivery-status": ".txt",
    "text/rfc822-headers": ".txt",
}


@dataclass(frozen=True, slots=True)
class File:
    """A leaf that is not read as text.

    related: in a multipart/related, and not its root (RFC 2387). encrypted: in a multipart/encrypted (RFC 1847).
    """

    part: Part
    related: bool
    encrypted: bool


def describe_file(file: File, n: int, html: str) -> Attachment:
    """The entry of a file in the list.

    Args:
        n: The number of the attachment, counted from 1.
        html: The sanitised HTML of the mail; an image that it refers to is inline.
    """
    part = file.part
    kind: Kind = "encrypted" if file.encrypted else _kind(part)
    shown = file.related or part.disposition == "inline" or bool(part.content_id and f"cid:{part.content_id}" in html)
    return Attachment(
        n=n,
        filename=_filename(part, n, kind),
        content_type=part.content_type,
        size=decoded_size(part),
        inline=kind == "image" and shown and part.disposition != "attachment",
        content_id=one_line(part.content_id, 255),
        kind=kind,
    )


def given_name(part: Part) -> str:
    """The file name that the mail gives for a part, `""` for none."""
    return part.disposition_parameters.get("filename", "") or part.parameters.get("name", "")


def _kind(part: Part) -> Kind:
    """What a person calls it; the type decides, the name only where the type says nothing."""
    kind, name = part.content_type, given_name(part).lower()
    if kind in ("message/rfc822", "message/global"):
        return "message"
    if kind in ("application/ms-tnef", "application/vnd.ms-tnef") or name == "winmail.dat":
        return "winmail"
    if kind in ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"):
        return "signed"
    if kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        signed = part.parameters.get("smime-type", "").lower() == "signed-data" or name.endswith(".p7s")
        return "signed" if signed else "encrypted"
    if kind == "application/pgp-encrypted" or name.endswith((".pgp", ".gpg")):
        return "encrypted"
    if kind.startswith("image/"):
        return "image"
    if kind in ("text/calendar", "application/ics") or name.endswith(".ics"):
        return "calendar"
    if kind in ("text/vcard", "text/x-vcard", "text/directory", "application/vcard") or name.endswith(".vcf"):
        return "contact"
    return "message" if name.endswith(".eml") else "file"


def _filename(part: Part, n: int, kind: Kind) -> str:
    name = safe_filename(given_name(part))
    if name:
        return name
    if kind == "message":
        data, _ = decoded_body(part, 16384)
        subject = safe_filename(read_headers(data, max_bytes=16384).subject.replace("/", "-")[:100])
        return f"{subject or f'message-{n}'}.eml"
    return f"{'image' if kind == 'image' else 'attachment'}-{n}{_ENDINGS.get(part.content_type, '')}"
