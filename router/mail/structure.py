"""Parses a message into a tree of MIME parts (RFC 2046), which are offsets into the bytes of the message.

Parsing never raises and takes linear time for any message. Enclosed messages are leaves of the tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from router.mail import transfer_encoding
from router.mail.charset_detection import MAX_DETECTIONS
from router.mail.charsets import can_decode
from router.mail.decode import parse_parameters
from router.mail.headers import (
    HINT_FIELDS,
    MAX_HINT_BYTES,
    charset_hint,
    find_header_block,
    read_fields,
    unlabelled_bytes,
)

# The end of a part's header: the empty line, or the start of a line that is neither a field nor a continuation.
_END_OF_HEADER = re.compile(rb"\n(?:(\r*\n)|(?![!-9;-~]{1,128}[ \t]*:|[ \t\r\n]|\Z))")
_FIELD = re.compile(rb"[!-9;-~]{1,128}[ \t]*:")
_LATE_FIELD = re.compile(rb"[ \t\r\n]{0,1024}((?:Content-[A-Za-z-]{1,40}|MIME-Version)[ \t]{0,8}:)", re.IGNORECASE)
_FIRST_DELIMITER = re.compile(rb"(?:\A|\n)--([^\s-][^\r\n]{0,200}?)[ \t]*\r*\n")
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}")
_IDENTITY = frozenset({"", "7bit", "8bit", "binary"})
_CORRECTED_TYPES = {"html": "text/html", "html/text": "text/html", "plain/text": "text/plain"}
_PART_FIELDS = frozenset(
    {b"content-type", b"content-disposition", b"content-transfer-encoding", b"content-id", b"content-description"}
)
_MAX_TYPES = 4  # Content-Type fields of a header; the body is searched for the boundary of each
_MAX_PART_HEADER_BYTES = 65536
_MAX_ALL_PART_HEADER_BYTES = 1 << 20
_MAX_DELIMITER_BYTES = 512  # RFC 2046 section 5.1.1 allows boundaries of up to 70 bytes
_MAX_FALSE_DELIMITERS = 200_000  # lines that start with "--" but are no delimiters; each requires a lookup


@dataclass(slots=True)
class Part:
    """A node of the tree of MIME parts.

    Attributes:
        content_type: The media type in lower case. The default is message/rfc822 in multipart/digest (RFC 2046 section
            5.1.5), text/plain elsewhere (RFC 2045 section 5.2).
        content: The bytes of the whole message; an encoded root multipart may have been decoded. The body of the part
            is `content[start:end]`.
    """

    content_type: str
    parameters: dict[str, str]
    disposition: str
    disposition_parameters: dict[str, str]
    encoding: str
    content_id: str
    content: bytes = field(repr=False)
    start: int
    end: int
    depth: int
    children: list[Part] = field(default_factory=list)

    @property
    def is_multipart(self) -> bool:
        return self.content_type.startswith("multipart/")


@dataclass(frozen=True, slots=True)
class Structure:
    """The tree of MIME parts of a message, its charset hint, and warnings."""

    root: Part
    hint: str
    warnings: tuple[str, ...]


def read_structure(content: bytes, *, max_header_bytes: int, max_parts: int, max_depth: int) -> Structure:
    """Parses the MIME parts of a message, and adds a warning for each given limit that is exceeded."""
    block = find_header_block(content, max_header_bytes)
    if block.has_bare_cr:
        content = content.replace(b"\r", b"\n")
    fields = read_fields(block.data, _PART_FIELDS.union(HINT_FIELDS))
    body, warnings = block.body_start, [*block.warnings]
    if b"content-type" not in fields and (late_fields := _read_late_fields(content, body)) is not None:
        fields, body = {**fields, **late_fields[0]}, late_fields[1]
        warnings.append("empty lines inside the header")
    if len(types := fields.get(b"content-type", [])) > 1:
        fields[b"content-type"] = sorted(
            types[:_MAX_TYPES], key=lambda value: not _has_used_boundary(value, content, body)
        )
    hint = charset_hint(fields, unlabelled_bytes(fields), content[body : body + MAX_HINT_BYTES])
    root = _build_part(fields, hint, content, start=body, depth=0, default="text/plain")
    if root.is_multipart and root.encoding in ("base64", "quoted-printable"):
        content = _decode_multipart(root)
    walk = _TreeBuilder(content, hint, max_parts, max_depth)
    walk.warnings += warnings
    if root.is_multipart:
        walk.run(root)
    return Structure(root, hint, tuple(dict.fromkeys(walk.warnings)))


def _has_used_boundary(content_type: bytes, content: bytes, body: int) -> bool:
    """Whether a Content-Type has a boundary that occurs in the body."""
    boundary = parse_parameters(content_type)[1].get("boundary", "").encode("utf-8", "replace")
    return boundary != b"" and content.find(b"--" + boundary, body) >= 0


def _read_late_fields(content: bytes, body: int) -> tuple[dict[bytes, list[bytes]], int] | None:
    """Returns MIME fields that an empty line separates from the header, and the offset of the body after them.

    Returns None if there are no such fields, or if the body does not contain their boundary.
    """
    start = _LATE_FIELD.match(content, body)
    end = _END_OF_HEADER.search(content, start.end(), start.end() + _MAX_PART_HEADER_BYTES) if start else None
    if start is None or end is None:
        return None
    fields = read_fields(content[start.start(1) : end.start()], _PART_FIELDS)
    if not _has_used_boundary(next(iter(fields.get(b"content-type", ())), b""), content, end.end() - 1):
        return None
    return fields, end.end()


def _decode_multipart(root: Part) -> bytes:
    """Decodes an encoded multipart if its boundary occurs only in the decoded body. Returns the content of the part.

    RFC 2045 section 6.4 forbids encoding a multipart, but some programs do so.
    """
    boundary = root.parameters.get("boundary", "").encode("utf-8", "replace")
    body, whole = decode_body(root)
    if whole and boundary and b"--" + boundary in body and root.content.find(b"--" + boundary, root.start) < 0:
        root.content = root.content[: root.start] + body
        root.end, root.encoding = len(root.content), ""
    return root.content


class _TreeBuilder:
    def __init__(self, content: bytes, hint: str, max_parts: int, max_depth: int) -> None:
        self.content = content
        self.hint = hint
        self.max_parts = max_parts
        self.max_depth = max_depth
        self.part_count = 1
        self.header_bytes = 0
        self.detection_count = 0
        self.warnings: list[str] = []
        self.stack: list[tuple[bytes, Part]] = []
        self.open_boundaries: dict[bytes, int] = {}
        self.leaf: Part | None = None

    def run(self, root: Part) -> None:
        content = self.content
        self.open_multipart(root)
        position = root.start - 1
        false_delimiters = 0
        while self.stack:
            found = content.find(b"\n--", position)
            if found < 0:
                self.warnings.append("closing boundary missing")
                break
            line_end = content.find(b"\n", found + 3, found + 3 + _MAX_DELIMITER_BYTES)
            if line_end < 0:
                line_end = min(len(content), found + 3 + _MAX_DELIMITER_BYTES)
            line = content[found + 3 : line_end].rstrip()
            level = self.open_boundaries.get(line)
            closing = level is None and line.endswith(b"--")
            if closing:
                level = self.open_boundaries.get(line[:-2])
            position = line_end
            if level is None:
                false_delimiters += 1
                if false_delimiters > _MAX_FALSE_DELIMITERS:
                    self.warnings.append("too many lines that look like part boundaries")
                    break
                continue
            self.close_parts(found, level + (0 if closing else 1))
            if closing:
                continue
            if self.part_count >= self.max_parts or self.header_bytes > _MAX_ALL_PART_HEADER_BYTES:
                self.warnings.append("too many parts")
                break
            position = self.read_child(self.stack[level][1], min(line_end + 1, len(content))) - 1
        self.close_parts(len(content), 0)

    def open_multipart(self, part: Part) -> None:
        boundary = part.parameters.get("boundary", "").encode("utf-8", "replace")[:_MAX_DELIMITER_BYTES].rstrip()
        if part.depth == 0 and (not boundary or self.content.find(b"--" + boundary, part.start) < 0):
            # No boundary is declared, or the body does not contain the declared one.
            first = _FIRST_DELIMITER.search(self.content, max(0, part.start - 1), part.start + 65536)
            if first is not None:
                boundary = first[1]
                self.warnings.append("multipart boundary guessed")
        if boundary and boundary not in self.open_boundaries and part.depth < self.max_depth:
            self.open_boundaries[boundary] = len(self.stack)
            self.stack.append((boundary, part))
            self.leaf = None
            return
        self.warnings.append("parts nested too deeply" if part.depth >= self.max_depth else "multipart without parts")
        part.content_type = "text/plain"
        self.leaf = part

    def close_parts(self, position: int, level: int) -> None:
        """Ends the open leaf, and the open multiparts at `level` and deeper, at the line break at `position`."""
        if self.leaf is not None:
            end = position - 1 if self.content[position - 1 : position] == b"\r" else position
            self.leaf.end = max(self.leaf.start, end)
            self.leaf = None
        while len(self.stack) > level:
            boundary, part = self.stack.pop()
            del self.open_boundaries[boundary]
            part.end = max(part.start, position)
            if not part.children:
                self.warnings.append("multipart without parts")
                part.content_type = "text/plain"

    def read_child(self, parent: Part, start: int) -> int:
        """Reads the header of the part at `start`; returns the offset of its body."""
        content = self.content
        default = "message/rfc822" if parent.content_type == "multipart/digest" else "text/plain"
        block, body = b"", start
        if content[start : start + 1] == b"\n":
            body = start + 1
        elif content[start : start + 2] == b"\r\n":
            body = start + 2
        elif _FIELD.match(content, start):
            limit = self.max_header_end(start)
            stop = body = limit
            # The search stops at the next delimiter. Otherwise, delimiters that look like fields would cause
            # quadratic time.
            delimiter = self.find_delimiter(start, limit)
            if delimiter >= 0:
                stop, body = delimiter, delimiter + 1
            match = _END_OF_HEADER.search(content, start, body)
            if match:
                stop, body = match.span()
            block = content[start:stop]
            self.header_bytes += len(block)
        fields = read_fields(block, _PART_FIELDS)
        hint = self.part_charset_hint(block, fields)
        part = _build_part(fields, hint, content, start=body, depth=parent.depth + 1, default=default)
        parent.children.append(part)
        self.part_count += 1
        if part.is_multipart:
            self.open_multipart(part)
        else:
            self.leaf = part
        return body

    def part_charset_hint(self, block: bytes, fields: dict[bytes, list[bytes]]) -> str:
        """Returns the charset of raw 8-bit bytes in the header of a part. The number of detections is limited."""
        if block.isascii() or can_decode(block, self.hint) or self.detection_count >= MAX_DETECTIONS:
            return self.hint
        self.detection_count += 1
        return charset_hint(fields, unlabelled_bytes(fields), b"")

    def max_header_end(self, start: int) -> int:
        limit = min(len(self.content), start + _MAX_PART_HEADER_BYTES)
        if limit == len(self.content):
            return limit
        cut = self.content.rfind(b"\n", start, limit)
        return cut + 1 if cut >= 0 else limit

    def find_delimiter(self, start: int, stop: int) -> int:
        """Returns the position of the line break before the first delimiter, -1 if there is none."""
        position = self.content.find(b"\n--", start, stop)
        while position >= 0:
            line = self.content[position + 3 : position + 3 + _MAX_DELIMITER_BYTES].partition(b"\n")[0].rstrip()
            if line in self.open_boundaries or (line.endswith(b"--") and line[:-2] in self.open_boundaries):
                return position
            position = self.content.find(b"\n--", position + 3, stop)
        return -1


def _build_part(
    fields: dict[bytes, list[bytes]], hint: str, content: bytes, *, start: int, depth: int, default: str
) -> Part:
    def first(name: bytes) -> bytes:
        return next((value for value in fields.get(name, ()) if value), b"")

    content_type, type_parameters = parse_parameters(first(b"content-type"), hint)
    match = _TYPE.match(_CORRECTED_TYPES.get(content_type, content_type))
    content_type = match[0] if match else default
    disposition, disposition_parameters = parse_parameters(first(b"content-disposition"), hint)
    mechanisms = [transfer_encoding.parse_mechanism(value) for value in fields.get(b"content-transfer-encoding", ())]
    content_id = first(b"content-id")[:998].strip(b"<> \t").decode("ascii", "replace")
    return Part(
        content_type=content_type,
        parameters=type_parameters,
        disposition=disposition,
        disposition_parameters=disposition_parameters,
        encoding=next((name for name in mechanisms if name not in _IDENTITY), mechanisms[0] if mechanisms else ""),
        content_id=content_id,
        content=content,
        start=start,
        end=len(content),
        depth=depth,
    )


def decode_body(part: Part, limit: int | None = None, *, keep_text: bool = False) -> tuple[bytes, bool]:
    """Decodes the body of a part; also returns whether the input could be decoded completely.

    Args:
        limit: Maximum number of encoded bytes to decode.
        keep_text: See `transfer_encoding.decode`.
    """
    end = part.end if limit is None else min(part.end, part.start + limit)
    return transfer_encoding.decode(part.content[part.start : end], part.encoding, keep_text=keep_text)


def malformed_warning(part: Part) -> str:
    return f"malformed {part.encoding}"


def decoded_size(part: Part) -> tuple[int, bool]:
    """Returns the size of the decoded body in bytes, and whether the body could be decoded completely."""
    return transfer_encoding.decoded_size(part.content[part.start : part.end], part.encoding)
