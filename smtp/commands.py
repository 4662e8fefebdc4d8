"""Command lines as typed values (RFC 5321 section 4.1).

Pure: bytes in, a value out, or `CommandError` with the reply. The email package is not used:
the grammar of a command is small and regular, and every pattern here is linear in the line, whose
length is bounded before. This module checks syntax only; `smtp.session` checks the order of
commands, `smtp.policy` sizes and addresses.

Looser than the RFC where real clients are: spaces after `FROM:` and at the end of a line. Stricter
where no real client is affected: a path needs its angle brackets, and a command contains no control
character, tab and bare CR included.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from router.mail.address import MAX_LOCAL_PART_BYTES, MAX_MAILBOX_BYTES, AddressError, Mailbox, parse_mailbox
from router.unicode_security import shown_identifier
from smtp import replies
from smtp.replies import Reply

LINE_LIMIT = 512  # bytes with CRLF, RFC 5321 4.5.3.1.4
# MAIL has 26 more for SIZE (RFC 1870 3), 17 for BODY (RFC 6152 2), 10 for SMTPUTF8 (RFC 6531 3.4).
MAIL_LINE_LIMIT = LINE_LIMIT + 26 + 17 + 10

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# The name in HELO becomes part of the Received field: visible characters without a meaning there.
_HELLO = re.compile(r'[^\x00-\x20\x7f-\xa0()<>"\\\u2028\u2029\ud800-\udfff]{1,255}')
# `<`, an ignored source route (RFC 5321 4.1.1.3, appendix F.2), the mailbox, `>`, parameters.
_PATH = re.compile(r' *<(?:@[^:"<> ]++:)?((?:"(?:[^"\\]|\\.)*+"|[^"<>])*+)>(?: +([^ ].*))?')
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?")
_SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870 4
_BDAT = re.compile(r"([0-9]{1,20})( +LAST)?", re.IGNORECASE)
# A method of HTTP (RFC 9110 section 9, RFC 5789, the preface of HTTP/2), or a TLS handshake (RFC 8446 5.1).
_HTTP_OR_TLS = re.compile(
    rb"(?:CONNECT|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PRI|PUT|TRACE)[ \t\r\n]|\x16\x03", re.IGNORECASE
)
_REQUEST_LINE = re.compile(rb" [A-Z]+/[0-9]\.[0-9]\r?$", re.MULTILINE | re.IGNORECASE)  # of HTTP and protocols like it


class CommandError(Exception):
    """The line is not a valid command.

    Attributes:
        reply: The reply with the reason.
        fatal: It may have announced content of unknown size, so no command can be read after it.
    """

    def __init__(self, reply: Reply, *, fatal: bool = False) -> None:
        super().__init__(reply.text)
        self.reply = reply
        self.is_fatal = fatal


def announces_content(line: bytes | bytearray) -> bool:
    """Whether a refused line starts as BDAT does: to the client that sent it, content follows."""
    return line[:4].upper() == b"BDAT" and line[4:5] <= b" "


def is_other_protocol(start: bytes | bytearray) -> bool:
    """Whether a line with this start belongs to HTTP or TLS."""
    return _HTTP_OR_TLS.match(start) is not None


def line_error(line: bytes | bytearray, reply: Reply) -> CommandError:
    """The error for a line that is no command: `reply`, or 421 to a client of another protocol.

    That connection must close: a browser can be made to send SMTP commands in the body of a request.
    """
    if is_other_protocol(line + b"\r\n") or _REQUEST_LINE.search(line):
        return CommandError(replies.NOT_SMTP)
    return CommandError(reply, fatal=announces_content(line))


@dataclass(frozen=True, slots=True)
class MailCommand:
    """MAIL: `mailbox` is None for the null reverse-path, `size` is the declared one in bytes."""

    mailbox: Mailbox | None
    size: int | None = None
    smtputf8: bool = False


@dataclass(frozen=True, slots=True)
class BdatCommand:
    """BDAT, RFC 3030 section 2: `size` bytes follow the line."""

    size: int
    last: bool


def split_line(line: bytes) -> tuple[str, str]:
    """The verb in upper case and its argument, from a line without its CRLF. Raises `CommandError`.

    Bytes that are not UTF-8 become lone surrogates, which no parser below accepts.
    """
    if _CONTROL.search(line):
        raise line_error(line, replies.CONTROL_CHARACTER)
    verb, _, argument = line.partition(b" ")
    if not verb.isascii():
        raise line_error(line, replies.UNKNOWN_COMMAND)
    return verb.upper().decode("ascii"), argument.strip(b" ").decode("utf-8", "surrogateescape")


def parse_hello(argument: str | None) -> str:
    """The name in HELO or EHLO; no mail is refused for it (RFC 5321 4.1.4)."""
    if argument is None or not _HELLO.fullmatch(argument) or not (name := shown_identifier(argument)):
        raise CommandError(replies.BAD_ARGUMENT)
    return name


def parse_mail(argument: str | None) -> MailCommand:
    """`FROM:<reverse-path> [SIZE=n] [BODY=7BIT|8BITMIME] [SMTPUTF8]`. Raises `CommandError`."""
    path, parameters = _split_path(argument, "FROM:")
    size: int | None = None
    smtputf8 = False
    for name, value in _parse_parameters(parameters):
        if name == "SIZE":
            if value is None or not _SIZE.fullmatch(value):
                raise CommandError(replies.BAD_ARGUMENT)
            size = int(value)
        elif name == "BODY":
            if value is None or value.upper() not in ("7BIT", "8BITMIME"):
                raise CommandError(replies.BAD_ARGUMENT)
        elif name == "SMTPUTF8":
            if value is not None:
                raise CommandError(replies.BAD_ARGUMENT)
            smtputf8 = True
        else:
            raise CommandError(replies.UNKNOWN_PARAMETER)
    # Rewritten reverse-paths (SRS, VERP) have local parts over 64; refusing them would lose mail.
    mailbox = _parse_mailbox(path, smtputf8=smtputf8, local_part_limit=MAX_MAILBOX_BYTES) if path else None
    if mailbox is not None and not mailbox.domain:  # only a recipient may be the bare postmaster
        raise CommandError(replies.BAD_ADDRESS)
    return MailCommand(mailbox, size, smtputf8)


def parse_rcpt(argument: str | None, *, smtputf8: bool) -> Mailbox:
    """`TO:<forward-path>`; no parameter is known.

    Args:
        argument: What follows RCPT.
        smtputf8: Whether MAIL had that parameter.

    Raises:
        CommandError: The argument is malformed.
    """
    path, parameters = _split_path(argument, "TO:")
    for _ in _parse_parameters(parameters):
        raise CommandError(replies.UNKNOWN_PARAMETER)
    return _parse_mailbox(path, smtputf8=smtputf8)


def parse_bdat(argument: str | None) -> BdatCommand:
    """`n [LAST]`. Raises `CommandError`, which is fatal: the size of what follows is not known."""
    match = _BDAT.fullmatch(argument or "")
    if match is None:
        raise CommandError(replies.BAD_ARGUMENT, fatal=True)
    return BdatCommand(int(match[1]), match[2] is not None)


def parse_no_argument(argument: str | None) -> None:
    """For commands without an argument. Raises `CommandError`."""
    if argument:
        raise CommandError(replies.BAD_ARGUMENT)


def _split_path(argument: str | None, keyword: str) -> tuple[str, str | None]:
    """The text in the angle brackets without a source route, and the text of the parameters."""
    if argument is None or argument[: len(keyword)].upper() != keyword:
        raise CommandError(replies.BAD_ARGUMENT)
    match = _PATH.fullmatch(argument, len(keyword))
    if match is None:
        raise CommandError(replies.BAD_ARGUMENT)
    return match[1], match[2]


def _parse_parameters(text: str | None) -> list[tuple[str, str | None]]:
    """Keyword in upper case and value of each; no keyword twice (RFC 5321 4.1.2 esmtp-param)."""
    if text is None:
        return []
    found: dict[str, str | None] = {}
    for word in text.split():
        match = _PARAMETER.fullmatch(word)
        if match is None or match[1].upper() in found:
            raise CommandError(replies.BAD_ARGUMENT)
        found[match[1].upper()] = match[2]
    return list(found.items())


def _parse_mailbox(path: str, *, smtputf8: bool, local_part_limit: int = MAX_LOCAL_PART_BYTES) -> Mailbox:
    if not smtputf8 and not path.isascii():
        raise CommandError(replies.NEEDS_SMTPUTF8)
    try:
        return _cached_mailbox(path, local_part_limit)
    except AddressError as error:
        raise CommandError(replies.BAD_ADDRESS) from error


@lru_cache(maxsize=4096)
def _cached_mailbox(path: str, local_part_limit: int) -> Mailbox:
    """`parse_mailbox` with a cache: a megabyte at most, saves a tenth of the time of a command."""
    return parse_mailbox(path, local_part_limit=local_part_limit)
