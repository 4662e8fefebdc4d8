"""Parses a message into its new text, its quoted text, safe HTML and the list of its attachments.

`parse` raises only `HtmlNotAllowed`. A message that cannot be parsed is shown as text, with a warning.

The raw message is kept, and `PARSER_VERSION` is stored with each result, so that a newer parser can parse the message
again. Parsing a large message takes too long for the event loop. HTML is parsed only in the worker process
(`router.contents.worker`), which limits the time.
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

PARSER_VERSION = 8
"""Incremented by each change that alters any result of `parse` or the indexed words of a message."""

# Including duplicates: some messages contain the same calendar twice, as text/calendar and as a file.
_MAX_CALENDARS = 10
# Added to the size of each enclosed message, so that many small messages take no longer than a large one.
_ENCLOSED_OVERHEAD_BYTES = 16384

RAW_MESSAGE_SHOWN = "raw message shown"
"""The end of the warning in each result of `raw_contents`."""


def parse(content: bytes, *, limits: ParseLimits = DEFAULT_LIMITS, html: bool = True) -> Contents:
    """Parses a message.

    Args:
        content: The message after dot-unstuffing, without this server's trace header fields.
        html: Whether HTML may be parsed.

    Raises:
        HtmlNotAllowed: The message has HTML, and `html` is false.
    """
    try:
        return _parse(content, limits, html=html)
    except HtmlNotAllowed:
        raise
    except Exception:  # noqa: BLE001 - one message must not block later messages
        return raw_contents(content, "could not be parsed", limits=limits)


def raw_contents(content: bytes, reason: str, *, limits: ParseLimits = DEFAULT_LIMITS) -> Contents:
    """Returns the start of the raw message, including the header, as text, with `reason` in a warning."""
    text = clean_text(decode_charset(content[: limits.text], "")[0])
    reply_to, original_from = read_originators(content, max_bytes=limits.header_bytes)
    return Contents(text[: limits.text], "", "", (), (f"{reason}: {RAW_MESSAGE_SHOWN}",), reply_to, original_from)


def extract_attachment(
    content: bytes, n: int, *, limits: ParseLimits = DEFAULT_LIMITS, html: bool = True
) -> AttachmentData | None:
    """Returns attachment `n`, counted as in a result of `parse` with the same limits; None if there is none.

    Raises:
        HtmlNotAllowed: The message has HTML, and `html` is false.
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
    except Exception:  # noqa: BLE001 - an unparsable message has no attachments
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
    attachments, attachment_warnings = _describe_attachments(parts.files, rendered.html, limits)
    if not is_visible(rendered.text[: limits.text]):
        new, quoted = _text_from_files(parts.files, attachments, limits, html=html), ""
    elif header.automatic == "bounce":  # the returned message is content of the bounce, not quoted text
        new, quoted = rendered.text, ""
    else:
        new, quoted = _split_quoted(rendered.text, header)
    reported = bounces.read_reports(parts.files)
    failed = bounces.failed_recipients(content, header, reported, parts.files, new)
    new = "\n\n".join(part for part in (new, bounces.summarize_missing(reported or (), new)) if part)
    if max(len(new), len(quoted)) > limits.text:
        warnings.append("text truncated")
    warnings += attachment_warnings
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
    recipients = set(facts.participants) - {normalize_address(facts.from_address)}
    sender = f"{facts.from_name} {facts.from_address}"
    return quotes.split(text, facts.subject, sender=sender, is_reply=bool(facts.reference_ids), recipients=recipients)


def _describe_attachments(
    files: Sequence[File], html: str, limits: ParseLimits
) -> tuple[tuple[Attachment, ...], list[str]]:
    warnings: list[str] = []
    attachments: list[Attachment] = []
    for n, file in enumerate(files[: limits.attachments], 1):
        size, is_complete = decoded_size(file.part)
        attachments.append(describe_file(file, n, size, html))
        if not is_complete:
            warnings.append(f"{malformed_warning(file.part)} in attachment {n}")
    if len(files) > limits.attachments:
        warnings.append("too many attachments: some are not listed")
    if any(attachment.kind == "encrypted" for attachment in attachments):
        warnings.append("encrypted: content not readable")
    return tuple(attachments), warnings


def _no_text_warning(parts: BodyParts, attachments: Sequence[Attachment]) -> str:
    """Returns the warning for a message without visible text. It names the other content of the message."""
    kinds = {attachment.kind for attachment in attachments}
    has_html = any((piece.html or "").strip() for piece in parts.pieces)
    found = [
        *(["HTML without text"] if has_html and "image" not in kinds else []),
        *(["an encrypted part"] if "encrypted" in kinds else []),
        *(["images"] if "image" in kinds else []),
        *(["attachments"] if kinds - {"encrypted", "image"} else []),
    ]
    return f"no text, only {' and '.join(found)}" if found else "no text: the message is empty"


def _text_from_files(
    files: Sequence[File], attachments: Sequence[Attachment], limits: ParseLimits, *, html: bool
) -> str:
    """Returns the text of the calendars or, if they have no text, of the enclosed messages."""
    texts: list[str] = []
    for file, attachment in zip(files, attachments, strict=False):
        if attachment.kind == "calendar" and len(texts) < _MAX_CALENDARS:
            parameters = file.part.parameters
            data, _ = decode_body(file.part, calendar.MAX_BYTES * 2)
            texts.append(calendar.calendar_text(data, parameters.get("charset", ""), parameters.get("method", "")))
    text = "\n\n".join(dict.fromkeys(text for text in texts if text))
    return text or (_enclosed_text(files, limits, html=html) if limits.enclosed_depth > 0 else "")


def _enclosed_text(files: Sequence[File], limits: ParseLimits, *, html: bool) -> str:
    texts: list[str] = []
    bytes_left = limits.enclosed_bytes
    for file in files:
        if file.part.content_type in ("message/rfc822", "message/global") and bytes_left > 0:
            data, _ = decode_body(file.part, bytes_left)
            bytes_left -= len(data) + _ENCLOSED_OVERHEAD_BYTES
            facts = read_headers(data, max_bytes=limits.header_bytes)
            inner = _parse(data, replace(limits, enclosed_depth=limits.enclosed_depth - 1), html=html)
            sender = f"{facts.from_name} <{facts.from_address}>".strip()
            head = f"---------- Forwarded message ----------\nFrom: {sender}\nSubject: {facts.subject}\n\n"
            texts.append(head + "\n\n".join(text for text in (inner.text, inner.quoted) if text))
    return "\n\n".join(texts)
