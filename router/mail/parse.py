"""A stored mail as people read it: its new text, the rest of it, safe HTML, and the list of its attachments.

`parse` never raises and is bounded by `ParseLimits` in everything: header octets, parts, levels, text. What it cannot
read it shows as text, with a warning; the raw mail stays the truth, and a better parser can read it again
(`PARSER_VERSION` is kept with what was read). All text is storable. It works on octets alone, is pure, and belongs off
the event loop: a large mail costs tens of milliseconds. HTML is read only where the caller allows it (`html`): what a
stranger's HTML costs is bounded by the process that parses (`router.contents.worker`), and by no other.

Attachments are counted from 1 in the order of the mail; `extract_attachment` finds the same one by its number in the
raw octets, so they are stored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from router.mail import bounces, calendar, quotes
from router.mail.attachments import File, describe_file
from router.mail.body_parts import BodyParts
from router.mail.charsets import decode_charset
from router.mail.contents import DEFAULT_LIMITS, Attachment, AttachmentData, Contents, HtmlNotAllowed, ParseLimits
from router.mail.decode import clean_text
from router.mail.headers import HeaderFacts, read_headers
from router.mail.mailboxes import normalize_address
from router.mail.originator_fields import read_originators
from router.mail.structure import Structure, decode_body, decoded_size, malformed_warning, read_structure
from router.mail.text_parts import TextDecoder, render
from router.unicode_security import deceptive_domain
from router.unicode_text import is_visible

PARSER_VERSION = 4
"""Counts up with every change of what `parse` returns for some mail."""

# Calendars that a mail without text is shown by; the same one often comes twice, as text/calendar and as a file.
_MAX_CALENDARS = 10
# What an enclosed mail counts besides its bytes, so that many small ones cost no more than a large one.
_ENCLOSED_OVERHEAD_BYTES = 16384

RAW_MESSAGE_SHOWN = "raw message shown"
"""How the warning of a mail ends that could not be parsed."""


def parse(content: bytes, *, limits: ParseLimits = DEFAULT_LIMITS, html: bool = True) -> Contents:
    """Everything a ticket shows of a mail. content: the octets after dot-unstuffing, without our trace headers.

    html: whether HTML may be read; without it a mail that has some raises `HtmlNotAllowed` before any is looked at.
    """
    try:
        return _parse(content, limits, html=html)
    except HtmlNotAllowed:
        raise
    except Exception:  # noqa: BLE001 - one strange mail must not stop the tickets behind it; it is shown as it came
        return raw_contents(content, "could not be parsed", limits=limits)


def raw_contents(content: bytes, reason: str, *, limits: ParseLimits = DEFAULT_LIMITS) -> Contents:
    """A mail that no parser gets through, header and all. why: the beginning of the warning that says so."""
    text = clean_text(decode_charset(content[: limits.text], "")[0])
    reply_to, original_from = read_originators(content, max_bytes=limits.header_bytes)
    return Contents(text[: limits.text], "", "", (), (f"{reason}: {RAW_MESSAGE_SHOWN}",), reply_to, original_from)


def extract_attachment(
    content: bytes, n: int, *, limits: ParseLimits = DEFAULT_LIMITS, html: bool = True
) -> AttachmentData | None:
    """The attachment that `parse` numbered n (with the same limits), None if there is none.

    html: as for `parse`; nothing but `HtmlNotAllowed` is raised.
    """
    try:
        structure = _read_structure(content, limits)
        files = BodyParts(structure.root, TextDecoder(limits, html=html, hint=structure.hint), limits).files
        if not 1 <= n <= min(len(files), limits.attachments):
            return None
        file = files[n - 1]
        data, _ = decode_body(file.part)
        return AttachmentData(describe_file(file, n, len(data), ""), data)
    except HtmlNotAllowed:
        raise
    except Exception:  # noqa: BLE001 - a mail that was shown raw has no attachments to give
        return None


def _read_structure(content: bytes, limits: ParseLimits) -> Structure:
    return read_structure(content, max_header_bytes=limits.header_bytes, max_parts=limits.parts, max_depth=limits.depth)


def _parse(content: bytes, limits: ParseLimits, *, html: bool) -> Contents:
    structure = _read_structure(content, limits)
    header = read_headers(content, max_bytes=limits.header_bytes)
    decoder = TextDecoder(limits, html=html, hint=structure.hint)
    parts = BodyParts(structure.root, decoder, limits)
    rendered = render(parts.pieces, limits)
    warnings = [*structure.warnings, *parts.warnings, *decoder.warnings, *rendered.warnings]
    if labels := deceptive_domain(header.from_address):
        warnings.append(f"the sender's domain may be a lookalike: {labels}")
    attachments, faults = _describe_attachments(parts.files, rendered.html, limits)
    if not is_visible(rendered.text[: limits.text]):
        new, quoted = _text_from_files(parts.files, attachments, limits, html=html), ""
    elif header.automatic == "bounce":  # it quotes what came back: that is its news
        new, quoted = rendered.text, ""
    else:
        new, quoted = _split_quoted(rendered.text, header)
    reported = bounces.read_reports(parts.files)
    failed = bounces.failed_recipients(content, header, reported, parts.files, new)
    new = "\n\n".join(part for part in (new, bounces.summarize_missing(reported or (), new)) if part)
    if max(len(new), len(quoted)) > limits.text:
        warnings.append("text truncated")
    warnings += faults
    if not is_visible(new):
        warnings.append(_no_text_warning(parts, attachments))
    reply_to, original_from = read_originators(content, max_bytes=limits.header_bytes)
    return Contents(
        text=new[: limits.text],
        quoted=quoted[: limits.text],
        html=rendered.html,
        attachments=attachments,
        warnings=tuple(dict.fromkeys(warnings)),
        failed_recipients=failed,
        reply_to=reply_to,
        original_from=original_from,
    )


def _split_quoted(text: str, facts: HeaderFacts) -> tuple[str, str]:
    others = set(facts.participants) - {normalize_address(facts.from_address)}
    sender = f"{facts.from_name} {facts.from_address}"
    return quotes.split(text, facts.subject, sender=sender, is_reply=bool(facts.reference_ids), recipients=others)


def _describe_attachments(
    files: Sequence[File], html: str, limits: ParseLimits
) -> tuple[tuple[Attachment, ...], list[str]]:
    """The list of attachments, and warnings about them."""
    warnings: list[str] = []
    attachments: list[Attachment] = []
    for n, file in enumerate(files[: limits.attachments], 1):
        size, whole = decoded_size(file.part)
        attachments.append(describe_file(file, n, size, html))
        if not whole:
            warnings.append(f"{malformed_warning(file.part)} in attachment {n}")
    if len(files) > limits.attachments:
        warnings.append("too many attachments: some are not listed")
    if any(attachment.kind == "encrypted" for attachment in attachments):
        warnings.append("encrypted: content not readable")
    return tuple(attachments), warnings


def _no_text_warning(parts: BodyParts, attachments: Sequence[Attachment]) -> str:
    """The warning about a mail that shows no text: what there is instead."""
    kinds = {attachment.kind for attachment in attachments}
    has_html = any((piece.html or "").strip() for piece in parts.pieces)
    there = [
        *(["HTML without text"] if has_html and "image" not in kinds else []),
        *(["an encrypted part"] if "encrypted" in kinds else []),
        *(["images"] if "image" in kinds else []),
        *(["attachments"] if kinds - {"encrypted", "image"} else []),
    ]
    return f"no text, only {' and '.join(there)}" if there else "no text: the message is empty"


def _text_from_files(
    files: Sequence[File], attachments: Sequence[Attachment], limits: ParseLimits, *, html: bool
) -> str:
    """What a mail without text says by its files: the events of its calendars, else the mails that it encloses."""
    texts: list[str] = []
    for file, attachment in zip(files, attachments, strict=False):
        if attachment.kind == "calendar" and len(texts) < _MAX_CALENDARS:
            own = file.part.parameters
            data, _ = decode_body(file.part, calendar.MAX_BYTES * 2)
            texts.append(calendar.calendar_text(data, own.get("charset", ""), own.get("method", "")))
    text = "\n\n".join(dict.fromkeys(text for text in texts if text))
    return text or (_enclosed_text(files, limits, html=html) if limits.enclosed_depth > 0 else "")


def _enclosed_text(files: Sequence[File], limits: ParseLimits, *, html: bool) -> str:
    """The texts of a mail that is nothing but other mails, as its reader would open them."""
    texts: list[str] = []
    left = limits.enclosed_bytes
    for file in files:
        if file.part.content_type in ("message/rfc822", "message/global") and left > 0:
            data, _ = decode_body(file.part, left)
            left -= len(data) + _ENCLOSED_OVERHEAD_BYTES
            facts = read_headers(data, max_bytes=limits.header_bytes)
            inner = _parse(data, replace(limits, enclosed_depth=limits.enclosed_depth - 1), html=html)
            sender = f"{facts.from_name} <{facts.from_address}>".strip()
            head = f"---------- Forwarded message ----------\nFrom: {sender}\nSubject: {facts.subject}\n\n"
            texts.append(head + "\n\n".join(text for text in (inner.text, inner.quoted) if text))
    return "\n\n".join(texts)
