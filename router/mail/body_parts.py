"""Separates the leaf parts of a message into text to display and files to download."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from router.mail import smime, uuencode
from router.mail.attachments import File, declared_filename, is_pkcs7
from router.mail.contents import ParseLimits
from router.mail.decode import decode_encoded_words
from router.mail.structure import Part, decode_body, read_structure
from router.mail.text_parts import TextDecoder, TextPiece

# Text parts of these types are files. Unknown text types are displayed as plain text (RFC 2046 section 4.1.4).
_TEXT_FILES = frozenset(
    {
        *("text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/rfc822-headers", "text/rtf"),
        *("text/css", "text/csv", "text/xml", "text/javascript", "text/x-amp-html", "text/watch-html"),
        "text/x-vcalendar",
    }
)
# Alternatives for AMP clients and for watches. These parts are ignored.
_OTHER_ALTERNATIVES = frozenset({"text/x-amp-html", "text/watch-html"})
# The maximum number of S/MIME signed messages that are opened, each copied in memory.
MAX_CONTAINERS = 4
# Enough bytes of a PKCS #7 object to classify it.
_PKCS7_HEAD_BYTES = 512
# Longer base64 text is not searched for uuencoded files, because the search decodes all of it.
_MAX_ENCODED_TEXT_BYTES = 4 << 20
# The maximum number of uuencoded files that are extracted from the texts of one message.
_MAX_BLOCKS = 100


class BodyParts:
    """The leaf parts of a message, as text pieces and files (RFC 2046 section 5.1).

    S/MIME signed-data is a file, and the message inside it is read too. uuencoded blocks in plain text are files.

    Raises:
        HtmlNotAllowed: A part would be parsed as HTML, which the decoder does not allow.
    """

    def __init__(self, root: Part, decoder: TextDecoder, limits: ParseLimits) -> None:
        self.pieces: list[TextPiece] = []
        self.files: list[File] = []
        self.warnings: list[str] = []
        self._decoder = decoder
        self._limits = limits
        self._containers_left = MAX_CONTAINERS
        self._blocks_left = _MAX_BLOCKS
        self._read(root)
        if not self.pieces and root.content_type in ("text/plain", "text/html"):
            # The only part is displayed, even with the disposition `attachment`.
            self.pieces.append(self._decoder.decode(root))

    def _read(self, part: Part, *, related: bool = False, encrypted: bool = False) -> None:
        kind = part.content_type
        if part.children:
            if kind == "multipart/alternative":
                self._read_alternative(part)
            elif kind == "multipart/related":
                # The first multipart or text counts as the root. The parameter `start` (RFC 2387) is ignored.
                root = next((child for child in part.children if child.children or self._is_text(child)), None)
                for child in part.children:
                    self._read(child, related=child is not root)
            else:
                for child in part.children:  # multipart/encrypted: RFC 1847 section 2.2
                    self._read(child, encrypted=kind == "multipart/encrypted")
        elif self._is_text(part) and not related:
            self._read_text(part)
        elif is_pkcs7(part) and not related:
            self._read_pkcs7(part)
        elif not part.is_multipart:  # an empty multipart is ignored
            self.files.append(File(part, related, "encrypted" if encrypted else ""))

    def _read_text(self, part: Part) -> None:
        blocks: list[Part] = []
        if part.content_type != "text/html":
            part, blocks = _extract_uuencoded(part, self._blocks_left)
            self._blocks_left -= len(blocks)
        self.pieces.append(self._decoder.decode(part))
        self.files += [File(block) for block in blocks]

    def _read_pkcs7(self, part: Part) -> None:
        kind = smime.classify_pkcs7(decode_body(part, _PKCS7_HEAD_BYTES)[0])
        if kind == "signed" and not self._containers_left:
            self.warnings.append("too many signed messages: some were not opened")
        elif kind == "signed":
            self._containers_left -= 1
            mail = smime.extract_signed(decode_body(part)[0], declared_filename(part))
            if mail is not None:
                limits = self._limits
                inner = read_structure(
                    mail, max_header_bytes=limits.header_bytes, max_parts=limits.parts, max_depth=limits.depth
                )
                self.warnings += ["S/MIME signature not verified", *inner.warnings]
                self._read(inner.root)
        self.files.append(File(part, kind="" if kind == "other" else kind))

    def _is_text(self, part: Part) -> bool:
        if part.disposition == "attachment" or not part.content_type.startswith("text/"):
            return False
        if part.content_type in _TEXT_FILES:
            return False
        return not declared_filename(part) or (not self.pieces and not self.files)

    def _read_alternative(self, part: Part) -> None:
        """Reads the first non-blank plain text and the last non-blank HTML. Blank HTML is used if there is no other."""
        plain: list[TextPiece] = []
        rich: list[TextPiece] = []
        outer = self.pieces
        for child in part.children:
            if child.content_type in _OTHER_ALTERNATIVES:
                continue
            self.pieces = []
            self._read(child)
            if any(piece.html is not None for piece in self.pieces):
                rich = self.pieces if any(not piece.is_blank() for piece in self.pieces) or not rich else rich
            elif not plain and any(not piece.is_blank() for piece in self.pieces):
                plain = self.pieces
        self.pieces = outer
        if rich and plain:
            text = "\n\n".join(piece.plain or "" for piece in plain)
            html = "".join(piece.as_html() for piece in rich)
            self.pieces.append(TextPiece(text, html, "".join(piece.style_sheet for piece in rich)))
        else:
            self.pieces.extend(rich or plain)


def _extract_uuencoded(part: Part, limit: int) -> tuple[Part, list[Part]]:
    """Returns a text part without its first `limit` uuencoded files, and these files as parts."""
    if part.encoding == "base64":
        if part.end - part.start > _MAX_ENCODED_TEXT_BYTES:
            return part, []
    elif part.content.find(b"begin ", part.start, part.end) < 0:
        return part, []
    data, is_complete = decode_body(part, keep_text=True)
    blocks = list(islice(uuencode.find_blocks(data), limit)) if is_complete else []
    if not blocks:
        return part, []
    starts, ends = [block.start for block in blocks], [block.end for block in blocks]
    text = b"".join(data[end:start] for end, start in zip([0, *ends], [*starts, len(data)], strict=True))
    files = [
        replace(
            part,
            content_type="application/octet-stream",
            parameters={"name": decode_encoded_words(block.name, part.parameters.get("charset", ""))},
            disposition="attachment",
            disposition_parameters={},
            encoding="uuencode",
            content=data,
            start=block.start,
            end=block.end,
        )
        for block in blocks
    ]
    return replace(part, encoding="8bit", content=text, start=0, end=len(text)), files
