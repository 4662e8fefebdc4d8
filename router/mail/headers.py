"""Parses the header of a message.

`read_headers` may run on the event loop: it never raises and takes linear time, usually tens of microseconds. Returned
texts have a limited length and can be stored (no NUL, no lone surrogates). Nothing is verified: a header contains what
its sender wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from router.mail import automatic
from router.mail.charset_detection import MAX_SAMPLE_BYTES, detect_charset
from router.mail.charset_labels import codec_for
from router.mail.charsets import can_decode, decode_charset, decode_labelled
from router.mail.dates import read_date
from router.mail.decode import ENCODED_WORD, clean_line, decode_encoded_words, undecodable_bytes
from router.mail.mailboxes import MAX_VALUE_BYTES, domains_of, normalize_address, read_mailboxes

MAX_ID_BYTES = 998  # the maximum length of a line (RFC 5322 section 2.1.1)
MAX_REFERENCES = 100
MAX_REFERENCES_BYTES = 32768
MAX_PARTICIPANTS = 200
MAX_TEXT_LENGTH = 998
MAX_FIELDS = 20  # fields with the same name; also values that charset detection reads
# Bytes at the start of the body from which the charset is determined.
MAX_HINT_BYTES = 16384
HEADER_TOO_LARGE = "header too large"  # a warning
HINT_FIELDS = (b"subject", b"from")  # fields whose encoded words indicate the charset of the message
# Fields in which lists and relays keep the author when they replace From, in the order in which they are read.
ORIGINAL_AUTHOR = (b"x-original-from", b"original-from", b"author", b"x-google-original-from", b"x-original-sender")

_FIELD_NAMES = (
    frozenset(
        {
            *(b"from", b"reply-to", b"sender", b"to", b"cc", b"subject", b"date", b"message-id", b"references"),
            *(b"in-reply-to", b"content-type", *ORIGINAL_AUTHOR),
        }
    )
    | automatic.FIELD_NAMES
)

_END_OF_HEADER = re.compile(rb"\n\r*\n")
# The end of a field name; a pattern for the whole name is slow in a header without a colon.
_FIELD = re.compile(rb"[!-9;-~][ \t]*:")
_KNOWN_FIELD = re.compile(
    rb"(?i)(?:from|to|cc|subject|date|message-id|received|return-path|mime-version|content-type|reply-to|sender|"
    rb"delivered-to|dkim-signature|x-[a-z-]{1,64})[ \t]*:"
)
_LATER_FIELD = re.compile(rb"\n" + _KNOWN_FIELD.pattern.removeprefix(b"(?i)"), re.IGNORECASE)
# A line that is neither a field nor a continuation (RFC 5322 section 2.2).
_NOT_A_FIELD = re.compile(rb"\n(?![!-9;-~]{1,128}[ \t]*:|[ \t\r\n]|\Z)")
_CHARSET = re.compile(rb'(?i)charset\s*=\s*"?([^\s";]{1,64})')
_IDS = re.compile(r"<([^<>]*)>")


# A named tuple, because creating a frozen dataclass takes longer.
class HeaderFacts(NamedTuple):
    """The facts of a header that accepting and parsing a message need. Missing text is `""`.

    Attributes:
        rfc_message_id: The Message-ID without angle brackets.
        reference_ids: The message IDs of In-Reply-To and References, newest first, without duplicates.
        marks: The signed marks (`router.mail.automatic.find_marks`), of which one may be our own.
        from_domains: The domains of all addresses in From, in A-labels.
        relayed_reply_ids: If a message with a reverse-path joins a ticket by one of these IDs, the message counts as a
            person's reply, regardless of `automatic`.
        author: The normalised address of the author, even if a mailing list rewrote From.
        participants: The normalised addresses of originators and recipients.
        sent_at: The Date in microseconds since the epoch, None if missing or invalid.
        has_date, has_message_id: Whether the field has a value, even an invalid one. Used to detect duplicates.
        automatic: The result of `router.mail.automatic.classify_header`.
    """

    rfc_message_id: str
    reference_ids: tuple[str, ...]
    relayed_reply_ids: tuple[str, ...]
    author: str
    from_address: str
    from_name: str
    participants: tuple[str, ...]
    subject: str
    sent_at: int | None
    has_date: bool
    has_message_id: bool
    automatic: str
    from_domains: tuple[str, ...]
    marks: tuple[str, ...] = ()


class HeaderBlock(NamedTuple):
    """The header of a message.

    Attributes:
        data: The bytes of the header. Each LF ends a line.
        body_start: The offset of the body.
        has_bare_cr: Whether the lines of the header end with bare CR. `data` is converted, the body is not.
    """

    data: bytes
    body_start: int
    has_bare_cr: bool
    warnings: tuple[str, ...]


def find_header_block(content: bytes, max_bytes: int = 262144) -> HeaderBlock:
    """Finds the header. Skips a byte order mark before it, and empty lines if a known field follows them.

    Without header fields, `data` is empty.
    """
    start = 3 if content.startswith(b"\xef\xbb\xbf") else 0
    warnings: list[str] = []
    if content[start : start + 1] in (b"\r", b"\n", b" "):
        # An empty line ends the header (RFC 5322 section 2.1), but known fields after the line are the intended header.
        first = start
        while content[first : first + 1] in (b"\r", b"\n", b" ", b"\t") and first < start + 1024:
            first += 1
        if _KNOWN_FIELD.match(content, first) is None:
            return HeaderBlock(b"", start, False, ())
        start = first
        warnings.append("empty lines before the header")
    limit = start + max_bytes
    has_bare_cr = _has_cr_line_endings(content, start, limit)
    if has_bare_cr:
        end = content.find(b"\r\r", start, limit)
        body = end + 2
        warnings.append("lines end with bare CR")
    else:
        match = _END_OF_HEADER.search(content, start, limit)
        end, body = (match.start(), match.end()) if match else (-1, -1)
    if end < 0:
        end = body = min(len(content), limit)
        if len(content) > limit:
            warnings.append(HEADER_TOO_LARGE)
            line_start = content.rfind(b"\r" if has_bare_cr else b"\n", start, limit)
            end = body = line_start + 1 if line_start >= 0 else end
    data = content[start:end]
    if has_bare_cr:
        data = data.replace(b"\r", b"\n")
    if _FIELD.search(data[:65536]) is None:
        return HeaderBlock(b"", start, has_bare_cr, tuple(warnings))
    first_other_line = _NOT_A_FIELD.search(data)
    if first_other_line is not None and _LATER_FIELD.search(data, first_other_line.end()) is None:
        # No known field follows, so the body starts with this line.
        warnings.append("no empty line after the header")
        data, body = data[: first_other_line.start()], start + first_other_line.end()
    return HeaderBlock(data, body, has_bare_cr, tuple(warnings))


def _has_cr_line_endings(content: bytes, start: int, limit: int) -> bool:
    first_lf = content.find(b"\n", start, limit)
    if first_lf < 0:
        return content.find(b"\r", start, limit) >= 0
    blank = content.find(b"\r\r", start, first_lf)
    # CR CR LF is one line ending, to which a gateway added a CR.
    return blank >= 0 and content[blank:first_lf].strip(b"\r") != b""


def read_fields(block: bytes, wanted: frozenset[bytes] = _FIELD_NAMES) -> dict[bytes, list[bytes]]:
    """Returns the raw, unfolded values of the wanted fields by lower-case name."""
    found: dict[bytes, list[list[bytes]]] = {}
    current: list[bytes] | None = None
    bytes_left = 0
    for line in block.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if current is not None and bytes_left > 0:
                current.append(line.strip())
                bytes_left -= len(line)
            continue
        name, colon, value = line.partition(b":")
        name = name.rstrip().lower()
        current = None
        if colon and name in wanted:
            values = found.setdefault(name, [])
            if len(values) < MAX_FIELDS:
                current = [value.strip()]
                values.append(current)
                bytes_left = MAX_VALUE_BYTES - len(value)
    return {name: [b" ".join(pieces).strip() for pieces in values] for name, values in found.items()}


def read_headers(content: bytes, *, max_bytes: int = 262144) -> HeaderFacts:
    """Parses the header of a message.

    Args:
        content: The message after dot-unstuffing.
    """
    block = find_header_block(content, max_bytes)
    fields = read_fields(block.data)
    hint = header_charset_hint(content, block, fields)

    senders = _read_field_mailboxes(fields, b"from", hint)
    from_name, from_address = senders[0] if senders else ("", "")
    mailboxes = [*senders, *_read_field_mailboxes(fields, b"reply-to", hint), *_read_original_authors(fields, hint)]
    for name in (b"sender", b"to", b"cc"):
        if len(mailboxes) < MAX_PARTICIPANTS and name in fields:
            mailboxes += _read_field_mailboxes(fields, name, hint)
    participants = tuple(dict.fromkeys(normalize_address(a) for _, a in mailboxes if "@" in a))[:MAX_PARTICIPANTS]

    subject = clean_line(decode_encoded_words(_first_value(fields, b"subject")[:16384], hint), MAX_TEXT_LENGTH)
    date = _first_value(fields, b"date")
    raw_id = _first_value(fields, b"message-id")
    ids = _parse_message_ids(raw_id)
    author = _find_author(fields, from_address, hint)
    mark = automatic.classify_header(fields, author, subject)
    references = _reference_ids(fields)
    evidence: tuple[str, ...] = ()
    if automatic.may_be_relayed(fields, mark, author, subject):
        # References may list the whole conversation, so only In-Reply-To of an auto-generated message counts.
        evidence = tuple(_parent_ids(fields)) if automatic.is_auto_generated(fields) else references
    return HeaderFacts(
        rfc_message_id=ids[0] if ids else "",
        reference_ids=references,
        author=normalize_address(author),
        from_address=from_address,
        from_name=from_name,
        participants=participants,
        subject=subject,
        sent_at=read_date(date),
        has_date=date != b"",
        has_message_id=raw_id != b"",
        automatic=mark,
        relayed_reply_ids=evidence,
        from_domains=domains_of(senders),
        marks=automatic.find_marks(fields),
    )


def header_charset_hint(content: bytes, block: HeaderBlock, fields: dict[bytes, list[bytes]]) -> str:
    """Returns the charset hint of a message (see `charset_hint`), `""` if no field needs one."""
    raw = b"" if block.data.isascii() and b"=?" not in block.data else unlabelled_bytes(fields)
    return charset_hint(fields, raw, content[block.body_start : block.body_start + MAX_HINT_BYTES]) if raw else ""


def charset_hint(fields: dict[bytes, list[bytes]], raw: bytes, body: bytes) -> str:
    """Returns the charset for raw 8-bit bytes and for texts without a label, `""` if unknown or unlabelled UTF-8.

    Charset labels in the header and the body take precedence over detection.

    Args:
        raw: The bytes of the header without a usable charset label.
    """
    for label in _charset_labels(fields, body):
        if can_decode(raw, label):
            return label
    if decode_labelled(raw, ""):
        return ""
    # A body in raw 8-bit bytes usually has the charset of the header, and makes the sample longer.
    label = "" if decode_labelled(body, "") else detect_charset(raw + b"\n" + body)
    return label if can_decode(raw, label) else detect_charset(raw)


def _charset_labels(fields: dict[bytes, list[bytes]], body: bytes) -> Iterator[str]:
    places = [(_CHARSET, _first_value(fields, b"content-type")[:4096])]
    places += [(ENCODED_WORD, _first_value(fields, name)[:4096]) for name in HINT_FIELDS]
    places.append((_CHARSET, body))
    for pattern, value in places:
        match = pattern.search(value)
        if match:
            yield match[1].decode("ascii", "replace")


def unlabelled_bytes(fields: dict[bytes, list[bytes]]) -> bytes:
    """Returns the 8-bit text of field values that has no usable charset label, one line per value."""
    values = (value for name in sorted(fields) for value in fields[name])
    values = (value for value in values if not value.isascii() or (b"=?" in value and _has_unknown_charset(value)))
    return b"\n".join(undecodable_bytes(value[:MAX_SAMPLE_BYTES]) for value in islice(values, MAX_FIELDS)).strip()


def _has_unknown_charset(value: bytes) -> bool:
    return not all(
        codec_for(word[1].decode("ascii", "replace")) for word in ENCODED_WORD.finditer(value[:MAX_SAMPLE_BYTES])
    )


def _decode_raw(value: bytes, hint: str) -> str:
    return value.decode("ascii") if value.isascii() and b"\x1b" not in value else decode_charset(value, hint)[0]


def _read_field_mailboxes(fields: dict[bytes, list[bytes]], name: bytes, hint: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for value in fields.get(name, ()):
        if value:
            found += read_mailboxes(value, hint)
    return found


def _read_original_authors(fields: dict[bytes, list[bytes]], hint: str) -> list[tuple[str, str]]:
    return [
        mailbox for name in ORIGINAL_AUTHOR if name in fields for mailbox in _read_field_mailboxes(fields, name, hint)
    ]


def _find_author(fields: dict[bytes, list[bytes]], from_address: str, hint: str) -> str:
    """Returns the address of the author, even if a mailing list replaced From.

    Such lists keep the author in a field of `ORIGINAL_AUTHOR` (Google Groups) or in Reply-To (Mailman).
    """
    if b"list-id" not in fields:
        return from_address
    list_id = (
        _first_value(fields, b"list-id").rpartition(b"<")[2].partition(b">")[0].strip().lower()
    )  # RFC 2919 section 3
    found = _read_original_authors(fields, hint)
    if not found and list_id and from_address.replace("@", ".").lower().encode("utf-8", "replace") == list_id:
        found = _read_field_mailboxes(fields, b"reply-to", hint)
    return next((address for _, address in found if "@" in address and address != from_address), from_address)


def _first_value(fields: dict[bytes, list[bytes]], name: bytes) -> bytes:
    for value in fields.get(name, ()):
        if value:
            return value
    return b""


def _parent_ids(fields: dict[bytes, list[bytes]]) -> list[str]:
    return _parse_message_ids(_first_value(fields, b"in-reply-to")[:4096])


def _reference_ids(fields: dict[bytes, list[bytes]]) -> tuple[str, ...]:
    if b"references" not in fields and b"in-reply-to" not in fields:
        return ()
    parents = _parent_ids(fields)
    line = _parse_message_ids(_first_value(fields, b"references")[-MAX_REFERENCES_BYTES:])
    line.reverse()
    return tuple(dict.fromkeys((*parents, *line)))[:MAX_REFERENCES]


def _parse_message_ids(value: bytes) -> list[str]:
    """Returns message IDs without angle brackets, which some programs omit."""
    if not value:
        return []
    text = _decode_raw(value, "utf-8")
    ids = _IDS.findall(text) if "<" in text else [word for word in text.split() if "@" in word]
    if not ids and "<" not in text and len(text.split()) == 1:
        ids = [text]
    accepted = []
    for found in ids:
        identifier = clean_line(found, MAX_ID_BYTES + 1).replace(" ", "")
        if identifier and len(identifier.encode()) <= MAX_ID_BYTES:
            accepted.append(identifier)
    return accepted
