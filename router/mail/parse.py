"""A stored mail as people read it: its new text, the rest of it, safe HTML, and the list of its attachments.

`parse` never raises and is bounded by `Limits` in everything: header octets, parts, levels, text. What it cannot
read it shows as text, with a warning; the raw mail stays the truth, and a better parser can read it again
(`PARSER_VERSION` is kept with what was read). All text is storable. It works on octets alone, is pure, and belongs off
the event loop: a large mail costs tens of milliseconds. HTML is read only where the caller allows it (`html`): what a
stranger's HTML costs is bounded by the process that parses (`router.contents.worker`), and by no other.

Attachments are counted from 1 in the order of the mail; `attachment` finds the same one by its number in the raw
octets, so they are stored once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from router.mail import bounces, quotes
from router.mail.attachments import File, describe_file
from router.mail.body_parts import BodyParts
from router.mail.contents import DEFAULT_LIMITS, AttachmentData, Contents, HasHtml, Limits
from router.mail.decode import decode_charset, storable
from router.mail.headers import read_headers
from router.mail.originator_fields import read_originators
from router.mail.structure import Structure, decoded_body, read_structure
from router.mail.text_parts import TextDecoder, render

PARSER_VERSION = 4
"""Counts up with every change of what `parse` returns for some mail."""

AS_IT_CAME = "shown as it came"
"""How the warning of a mail ends that could not be parsed."""


def parse(content: bytes, *, limits: Limits = DEFAULT_LIMITS, html: bool = True) -> Contents:
    """Everything a ticket shows of a mail. content: the octets after dot-unstuffing, without our trace headers.

    html: whether HTML may be read; without it a mail that has some raises `HasHtml` before any of it is looked at.
    """
    try:
        return _read(content, limits, html=html)
    except HasHtml:
        raise
    except Exception:  # noqa: BLE001 - one strange mail must not stop the tickets behind it; it is shown as it came
        return as_it_came(content, "could not be parsed", limits=limits)


def as_it_came(content: bytes, why: str, *, limits: Limits = DEFAULT_LIMITS) -> Contents:
    """A mail that no parser gets through, header and all. why: the beginning of the warning that says so."""
    text = storable(decode_charset(content[: limits.text], "")[0])
    reply_to, original_from = read_originators(content, max_bytes=limits.header_bytes)
    return Contents(text[: limits.text], "", "", (), (f"{why}: {AS_IT_CAME}",), reply_to, original_from)


def attachment(content: bytes, n: int, *, limits: Limits = DEFAULT_LIMITS, html: bool = True) -> AttachmentData | None:
    """The attachment that `parse` numbered n (with the same limits), None if there is none.

    html: as for `parse`; nothing but `HasHtml` is raised.
    """
    try:
        structure = _structure(content, limits)
        files = BodyParts(structure.root, TextDecoder(limits, html=html)).files
        if not 1 <= n <= min(len(files), limits.attachments):
            return None
        file = files[n - 1]
        data, _ = decoded_body(file.part)
        return AttachmentData(replace(describe_file(file, n, ""), size=len(data)), data)
    except HasHtml:
        raise
    except Exception:  # noqa: BLE001 - a mail that was shown raw has no attachments to give
        return None


def _structure(content: bytes, limits: Limits) -> Structure:
    return read_structure(content, max_header_bytes=limits.header_bytes, max_parts=limits.parts, max_depth=limits.depth)


def _read(content: bytes, limits: Limits, *, html: bool) -> Contents:
    structure = _structure(content, limits)
    facts = read_headers(content, max_bytes=limits.header_bytes)
    decoder = TextDecoder(limits, html=html)
    parts = BodyParts(structure.root, decoder)
    rendered = render(parts.pieces, limits)
    warnings = [*structure.warnings, *decoder.warnings, *rendered.warnings]
    text = rendered.text
    if not text.strip() and limits.enclosed_depth > 0:
        text = _enclosed_text(parts.files, limits, html=html)
    # A bounce quotes what came back: that is its news.
    new, quoted = (text, "") if facts.automatic == "bounce" else quotes.split(text, facts.subject)
    new = "\n\n".join(part for part in (new, bounces.report(parts.files, new)) if part)
    if max(len(new), len(quoted)) > limits.text:
        warnings.append("text cut")
    if len(parts.files) > limits.attachments:
        warnings.append("too many attachments: not all are listed")
    files = enumerate(parts.files[: limits.attachments], 1)
    attachments = tuple(describe_file(file, n, rendered.html) for n, file in files)
    if any(listed.kind == "encrypted" for listed in attachments):
        warnings.append("encrypted")
    reply_to, original_from = read_originators(content, max_bytes=limits.header_bytes)
    return Contents(
        text=new[: limits.text],
        quoted=quoted[: limits.text],
        html=rendered.html,
        attachments=attachments,
        warnings=tuple(dict.fromkeys(warnings)),
        reply_to=reply_to,
        original_from=original_from,
    )


def _enclosed_text(files: Sequence[File], limits: Limits, *, html: bool) -> str:
    """The text of a mail that is nothing but another mail, as its reader would open it."""
    for file in files:
        if file.part.content_type in ("message/rfc822", "message/global"):
            data, _ = decoded_body(file.part, limits.enclosed_bytes)
            facts = read_headers(data, max_bytes=limits.header_bytes)
            inner = _read(data, replace(limits, enclosed_depth=limits.enclosed_depth - 1), html=html)
            head = "---------- Forwarded message ----------\n"
            head += f"From: {facts.from_name} <{facts.from_address}>\nSubject: {facts.subject}\n\n"
            return head + "\n\n".join(text for text in (inner.text, inner.quoted) if text)
    return ""
