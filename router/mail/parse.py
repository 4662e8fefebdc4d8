"""A stored mail as people read it: its new text, the rest of it, safe HTML, and the list of its attachments.

`parse` never raises and is bounded by `Limits` in everything: header octets, parts, levels, text. What it cannot
read it shows as text, with a warning; the raw mail stays the truth, and a better parser can read it again
(`PARSER_VERSION` is kept with what was read). All text is storable. It works on octets alone, is pure, and belongs off
the event loop: a large mail costs tens of milliseconds. HTML is read only where the caller allows it (`html`): what a
stranger's HTML costs is bounded by the process that parses (`router.parse_worker`), and by no other.

Attachments are counted from 1 in the order of the mail; `attachment` finds the same one by its number in the raw
octets, so they are stored once. Called by `router.dispatch` (before a ticket is shown), the API and `reparse`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import Literal

from router.mail import automatic, quotes
from router.mail.headers import read_headers
from router.mail.structure import Part, Structure, body_octets, decoded_size, read_structure
from router.mail.text import MAX_SANITIZED, crude_text, cut_html, sanitize_html, sanitized_to_text, without_data
from router.mail.words import decode_charset, one_line, safe_filename, storable

PARSER_VERSION = 3
"""Counts up with every change of what `parse` returns for some mail."""

AS_IT_CAME = "shown as it came"
"""How the warning of a mail ends that could not be parsed."""

Kind = Literal["file", "image", "calendar", "contact", "encrypted", "signed", "winmail", "message"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a mail is read. Octets, but `text`, `html` and `clean_html` (sanitised): characters."""

    header_bytes: int = 262144
    parts: int = 1000
    depth: int = 50
    text: int = 262144
    html: int = 524288
    clean_html: int = MAX_SANITIZED
    attachments: int = 200
    enclosed_bytes: int = 1048576
    enclosed_depth: int = 2


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment. filename is safe to be one and never empty; size is of the decoded octets.

    inline: an image that the text shows in its place, by content_id where that is not `""`.
    """

    n: int
    filename: str
    content_type: str
    size: int
    inline: bool
    content_id: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class AttachmentData:
    """What a download needs: the attachment and its decoded octets.

    The attachment is as `parse` lists it, but whether the text shows it in its place is not looked up (`inline`).
    """

    attachment: Attachment
    data: bytes


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read. text: the new text; quoted: history and signature that were cut from it; html: sanitised, `""`
    for a mail without HTML. subject and senders are in `router.mail.headers.HeaderFacts`.
    """

    text: str
    quoted: str
    html: str
    attachments: tuple[Attachment, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> str:
        """As it is stored."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @staticmethod
    def from_json(stored: str) -> Contents:
        """What `to_json` gave."""
        fields = json.loads(stored)
        fields["attachments"] = tuple(Attachment(**attachment) for attachment in fields["attachments"])
        fields["warnings"] = tuple(fields["warnings"])
        return Contents(**fields)


class HasHtml(Exception):  # noqa: N818 - said of a mail, not of a fault
    """The mail has a part that would be read as HTML, and the caller does not allow that."""


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
    return Contents(text[: limits.text], "", "", (), (f"{why}: {AS_IT_CAME}",))


def attachment(content: bytes, n: int, *, limits: Limits = DEFAULT_LIMITS, html: bool = True) -> AttachmentData | None:
    """The attachment that `parse` numbered n (with the same limits), None if there is none.

    html: as for `parse`; nothing but `HasHtml` is raised.
    """
    try:
        structure = _structure(content, limits)
        flow = _Flow(structure, limits, html=html)
        flow.read(structure.root)
        listed = flow.attachments("")
        if not 1 <= n <= len(listed):
            return None
        part = flow.files[n - 1][0]
        data, _ = body_octets(structure.content, part)
        return AttachmentData(replace(listed[n - 1], size=len(data)), data)
    except HasHtml:
        raise
    except Exception:  # noqa: BLE001 - a mail that was shown raw has no attachments to give
        return None


def _structure(content: bytes, limits: Limits) -> Structure:
    return read_structure(content, max_header_bytes=limits.header_bytes, max_parts=limits.parts, max_depth=limits.depth)


def _read(content: bytes, limits: Limits, *, html: bool) -> Contents:
    structure = _structure(content, limits)
    facts = read_headers(content, max_bytes=limits.header_bytes)
    flow = _Flow(structure, limits, html=html)
    flow.read(structure.root)
    text, clean = flow.rendered()
    if not text.strip() and limits.enclosed_depth > 0:
        text = flow.enclosed_text()
    # A bounce quotes what came back: that is its news.
    new, quoted = (text, "") if facts.automatic == "bounce" else quotes.split(text, facts.subject)
    new = "\n\n".join(part for part in (new, flow.report(new)) if part)
    if max(len(new), len(quoted)) > limits.text:
        flow.warnings.append("text cut")
    return Contents(
        text=new[: limits.text],
        quoted=quoted[: limits.text],
        html=clean,
        attachments=flow.attachments(clean),
        warnings=tuple(dict.fromkeys((*structure.warnings, *flow.warnings))),
    )


@dataclass(slots=True)
class _Piece:
    """A stretch of the text that people see: plain text, or HTML, or both forms of one thing."""

    plain: str | None = None
    html: str | None = None

    def blank(self) -> bool:
        return not (self.plain or "").strip() and not (self.html or "").strip()


class _Flow:
    """Sorts the leaves of a tree into what is read and what is a file, by the rules of RFC 2046 section 5.1."""

    def __init__(self, structure: Structure, limits: Limits, *, html: bool) -> None:
        self.structure = structure
        self.limits = limits
        self.html = html
        self.pieces: list[_Piece] = []
        self.files: list[tuple[Part, bool]] = []
        self.reports: list[Part] = []
        self.sealed: set[int] = set()  # where the parts of a multipart/encrypted begin (RFC 1847 section 2.2)
        self.warnings: list[str] = []
        self.left_enriched = limits.html
        self.left = limits.html * 8  # octets of bodies still to be decoded: images written into HTML are dropped later

    def read(self, part: Part, *, related: bool = False) -> None:
        kind = part.content_type
        if part.children:
            if kind == "multipart/alternative":
                self.alternative(part)
            elif kind == "multipart/related":
                # RFC 2387 3.2: the root comes first unless `start` says otherwise; it is the first that can be read.
                root = next((child for child in part.children if child.children or self.is_text(child)), None)
                for child in part.children:
                    self.read(child, related=child is not root)
            else:
                if kind == "multipart/encrypted":
                    self.sealed.update(child.start for child in part.children)
                for child in part.children:
                    self.read(child)
        elif self.is_text(part) and not related:
            self.pieces.append(self.piece(part))
        elif part.multipart:
            return  # an empty one
        else:
            if kind in ("message/delivery-status", "message/global-delivery-status"):
                self.reports.append(part)
            self.files.append((part, related))

    def is_text(self, part: Part) -> bool:
        """Whether a leaf is text to be read where it stands; with a name it is one only as the mail's first part."""
        if part.disposition == "attachment" or not part.content_type.startswith("text/"):
            return False
        if part.content_type in _TEXT_FILES:
            return False
        return not _given_name(part) or (not self.pieces and not self.files)

    def alternative(self, part: Part) -> None:
        """The best form for each use: the first plain text to read, the last HTML to show; files of every form."""
        plain: list[_Piece] = []
        rich: list[_Piece] = []
        outer = self.pieces
        for child in part.children:
            if child.content_type in _OTHER_FORMS:
                continue
            self.pieces = []
            self.read(child)
            if any(piece.html is not None for piece in self.pieces):
                rich = self.pieces if any(not piece.blank() for piece in self.pieces) or not rich else rich
            elif not plain and any(not piece.blank() for piece in self.pieces):
                plain = self.pieces
        self.pieces = outer
        if rich and plain:
            text = "\n\n".join(piece.plain or "" for piece in plain)
            self.pieces.append(_Piece(text, "".join(_as_html(piece) for piece in rich)))
        else:
            self.pieces.extend(rich or plain)

    def piece(self, part: Part) -> _Piece:
        """The only place where a part becomes HTML. Raises `HasHtml` where that is not allowed."""
        if part.content_type in _HTML and not self.html:
            raise HasHtml
        data, whole = body_octets(self.structure.content, part, max(0, self.left))
        if part.end - part.start > self.left:
            self.warnings.append("text cut")
        self.left -= part.end - part.start
        if not whole:
            self.warnings.append("broken base64")
        text, doubtful = decode_charset(data, part.parameters.get("charset", ""))
        if doubtful:
            self.warnings.append("charset guessed")
        text = storable(text)
        if part.content_type == "text/html":
            return _Piece(html=without_data(text))
        if part.content_type in _HTML:
            return _Piece(self.enriched(text))
        if part.parameters.get("format", "").lower() == "flowed":
            text = unflow(text, delsp=part.parameters.get("delsp", "").lower() == "yes")
        if "-----BEGIN PGP MESSAGE-----" in text[:4096]:
            self.warnings.append("encrypted text")
        return _Piece(text)

    def enriched(self, text: str) -> str:
        """Text of text/enriched (RFC 1896), which is read as HTML; all of it together is as long as HTML may be."""
        text = text.replace("\n", "<br>")
        if len(text) > self.left_enriched:
            self.warnings.append("text cut")
        text, self.left_enriched = text[: self.left_enriched], max(0, self.left_enriched - len(text))
        clean = cut_html(sanitize_html(text), self.limits.clean_html)
        return sanitized_to_text(clean, self.limits.text) or crude_text(text, self.limits.text)

    def rendered(self) -> tuple[str, str]:
        """The text of all pieces, one after the other, and their HTML if any piece has some."""
        texts: list[str] = []
        parts: list[str] = []
        left = self.limits.html
        room = self.limits.clean_html
        for piece in self.pieces:
            if piece.blank():
                continue
            clean = ""
            if piece.html is not None and left > 0:
                raw = piece.html[:left]
                if len(piece.html) > left:
                    self.warnings.append("HTML cut")
                left -= len(raw)
                clean = sanitize_html(raw)
                if raw.strip() and not clean:
                    self.warnings.append("HTML too complex: shown as text")
                if len(clean) > self.limits.clean_html:
                    self.warnings.append("HTML cut")
                    clean = cut_html(clean, self.limits.clean_html)
                room -= len(clean)
                if room < 0:
                    self.warnings.append("HTML cut")
                else:
                    parts.append(clean)
            elif piece.plain is not None:
                parts.append(_as_html(piece))
            texts.append(self.text_of(piece, clean))
        text = "\n\n".join(stripped for text in texts if (stripped := text.strip("\n")).strip())
        if not any(piece.html is not None for piece in self.pieces):
            return text, ""
        return text, "<hr>".join(part for part in parts if part)

    def text_of(self, piece: _Piece, clean: str) -> str:
        if piece.html is None:
            return piece.plain or ""
        if piece.plain is not None and piece.plain.strip() and not _is_stub(piece.plain):
            return piece.plain
        text = sanitized_to_text(clean, self.limits.text) or crude_text(
            piece.html[: self.limits.html], self.limits.text
        )
        return text if text or piece.plain is None else piece.plain

    def enclosed_text(self) -> str:
        """The text of a mail that is nothing but another mail, as its reader would open it."""
        for part, _ in self.files:
            if part.content_type in ("message/rfc822", "message/global"):
                data, _ = body_octets(self.structure.content, part, self.limits.enclosed_bytes)
                facts = read_headers(data, max_bytes=self.limits.header_bytes)
                inner = _read(data, replace(self.limits, enclosed_depth=self.limits.enclosed_depth - 1), html=self.html)
                head = "---------- Forwarded message ----------\n"
                head += f"From: {facts.from_name} <{facts.from_address}>\nSubject: {facts.subject}\n\n"
                return head + "\n\n".join(text for text in (inner.text, inner.quoted) if text)
        return ""

    def report(self, text: str) -> str:
        """The failed recipients of a bounce and why, one a line, as far as the text does not tell it itself."""
        lines: list[str] = []
        flat = " ".join(text.split()) if self.reports else ""
        for part in self.reports[:3]:
            data, _ = body_octets(self.structure.content, part, 65536)
            lines += [failure.line() for failure in automatic.failures(data) if not failure.told_in(text, flat)]
        return "\n".join(dict.fromkeys(lines[:20]))

    def attachments(self, html: str) -> tuple[Attachment, ...]:
        if len(self.files) > self.limits.attachments:
            self.warnings.append("too many attachments: not all are listed")
            del self.files[self.limits.attachments :]
        listed = []
        for n, (part, related) in enumerate(self.files, 1):
            kind: Kind = "encrypted" if part.start in self.sealed else _kind(part)
            shown = (
                related or part.disposition == "inline" or bool(part.content_id and f"cid:{part.content_id}" in html)
            )
            if kind == "encrypted":
                self.warnings.append("encrypted")
            listed.append(
                Attachment(
                    n=n,
                    filename=self.filename(part, n, kind),
                    content_type=part.content_type,
                    size=decoded_size(self.structure.content, part),
                    inline=kind == "image" and shown and part.disposition != "attachment",
                    content_id=one_line(part.content_id, 255),
                    kind=kind,
                )
            )
        return tuple(listed)

    def filename(self, part: Part, n: int, kind: Kind) -> str:
        name = safe_filename(_given_name(part))
        if name:
            return name
        if kind == "message":
            data, _ = body_octets(self.structure.content, part, 16384)
            subject = safe_filename(read_headers(data, max_bytes=16384).subject.replace("/", "-")[:100])
            return f"{subject or f'message-{n}'}.eml"
        return f"{'image' if kind == 'image' else 'attachment'}-{n}{_ENDINGS.get(part.content_type, '')}"


_HTML = frozenset({"text/html", "text/enriched", "text/richtext"})
# Other kinds of text are read as if they were plain (RFC 2046 section 4.1.4).
_TEXT_FILES = frozenset(
    {
        *("text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/rfc822-headers", "text/rtf"),
        *("text/css", "text/csv", "text/xml", "text/javascript", "text/x-amp-html", "text/watch-html"),
    }
)
# Forms of an alternative for one kind of screen; who reads tickets has another.
_OTHER_FORMS = frozenset({"text/x-amp-html", "text/watch-html"})

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


def _given_name(part: Part) -> str:
    return part.disposition_parameters.get("filename", "") or part.parameters.get("name", "")


def _kind(part: Part) -> Kind:
    """What a person calls it; the type decides, the name only where the type says nothing."""
    kind, name = part.content_type, _given_name(part).lower()
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


def _as_html(piece: _Piece) -> str:
    if piece.html is not None:
        return piece.html
    return f"<pre>{escape(piece.plain or '', quote=False)}</pre>"


def _is_stub(plain: str) -> bool:
    """Plain text that only says where the real one is."""
    words = plain.strip().lower()
    return (
        len(words) < 400 and "html" in words and any(word in words for word in ("view", "support", "client", "reader"))
    )


def unflow(text: str, *, delsp: bool) -> str:
    """format=flowed put together again (RFC 3676 section 4): a line that ends with a blank goes on in the next."""
    out: list[str] = []  # pieces of paragraphs, each paragraph after a line end
    open_depth = -1  # quote depth of a paragraph that goes on, -1 if none does
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        words = line[depth:].removeprefix(" ")
        signature = words == "-- "
        if open_depth == depth and not signature:
            out.append(words)
        else:
            out += ("\n", f"{'>' * depth} {words}" if depth else words)
        open_depth = -1
        if words.endswith(" ") and not signature:
            open_depth = depth
            if delsp:
                out[-1] = out[-1][:-1]
    return "".join(out[1:])
