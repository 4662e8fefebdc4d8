"""The body parts of a mail as a mail program shows them: which leaves are text to read, and which are files."""

from __future__ import annotations

from router.mail.attachments import File, given_name
from router.mail.structure import Part
from router.mail.text_parts import TextDecoder, TextPiece

# Other kinds of text are read as if they were plain (RFC 2046 section 4.1.4).
_TEXT_FILES = frozenset(
    {
        *("text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/rfc822-headers", "text/rtf"),
        *("text/css", "text/csv", "text/xml", "text/javascript", "text/x-amp-html", "text/watch-html"),
    }
)
# Forms of an alternative for devices of another kind than those that tickets are read on.
_OTHER_FORMS = frozenset({"text/x-amp-html", "text/watch-html"})


class BodyParts:
    """The leaves of a tree of parts, sorted by RFC 2046 section 5.1. Raises `HasHtml` as the decoder does."""

    def __init__(self, root: Part, decoder: TextDecoder) -> None:
        self.pieces: list[TextPiece] = []
        self.files: list[File] = []
        self._decoder = decoder
        self._encrypted: set[int] = set()  # where the parts of multipart/encrypted begin (RFC 1847 section 2.2)
        self._read(root)

    def _read(self, part: Part, *, related: bool = False) -> None:
        kind = part.content_type
        if part.children:
            if kind == "multipart/alternative":
                self._alternative(part)
            elif kind == "multipart/related":
                # RFC 2387 3.2: the root comes first unless `start` says otherwise; it is the first that can be read.
                root = next((child for child in part.children if child.children or self._is_text(child)), None)
                for child in part.children:
                    self._read(child, related=child is not root)
            else:
                if kind == "multipart/encrypted":
                    self._encrypted.update(child.start for child in part.children)
                for child in part.children:
                    self._read(child)
        elif self._is_text(part) and not related:
            self.pieces.append(self._decoder.decode(part))
        elif not part.multipart:  # an empty multipart is nothing to show
            self.files.append(File(part, related, part.start in self._encrypted))

    def _is_text(self, part: Part) -> bool:
        """Whether a leaf is text to be read where it stands; with a name it is one only as the mail's first part."""
        if part.disposition == "attachment" or not part.content_type.startswith("text/"):
            return False
        if part.content_type in _TEXT_FILES:
            return False
        return not given_name(part) or (not self.pieces and not self.files)

    def _alternative(self, part: Part) -> None:
        """The best form for each use: the first plain text to read, the last HTML to show; files of every form."""
        plain: list[TextPiece] = []
        rich: list[TextPiece] = []
        outer = self.pieces
        for child in part.children:
            if child.content_type in _OTHER_FORMS:
                continue
            self.pieces = []
            self._read(child)
            if any(piece.html is not None for piece in self.pieces):
                rich = self.pieces if any(not piece.blank() for piece in self.pieces) or not rich else rich
            elif not plain and any(not piece.blank() for piece in self.pieces):
                plain = self.pieces
        self.pieces = outer
        if rich and plain:
            text = "\n\n".join(piece.plain or "" for piece in plain)
            self.pieces.append(TextPiece(text, "".join(piece.as_html() for piece in rich)))
        else:
            self.pieces.extend(rich or plain)
