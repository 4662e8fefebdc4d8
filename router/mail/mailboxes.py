"""Address lists of header fields (RFC 5322 section 3.4) as names and addresses, however they are written.

One pass from left to right, linear in the value, never an exception. Groups are flattened, comments become names
where there is no other, encoded words are read after the structure is (RFC 2047 section 5), also inside quotes, where
they should not be but are. Called by `router.mail.headers`; recipients of the envelope are `router.mail.address`'s.
"""

from __future__ import annotations

import re

import idna

from router.mail.charsets import decode_charset
from router.mail.decode import decode_words, one_line
from router.unicode_security import shown_identifier
from router.unicode_text import limit_marks, normalize

MAX_ADDRESS = 320  # 64 + @ + 255 octets: RFC 5321 section 4.5.3.1
MAX_NAME = 320
MAX_MAILBOXES = 200
MAX_VALUE = 65536  # octets of one list that are looked at

# No two of their repetitions can take the same character: a list of blanks must not make them try every split.
_PLAIN = re.compile(
    r'(?:(?:"([^"\\<>]{0,200})"|([\w.\'-]{1,64}(?: [\w.\'-]{1,64}){0,20})) ?)?'
    r'<([^\s<>@"(),:;\\]{1,64}@[\w.-]{1,255})>'
)
_BARE = re.compile(r"[\w.+=/-]{1,64}@[\w.-]{1,255}")
_PIECES = re.compile(r'=\?[^?\s]{1,64}\?[bBqQ]\?[^?\s]{0,512}\?=|[\\"(),:;<>]')
_AT_THE_END = re.compile(
    r"<?((?:[^\s<>@\"(),:;\\\[]{1,64}|\"[^\"\\]{1,62}\")@(?:[\w.-]{1,255}|\[[\w.:]{1,64}\]))[>\]]?\s*\Z"
)
_NEEDS_QUOTES = re.compile(r'[\s"(),:;<>@\\]')


def read_mailboxes(value: bytes, hint: str = "") -> list[tuple[str, str]]:
    """The (name, address) pairs of a list, at most `MAX_MAILBOXES`. hint: the charset of raw 8-bit octets.

    One word without a domain (`From: root`) is an address where the list has no other; further words without `@`
    are nobody.
    """
    value = value[:MAX_VALUE]
    ascii_only = value.isascii() and b"\x1b" not in value
    text = value.decode("ascii") if ascii_only else decode_charset(value, hint)[0]
    if len(text) < 4096 and "=?" not in text and (plain := _plain_list(text)) is not None:
        return plain[:MAX_MAILBOXES]
    reader = _ListReader(hint)
    reader.read(text)
    return reader.found


def comparable(address: str) -> str:
    """The form in which two addresses are the same mailbox: NFC, case-folded, the domain as A-labels.

    Strict mail systems may tell `Joe@` from `joe@` (RFC 5321 section 2.4); no real one does.
    """
    if address.isascii():
        return address.lower()
    local, _, domain = limit_marks(address).rpartition("@")
    return f"{normalize('NFC', local).casefold()}@{_a_labels(domain)}"


def _plain_list(text: str) -> list[tuple[str, str]] | None:
    """The pairs of a list as nearly all mails have it, None where the full reader has to look."""
    found: list[tuple[str, str]] = []
    for piece in (text,) if '"' in text else text.split(","):
        one = piece.strip()
        if match := _PLAIN.fullmatch(one):
            found.append(_pair(_name(match[1] or match[2] or ""), _address(match[3])))
        elif _BARE.fullmatch(one):
            found.append(("", _address(one)))
        else:
            return None
    return found


