"""Parses address lists of header fields (RFC 5322 section 3.4) into names and addresses, and tolerates invalid syntax.

Parsing takes linear time and never raises. Encoded words are decoded after the list is parsed (RFC 2047 section 6.2),
even in quoted strings, where section 5 forbids them.
"""

from __future__ import annotations

import re

import idna

from router.mail.charsets import decode_charset
from router.mail.decode import clean_line, decode_encoded_words
from router.unicode_security import safe_identifier
from router.unicode_text import limit_marks, normalize

MAX_ADDRESS_LENGTH = 320  # characters: 64 + @ + 255, the limits of the two parts in bytes (RFC 5321 section 4.5.3.1)
MAX_NAME_LENGTH = 320
MAX_MAILBOXES = 200
MAX_VALUE_BYTES = 65536  # the rest of a longer value is ignored

# Adjacent repetitions match different characters, to avoid backtracking.
_PLAIN_MAILBOX = re.compile(
    r'(?:(?:"([^"\\<>]{0,200})"|([\w.\'-]{1,64}(?: [\w.\'-]{1,64}){0,20})) ?)?'
    r'<([^\s<>@"(),:;\\]{1,64}@[\w.-]{1,255})>'
)
_BARE_ADDRESS = re.compile(r"[\w.+=/-]{1,64}@[\w.-]{1,255}")
_DELIMITERS = re.compile(r'=\?[^?\s]{1,64}\?[bBqQ]\?[^?\s]{0,512}\?=|[\\"(),:;<>]')
_TRAILING_ADDRESS = re.compile(
    r"<?((?:[^\s<>@\"(),:;\\\[]{1,64}|\"[^\"\\]{1,62}\")@(?:[\w.-]{1,255}|\[[\w.:]{1,64}\]))[>\]]?\s*\Z"
)
_NEEDS_QUOTES = re.compile(r'[\s"(),:;<>@\\]')


def read_mailboxes(value: bytes, hint: str = "") -> list[tuple[str, str]]:
    """Returns the (name, address) pairs of an address list.

    A word without a domain (`From: root`) counts as an address only if the list has no other address.

    Args:
        hint: The charset of bytes without a usable charset label.
    """
    value = value[:MAX_VALUE_BYTES]
    ascii_only = value.isascii() and b"\x1b" not in value
    text = value.decode("ascii") if ascii_only else decode_charset(value, hint)[0]
    if len(text) < 4096 and "=?" not in text and (plain := _read_plain_list(text)) is not None:
        return plain[:MAX_MAILBOXES]
    reader = _ListReader(hint)
    reader.read(text)
    return reader.mailboxes


def normalize_address(address: str) -> str:
    """Returns the form in which addresses are compared.

    Case is ignored, although local parts may be case-sensitive (RFC 5321 section 2.4).
    """
    if address.isascii():
        return address.lower()
    local, _, domain = limit_marks(address).rpartition("@")
    return f"{normalize('NFC', local).casefold()}@{_to_a_labels(domain)}"


def domains_of(mailboxes: list[tuple[str, str]]) -> tuple[str, ...]:
    """Returns the domains of the addresses of (name, address) pairs, in A-labels and without duplicates."""
    domains = (normalize_address(address).rpartition("@")[2] for _, address in mailboxes if "@" in address)
    return tuple(dict.fromkeys(domains))


def _read_plain_list(text: str) -> list[tuple[str, str]] | None:
    """Parses a list of simple mailboxes; returns None if the list needs `_ListReader`."""
    found: list[tuple[str, str]] = []
    for piece in (text,) if '"' in text else text.split(","):
        mailbox = piece.strip()
        if match := _PLAIN_MAILBOX.fullmatch(mailbox):
            found.append(_drop_redundant_name(_clean_name(match[1] or match[2] or ""), _clean_address(match[3])))
        elif _BARE_ADDRESS.fullmatch(mailbox):
            found.append(("", _clean_address(mailbox)))
        else:
            return None
    return found


