"""Decodes the text parts of a message, and joins them into plain text and safe HTML.

The limits of `ParseLimits` truncate long text. PostgreSQL can store every character of the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from router.mail.charset_detection import CharsetDecoder
from router.mail.contents import HtmlNotAllowed, ParseLimits
from router.mail.decode import clean_text
from router.mail.html_markup import strip_data_uris, text_markup, visible_markup
from router.mail.html_sanitizer import sanitize_html, truncate_html
from router.mail.html_style_sheet import MAX_SHEET_LENGTH, extract_style_sheet
from router.mail.html_text import sanitized_to_text, strip_tags
from router.mail.structure import Part, decode_body, malformed_warning

_HTML = frozenset({"text/html", "text/enriched", "text/richtext"})
# Content types whose text may declare its charset (`<meta>`, `<?xml ... encoding>`).
_MARKUP = frozenset({"text/html", "text/xml"})


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of displayed text: plain text, HTML, or both forms of the same text.

    `style_sheet` are the safe rules of the HTML's style sheets.
    """

    plain: str | None = None
    html: str | None = None
    style_sheet: str = ""

    def is_blank(self) -> bool:
        return not (self.plain or "").strip() and not (self.html or "").strip()

    def as_html(self) -> str:
        """Returns the unsanitised HTML or, if there is none, the plain text in a `pre` element."""
        if self.html is not None:
            return self.html
        return f"<pre>{escape(self.plain or '', quote=False)}</pre>"


@dataclass(frozen=True, slots=True)
class RenderedText:
    """The joined text of all pieces, and their joined sanitised HTML, which is `""` if no piece has HTML.

    The HTML begins with one `style` element if a piece has style sheets.
    """

    text: str
    html: str
    warnings: tuple[str, ...]


class TextDecoder:
    """Decodes the text parts of one message. The limits apply to all parts together.

    Args:
        hint: The charset of parts without a charset label, `""` if unknown.
    """

    def __init__(self, limits: ParseLimits, *, html: bool, hint: str = "") -> None:
        self.warnings: list[str] = []
        self._limits = limits
        self._allow_html = html
        self._charsets = CharsetDecoder(hint)
        self._enriched_left = limits.html
        self._style_sheet_left = MAX_SHEET_LENGTH
        # Remaining bytes of text, and of HTML including its embedded images. The images can be large, but are dropped.
        self._bytes_left, self._html_bytes_left = limits.html * 8, limits.html * 96

    def decode(self, part: Part) -> TextPiece:
        """Decodes a part to plain text or to unsanitised HTML.

        Raises:
            HtmlNotAllowed: The part would be parsed as HTML, which this decoder does not allow.
        """
        if part.content_type in _HTML and not self._allow_html:
            raise HtmlNotAllowed
        text = self._decode_text(part)
        if part.content_type == "text/html":
            return TextPiece(html=visible_markup(text, self._limits.html), style_sheet=self._extract_style_sheet(text))
        if part.content_type in _HTML:
            return TextPiece(self._decode_enriched(text))
        if part.parameters.get("format", "").lower() == "flowed":
            text = unflow(text, delsp=part.parameters.get("delsp", "").lower() == "yes")
        if "-----BEGIN PGP MESSAGE-----" in text[:4096]:
            self.warnings.append("encrypted text")
        return TextPiece(text)

    def _decode_text(self, part: Part) -> str:
        html, size = part.content_type == "text/html", part.end - part.start
        remaining = self._html_bytes_left if html else self._bytes_left
        data, is_complete = decode_body(part, max(0, remaining), keep_text=True)
        is_truncated = size > remaining
        if html:
            self._html_bytes_left -= size
            data = strip_data_uris(data)
            size = len(data)
            is_truncated = is_truncated or size > self._bytes_left
            data = data[: max(0, self._bytes_left)]
        self._bytes_left -= size
        if is_truncated:
            self.warnings.append("text truncated")
        if part.encoding == "quoted-printable":
            data = data.replace(b"\r\r\n", b"\r\n")  # some programs encode a CR before the CRLF
        if not is_complete:
            self.warnings.append(malformed_warning(part))
        label = part.parameters.get("charset", "")
        text, is_guessed = self._charsets.decode(data, label, markup=part.content_type in _MARKUP)
        if is_guessed:
            self.warnings.append("charset guessed")
        return clean_text(text)

    def _extract_style_sheet(self, html: str) -> str:
        sheet = extract_style_sheet(html, self._style_sheet_left)
        self._style_sheet_left -= len(sheet)
        return sheet

    def _decode_enriched(self, text: str) -> str:
        """Converts text/enriched (RFC 1896) or text/richtext to text by parsing it as HTML."""
        text = text.replace("\n", "<br>")
        if len(text) > self._enriched_left:
            self.warnings.append("text truncated")
        text, self._enriched_left = text[: self._enriched_left], max(0, self._enriched_left - len(text))
        clean = sanitize_html(text)
        if clean is None:
            return strip_tags(text, self._limits.text)
        return sanitized_to_text(truncate_html(clean, self._limits.sanitized_html), self._limits.text)