class _ListReader:
    """The state of the one pass: what the mailbox at hand has so far, and whether a quote or comment is open."""

    def __init__(self, hint: str) -> None:
        """hint: the charset of encoded words whose own label is wrong or unknown."""
        self.hint = hint
        self.found: list[tuple[str, str]] = []
        self.phrase: list[str] = []
        self.quotes_before = 0  # quotation marks that belong in front of the phrase
        self.comment: list[str] = []
        self.angle: list[str] = []
        self.in_angle = False
        self.had_angle = False
        self.quoted = False
        self.depth = 0
        self.before_comma = ""  # words of a name that a bare comma cut in two: `Muster, Eva <eva@...>`
        self.word = ("", "")  # the first one without a domain

    def read(self, text: str) -> None:
        at = 0
        for piece in _PIECES.finditer(text):
            start = piece.start()
            if start < at:
                continue  # the character after a backslash
            if start > at:
                self.put(text[at:start])
            at = piece.end()
            mark = piece[0]
            if mark == "\\" and (self.quoted or self.depth):
                self.put(text[at : at + 1])
                at += 1
            elif mark == '"' and not self.depth:
                self.quote(text, at)
            elif self.quoted:
                self.put(mark)
            elif mark in "()" and (mark == "(" or self.depth):
                self.parenthesis(mark)
            elif self.depth:
                self.put(mark)
            else:
                self.structure(mark)
            if len(self.found) >= MAX_MAILBOXES:
                return
        self.put(text[at:])
        self.end("")
        if not self.found and self.word[1]:
            self.found.append(self.word)

    def put(self, piece: str) -> None:
        if self.depth:
            self.comment.append(piece)
        elif self.in_angle:
            self.angle.append(piece)
        else:
            self.phrase.append(piece)

    def quote(self, text: str, at: int) -> None:
        self.quoted = not self.quoted
        if self.in_angle:
            self.put('"')
        elif not self.quoted and text[at : at + 1] == "@":
            # A quoted local part outside angle brackets.
            self.quotes_before += 1
            self.put('"')

    def parenthesis(self, mark: str) -> None:
        if mark == "(":
            if self.depth:
                self.put(mark)
            self.depth += 1
        else:
            self.depth -= 1
            self.put(mark if self.depth else " ")

    def structure(self, mark: str) -> None:
        if mark == "<" and not self.had_angle:
            self.in_angle = self.had_angle = True
        elif mark == ">" and self.had_angle:
            self.in_angle = False
        elif mark in ",;" and not self.in_angle:
            self.end(mark)
        elif mark == ":" and not self.had_angle:
            self.clear_phrase()  # the name of a group
        else:
            self.put(mark)

    def end(self, mark: str) -> None:
        phrase = '"' * self.quotes_before + "".join(self.phrase).lstrip()
        comment, angle = "".join(self.comment), "".join(self.angle)
        name, address = _mailbox(phrase, comment, angle if self.had_angle else None, self.hint)
        if "@" in address:
            if self.before_comma and self.had_angle and name:
                name = one_line(f"{self.before_comma}, {name}", MAX_NAME)
            self.found.append(_pair(name, address))
            self.before_comma = ""
        else:
            self.word = self.word if self.word[1] else (name, address)
            self.before_comma = one_line(phrase, MAX_NAME) if mark == "," and not self.had_angle else ""
        self.clear_phrase()
        self.comment.clear()
        self.angle.clear()
        self.in_angle = self.had_angle = False

    def clear_phrase(self) -> None:
        self.phrase.clear()
        self.quotes_before = 0


def _mailbox(phrase: str, comment: str, angle: str | None, hint: str) -> tuple[str, str]:
    name = _name(phrase, hint)
    if angle is not None:
        address = _address(angle)
        if address:
            return name or _name(comment, hint), address
    # `joe@example.org (Joe)`, and a whole mailbox inside quotes or encoded words.
    match = _AT_THE_END.search(name, max(0, len(name) - MAX_ADDRESS)) if "@" in name else None
    if match:
        return name[: match.start()].strip(" <[\"'") or _name(comment, hint), _address(match[1])
    if angle is None and name and " " not in name and name.isascii():
        return _name(comment, hint), _address(name)
    return "", ""


def _pair(name: str, address: str) -> tuple[str, str]:
    """A name that only repeats the address is none."""
    return ("" if "@" in name and name.casefold() == address.casefold() else name), address


def _address(text: str) -> str:
    """An addr-spec as it is shown, `""` if too long.

    Without source route, URI scheme and needless quotes, the domain in lower case.
    """
    text = shown_identifier(one_line(text, MAX_ADDRESS * 2)).lstrip("<")
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
    return address if local and len(address) <= MAX_ADDRESS and not (at and not domain) else ""


def _name(text: str, hint: str = "") -> str:
    """A display name, its encoded words read, without the quotes some mailers leave around it."""
    if not text:
        return ""
    if "=?" in text:
        text = decode_words(text.encode("utf-8", "surrogatepass"), "utf-8", hint)
    text = one_line(text, MAX_NAME)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    return text


def _a_labels(domain: str) -> str:
    domain = domain.lower()
    if domain.isascii() or len(domain) > 253:
        return domain
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return domain