class _ListReader:
    def __init__(self, hint: str) -> None:
        self.hint = hint
        self.mailboxes: list[tuple[str, str]] = []
        self.phrase: list[str] = []
        self.leading_quotes = 0  # number of quotes to restore before the phrase
        self.comment: list[str] = []
        self.angle: list[str] = []
        self.in_angle = False
        self.had_angle = False
        self.in_quotes = False
        self.comment_depth = 0
        self.name_before_comma = ""  # first part of a name with an unquoted comma: `Muster, Eva <eva@...>`
        self.bare_word = ("", "")  # name and address of the first mailbox without a domain

    def read(self, text: str) -> None:
        position = 0
        for piece in _DELIMITERS.finditer(text):
            start = piece.start()
            if start < position:
                continue  # a backslash escapes this delimiter
            if start > position:
                self.append(text[position:start])
            position = piece.end()
            mark = piece[0]
            if mark == "\\" and (self.in_quotes or self.comment_depth):
                self.append(text[position : position + 1])
                position += 1
            elif mark == '"' and not self.comment_depth:
                self.toggle_quote(text, position)
            elif self.in_quotes:
                self.append(mark)
            elif mark in "()" and (mark == "(" or self.comment_depth):
                self.process_parenthesis(mark)
            elif self.comment_depth:
                self.append(mark)
            else:
                self.process_delimiter(mark)
            if len(self.mailboxes) >= MAX_MAILBOXES:
                return
        self.append(text[position:])
        self.end_mailbox("")
        if not self.mailboxes and self.bare_word[1]:
            self.mailboxes.append(self.bare_word)

    def append(self, piece: str) -> None:
        if self.comment_depth:
            self.comment.append(piece)
        elif self.in_angle:
            self.angle.append(piece)
        else:
            self.phrase.append(piece)

    def toggle_quote(self, text: str, position: int) -> None:
        self.in_quotes = not self.in_quotes
        if self.in_angle:
            self.append('"')
        elif not self.in_quotes and text[position : position + 1] == "@":
            # A quoted local part outside angle brackets.
            self.leading_quotes += 1
            self.append('"')

    def process_parenthesis(self, mark: str) -> None:
        if mark == "(":
            if self.comment_depth:
                self.append(mark)
            self.comment_depth += 1
        else:
            self.comment_depth -= 1
            self.append(mark if self.comment_depth else " ")

    def process_delimiter(self, mark: str) -> None:
        if mark == "<" and not self.had_angle:
            self.in_angle = self.had_angle = True
        elif mark == ">" and self.had_angle:
            self.in_angle = False
        elif mark in ",;" and not self.in_angle:
            self.end_mailbox(mark)
        elif mark == ":" and not self.had_angle:
            self.clear_phrase()  # discard the name of a group
        else:
            self.append(mark)

    def end_mailbox(self, mark: str) -> None:
        phrase = '"' * self.leading_quotes + "".join(self.phrase).lstrip()
        comment, angle = "".join(self.comment), "".join(self.angle)
        name, address = _build_mailbox(phrase, comment, angle if self.had_angle else None, self.hint)
        if "@" in address:
            if self.name_before_comma and self.had_angle and name:
                name = clean_line(f"{self.name_before_comma}, {name}", MAX_NAME_LENGTH)
            self.mailboxes.append(_drop_redundant_name(name, address))
            self.name_before_comma = ""
        else:
            self.bare_word = self.bare_word if self.bare_word[1] else (name, address)
            self.name_before_comma = clean_line(phrase, MAX_NAME_LENGTH) if mark == "," and not self.had_angle else ""
        self.clear_phrase()
        self.comment.clear()
        self.angle.clear()
        self.in_angle = self.had_angle = False

    def clear_phrase(self) -> None:
        self.phrase.clear()
        self.leading_quotes = 0


def _build_mailbox(phrase: str, comment: str, angle: str | None, hint: str) -> tuple[str, str]:
    name = _clean_name(phrase, hint)
    if angle is not None:
        address = _clean_address(angle)
        if address:
            return name or _clean_name(comment, hint), address
    # The phrase may contain the address: `joe@example.org (Joe)`, or a whole mailbox inside quotes or encoded words.
    match = _TRAILING_ADDRESS.search(name, max(0, len(name) - MAX_ADDRESS_LENGTH)) if "@" in name else None
    if match:
        return name[: match.start()].strip(" <[\"'") or _clean_name(comment, hint), _clean_address(match[1])
    if angle is None and name and " " not in name and name.isascii():
        return _clean_name(comment, hint), _clean_address(name)
    return "", ""


def _drop_redundant_name(name: str, address: str) -> tuple[str, str]:
    return ("" if "@" in name and name.casefold() == address.casefold() else name), address


def _clean_address(text: str) -> str:
    """Returns the addr-spec in `text`, `""` if it is unusable.

    Removes a source route, `mailto:` and unnecessary quotes.
    """
    text = safe_identifier(clean_line(text, MAX_ADDRESS_LENGTH * 2)).lstrip("<")
    if text[:7].lower() == "mailto:":
        text = text[7:]
    if text.startswith("@") and ":" in text:
        text = text.partition(":")[2]  # a source route, RFC 5322 section 4.4
    local, position, domain = text.rpartition("@")
    if not position:
        local, domain = text, ""
    local = local.strip()
    if len(local) > 2 and local[0] == local[-1] == '"' and not _NEEDS_QUOTES.search(local[1:-1]):
        local = local[1:-1]
    domain = domain.replace(" ", "").rstrip(".").lower()
    address = f"{local}@{domain}" if domain else local
    return address if local and len(address) <= MAX_ADDRESS_LENGTH and not (position and not domain) else ""


def _clean_name(text: str, hint: str = "") -> str:
    if not text:
        return ""
    if "=?" in text:
        text = decode_encoded_words(text.encode("utf-8", "surrogatepass"), "utf-8", hint)
    text = clean_line(text, MAX_NAME_LENGTH)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text


def _to_a_labels(domain: str) -> str:
    domain = domain.lower()
    if domain.isascii() or len(domain) > 253:
        return domain
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return domain
