"""Builds the body of a message: text, HTML with its images, and files."""

from __future__ import annotations

from collections.abc import Sequence

from router.mail.compose.files import OutgoingFile, build_file_part
from router.mail.compose.html import build_page, find_content_ids, text_to_html
from router.mail.compose.parts import MimePart, MultipartBuilder, build_text_part
from router.mail.compose.quote import Quote, quote_as_html, quote_as_text
from router.mail.decode import clean_text

_SIGNATURE_DELIMITER = "-- "  # RFC 3676 section 4.3


def build_body(
    text: str, html: str, *, signature: str, quote: Quote | None, files: Sequence[OutgoingFile], seed: str
) -> MimePart:
    """Returns the content of a message.

    Args:
        seed: See `MultipartBuilder`.
    """
    builder = MultipartBuilder(seed)
    signature = _clean(signature)
    below = f"{_SIGNATURE_DELIMITER}\n{signature}" if signature else ""
    pieces = [_clean(text), below, quote_as_text(quote) if quote else ""]
    part = build_text_part("text/plain", "\n\n".join(piece for piece in pieces if piece) + "\n")
    shown = find_content_ids(html)
    if html:
        page = build_page(
            piece for piece in (html, text_to_html(below), quote_as_html(quote) if quote else "") if piece
        )
        images = [build_file_part(file, inline=True) for file in files if file.content_id in shown]
        rich = build_text_part("text/html", page)
        if images:
            rich = builder.join("related", [rich, *images], '; type="text/html"')
        part = builder.join("alternative", [part, rich])
    attached = [build_file_part(file, inline=False) for file in files if file.content_id not in shown]
    return builder.join("mixed", [part, *attached]) if attached else part


def _clean(text: str) -> str:
    """Returns text with LF line endings and without blank lines around it."""
    return clean_text(text).strip("\n").rstrip()