def render(pieces: Sequence[TextPiece], limits: ParseLimits) -> RenderedText:
    warnings: list[str] = []
    texts: list[str] = []
    parts: list[str] = []
    remaining = limits.html
    sanitized_left = limits.sanitized_html
    has_html = any(piece.html is not None for piece in pieces)
    for piece in pieces:
        if piece.is_blank():
            continue
        raw, clean, shown = "", None, ""
        if piece.html is not None:
            raw = piece.html if len(piece.html) <= remaining else text_markup(piece.html, remaining)
            if len(raw) > remaining:
                warnings.append("HTML truncated")
            raw = raw[:remaining]
            remaining -= len(raw)
            clean = _sanitize(raw, sanitized_left)
            if clean is None:
                warnings.append("HTML too complex: shown as text")
            elif len(clean) > limits.sanitized_html:
                warnings.append("HTML truncated")
                clean = truncate_html(clean, limits.sanitized_html)
            shown = clean or ""
        elif has_html:
            shown = piece.as_html()
        if len(shown) > sanitized_left:
            warnings.append("HTML truncated")
            shown = truncate_html(shown, sanitized_left)
        sanitized_left -= len(shown)
        parts.append(shown)
        text, text_warnings = _choose_text(piece, raw, clean, limits)
        texts.append(text)
        warnings += text_warnings
    text = "\n\n".join(stripped for text in texts if (stripped := text.strip("\n")).strip())
    html = "<hr>".join(part for part in parts if part)
    sheet = "".join(piece.style_sheet for piece in pieces)
    return RenderedText(text, f"<style>{sheet}</style>{html}" if html and sheet else html, tuple(warnings))


def _sanitize(html: str, limit: int) -> str | None:
    """Returns safe HTML, None if `html` is too complex. Styles are dropped if the result would exceed the limit."""
    clean = sanitize_html(html)
    return clean if clean is None or len(clean) <= limit else sanitize_html(html, is_styled=False)


def _choose_text(piece: TextPiece, raw: str, clean: str | None, limits: ParseLimits) -> tuple[str, list[str]]:
    """Returns the text of a piece, and warnings if the text is hidden or the HTML is malformed."""
    if piece.html is None:
        return piece.plain or "", []
    if piece.plain is not None and piece.plain.strip() and not _is_stub(piece.plain):
        return piece.plain, []
    if text := sanitized_to_text(clean or "", limits.text):
        return text, []
    if text := sanitized_to_text(clean or "", limits.text, hidden=True):
        return text, ["hidden text: the HTML hides the whole message"]
    if text := strip_tags(raw, limits.text):
        # The sanitiser dropped the text, for example in an unclosed element, or rejected the HTML.
        return text, [] if clean is None else ["malformed HTML: shown as text"]
    return piece.plain or "", []


def _is_stub(plain: str) -> bool:
    """Whether the plain text probably only refers the reader to the HTML."""
    content = plain.strip().lower()
    return (
        len(content) < 400
        and "html" in content
        and any(word in content for word in ("view", "support", "client", "reader"))
    )


def unflow(text: str, *, delsp: bool) -> str:
    """Joins the wrapped lines of format=flowed text (RFC 3676 section 4)."""
    pieces: list[str] = []  # a line ending precedes each paragraph
    open_depth = -1  # quote depth of the unfinished paragraph, -1 if there is none
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        content = line[depth:].removeprefix(" ")
        signature = content == "-- "
        if open_depth == depth and not signature:
            pieces.append(content)
        else:
            pieces += ("\n", f"{'>' * depth} {content}" if depth else content)
        open_depth = -1
        if content.endswith(" ") and not signature:
            open_depth = depth
            if delsp:
                pieces[-1] = pieces[-1][:-1]
    return "".join(pieces[1:])
