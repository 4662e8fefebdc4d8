"""Address lists of header fields (RFC 5322 section 3.4) as names and addresses, however they are written.

One pass from left to right, linear in the value, never an exception. Groups are flattened, comments become names
where there is no other, encoded words are read after the structure is (RFC 2047 section 5), also inside quotes, where
they should not be but are. Called by `router.mail.headers`; recipients of the envelope are `router.mail.address`'s.
"""

from __future__ import annotations

import re

import idna

from router.mail.charsets import decode_charset
from router.mail.decode import clean_line, decode_encoded_words
from router.unicode_security import shown_identifier
from router.unicode_text import limit_marks, normalize

MAX_ADDRESS_LENGTH = 320  # 64 + @ + 255 octets: RFC 5321 section 4.5.3.1
MAX_NAME_LENGTH = 320
MAX_MAILBOXES = 200
MAX_VALUE_BYTES = 65536  # octets of one list that are looked at

# No two of their repetitions can take the same character: a list of blanks must not make them try every split.
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
    """The (name, address) pairs of a list, at most `MAX_MAILBOXES`. hint: the charset of raw 8-bit octets.

    One word without a domain (`From: root`) is an address where the list has no other; further words without `@`
    are nobody.
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
    """The form in which two addresses are the same mailbox: NFC, case-folded, the domain as A-labels.

    Strict mail systems may tell `Joe@` from `joe@` (RFC 5321 section 2.4); no real one does.
    """
    if address.isascii():
        return address.lower()
    local, _, domain = limit_marks(address).rpartition("@")
    return f"{normalize('NFC', local).casefold()}@{_to_a_labels(domain)}"


def _read_plain_list(text: str) -> list[tuple[str, str]] | None:
    """The pairs of a list as nearly all mails have it, None where the full reader has to look."""
    found: list[tuple[str, str]] = []
    for piece in (text,) if '"' in text else text.split(","):
        one = piece.strip()
        if match := _PLAIN_MAILBOX.fullmatch(one):
            found.append(_drop_redundant_name(_clean_name(match[1] or match[2] or ""), _clean_address(match[3])))
        elif _BARE_ADDRESS.fullmatch(one):
            found.append(("", _clean_address(one)))
        else:
            return None
    return found


class _ListReader:
    """The state of the one pass: what the mailbox at hand has so far, and whether a quote or comment is open."""

    def __init__(self, hint: str) -> None:
        """hint: the charset of encoded words whose own label is wrong or unknown."""
        self.hint = hint
        self.mailboxes: list[tuple[str, str]] = []
        self.phrase: list[str] = []
        self.leading_quotes = 0  # quotation marks that belong in front of the phrase
        self.comment: list[str] = []
        self.angle: list[str] = []
        self.in_angle = False
        self.had_angle = False
        self.in_quotes = False
        self.comment_depth = 0
        self.name_before_comma = ""  # words of a name that a bare comma cut in two: `Muster, Eva <eva@...>`
        self.bare_word = ("", "")  # the first one without a domain

    def read(self, text: str) -> None:
        at = 0
        for piece in _DELIMITERS.finditer(text):
            start = piece.start()
            if start < at:
                continue  # the character after a backslash
            if start > at:
                self.append(text[at:start])
            at = piece.end()
            mark = piece[0]
            if mark == "\\" and (self.in_quotes or self.comment_depth):
                self.append(text[at : at + 1])
                at += 1
            elif mark == '"' and not self.comment_depth:
                self.toggle_quote(text, at)
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
        self.append(text[at:])
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

    def toggle_quote(self, text: str, at: int) -> None:
        self.in_quotes = not self.in_quotes
        if self.in_angle:
            self.append('"')
        elif not self.in_quotes and text[at : at + 1] == "@":
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
            self.clear_phrase()  # the name of a group
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
    # `joe@example.org (Joe)`, and a whole mailbox inside quotes or encoded words.
    match = _TRAILING_ADDRESS.search(name, max(0, len(name) - MAX_ADDRESS_LENGTH)) if "@" in name else None
    if match:
        return name[: match.start()].strip(" <[\"'") or _clean_name(comment, hint), _clean_address(match[1])
    if angle is None and name and " " not in name and name.isascii():
        return _clean_name(comment, hint), _clean_address(name)
    return "", ""


def _drop_redundant_name(name: str, address: str) -> tuple[str, str]:
    """A name that only repeats the address is none."""
    return ("" if "@" in name and name.casefold() == address.casefold() else name), address


def _clean_address(text: str) -> str:
    """An addr-spec as it is shown, `""` if too long.

    Without source route, URI scheme and needless quotes, the domain in lower case.
    """
    text = shown_identifier(clean_line(text, MAX_ADDRESS_LENGTH * 2)).lstrip("<")
    if text[:7].lower() == "mailto:":
        text = text[7:]
    if text.startswith("@") and ":" in text:
        text = text.partition(":")[2]  # a source route, RFC 5322 section 4.4
    local, at, domain = text.rpartition("@")
    if not at:
        local, domain = text, ""
    local = local.strip()
    if len(local) > 2 and local[0] == local[-1] == '"' and not _NEEDS_QUOTES.search(local[1:-1]):
        local = local[1:-1]
    domain = domain.replace(" ", "").rstrip(".").lower()
    address = f"{local}@{domain}" if domain else local
    return address if local and len(address) <= MAX_ADDRESS_LENGTH and not (at and not domain) else ""


def _clean_name(text: str, hint: str = "") -> str:
    """A display name, its encoded words read, without the quotes some mailers leave around it."""
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
