"""Parses command lines into typed values (RFC 5321 section 4.1). Pure.

Only syntax is checked. Spaces are accepted after `FROM:` and `TO:`, where they are a common error (section 3.3), and
at the end of a line (section 4.1.1). Each regular expression takes time proportional to the length of the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from router.mail.address import MAX_LOCAL_PART_BYTES, MAX_MAILBOX_BYTES, AddressError, Mailbox, parse_mailbox
from router.unicode_security import safe_identifier
from smtp import replies
from smtp.replies import Reply

LINE_LIMIT = 512  # bytes with CRLF, RFC 5321 4.5.3.1.4
# MAIL may have 26 more bytes for SIZE (RFC 1870 3), 17 for BODY (RFC 6152 2), 10 for SMTPUTF8 (RFC 6531 3.1).
MAIL_LINE_LIMIT = LINE_LIMIT + 26 + 17 + 10

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# The HELO name becomes part of the Received field. Spaces, controls, quotes, comments and `<>` are not allowed.
_HELLO = re.compile(r'[^\x00-\x20\x7f-\xa0()<>"\\\u2028\u2029\ud800-\udfff]{1,255}')
# A path: `<`, an ignored source route (RFC 5321 4.1.1.3, appendix F.2), the mailbox, `>`. Then the parameters.
_PATH = re.compile(r' *<(?:@[^:"<> ]++:)?((?:"(?:[^"\\]|\\.)*+"|[^"<>])*+)>(?: +([^ ].*))?')
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~]+))?")
_SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870 section 3
_BDAT = re.compile(r"([0-9]{1,20})( +LAST)?", re.IGNORECASE)
# The start of an HTTP request (RFC 9110 section 9, RFC 5789, the preface of HTTP/2) or of a TLS handshake
# (RFC 8446 5.1).
_HTTP_OR_TLS = re.compile(
    rb"(?:CONNECT|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PRI|PUT|TRACE)[ \t\r\n]|\x16\x03", re.IGNORECASE
)
# The end of the first line of an HTTP, RTSP or SIP request.
_REQUEST_LINE = re.compile(rb" [A-Z]+/[0-9]\.[0-9]\r?$", re.MULTILINE | re.IGNORECASE)


class CommandError(Exception):
    """A command is rejected with `reply`.

    Attributes:
        is_fatal: Whether content of unknown size may follow, so that the next command cannot be found.
    """

    def __init__(self, reply: Reply, *, fatal: bool = False) -> None:
        super().__init__(reply.text)
        self.reply = reply
        self.is_fatal = fatal


def announces_content(line: bytes | bytearray) -> bool:
    """Whether the line is a BDAT command. Its content follows even if the command is rejected."""
    return line[:4].upper() == b"BDAT" and line[4:5] <= b" "


def is_other_protocol(start: bytes | bytearray) -> bool:
    return _HTTP_OR_TLS.match(start) is not None


def line_error(line: bytes | bytearray, reply: Reply) -> CommandError:
    """Returns the error for an invalid line: `reply`, or 421 for a client of another protocol.

    The body of an HTTP request could contain SMTP commands. Closing the connection prevents their execution.
    """
    if is_other_protocol(line + b"\r\n") or _REQUEST_LINE.search(line):
        return CommandError(replies.NOT_SMTP)
    return CommandError(reply, fatal=announces_content(line))


@dataclass(frozen=True, slots=True)
class MailCommand:
    """The MAIL command. `mailbox` is None for the null reverse-path. `size` is the declared message size in bytes."""

    mailbox: Mailbox | None
    size: int | None = None
    smtputf8: bool = False


@dataclass(frozen=True, slots=True)
class BdatCommand:
    """The BDAT command: `size` bytes follow the line (RFC 3030 section 2)."""

    size: int
    last: bool


def split_line(line: bytes) -> tuple[str, str]:
    """Splits a line without CRLF into its verb in upper case and its argument. Raises CommandError.

    Bytes that are not UTF-8 become lone surrogates, which are invalid in names, mailboxes and parameters.
    """
    if _CONTROL.search(line):
        raise line_error(line, replies.CONTROL_CHARACTER)
    verb, _, argument = line.partition(b" ")
    if not verb.isascii():
        raise line_error(line, replies.UNKNOWN_COMMAND)
    return verb.upper().decode("ascii"), argument.strip(b" ").decode("utf-8", "surrogateescape")


def parse_hello(argument: str | None) -> str:
    """Parses the name in HELO or EHLO without verifying it (RFC 5321 4.1.4). Raises CommandError."""
    if argument is None or not _HELLO.fullmatch(argument) or not (name := safe_identifier(argument)):
        raise CommandError(replies.BAD_ARGUMENT)
    return name


def parse_mail(argument: str | None) -> MailCommand:
    """Parses `FROM:<reverse-path> [SIZE=n] [BODY=7BIT|8BITMIME] [SMTPUTF8]`. Raises CommandError."""
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
    # Rewritten reverse-paths (SRS, VERP) can exceed the limit for local parts; rejecting them would lose mail.
    mailbox = _parse_mailbox(path, smtputf8=smtputf8, local_part_limit=MAX_MAILBOX_BYTES) if path else None
    if mailbox is not None and not mailbox.domain:  # `<postmaster>` is only valid as a recipient
        raise CommandError(replies.BAD_ADDRESS)
    return MailCommand(mailbox, size, smtputf8)


def parse_rcpt(argument: str | None, *, smtputf8: bool) -> Mailbox:
    """Parses `TO:<forward-path>`, for which no parameter is supported. Raises CommandError."""
    path, parameters = _split_path(argument, "TO:")
    for _ in _parse_parameters(parameters):
        raise CommandError(replies.UNKNOWN_PARAMETER)
    return _parse_mailbox(path, smtputf8=smtputf8)


def parse_bdat(argument: str | None) -> BdatCommand:
    """Parses `n [LAST]`. Raises CommandError, which is fatal because the size of the content is unknown."""
    match = _BDAT.fullmatch(argument or "")
    if match is None:
        raise CommandError(replies.BAD_ARGUMENT, fatal=True)
    return BdatCommand(int(match[1]), match[2] is not None)


def parse_no_argument(argument: str | None) -> None:
    if argument:
        raise CommandError(replies.BAD_ARGUMENT)


def _split_path(argument: str | None, keyword: str) -> tuple[str, str | None]:
    """Returns the path without angle brackets and source route, and the text of the parameters, if any."""
    if argument is None or argument[: len(keyword)].upper() != keyword:
        raise CommandError(replies.BAD_ARGUMENT)
    match = _PATH.fullmatch(argument, len(keyword))
    if match is None:
        raise CommandError(replies.BAD_ARGUMENT)
    return match[1], match[2]


def _parse_parameters(text: str | None) -> list[tuple[str, str | None]]:
    """Returns the keyword (in upper case) and the value of each parameter."""
    if text is None:
        return []
    parameters: dict[str, str | None] = {}
    for word in text.split():
        match = _PARAMETER.fullmatch(word)
        if match is None or match[1].upper() in parameters:
            raise CommandError(replies.BAD_ARGUMENT)
        parameters[match[1].upper()] = match[2]
    return list(parameters.items())


def _parse_mailbox(path: str, *, smtputf8: bool, local_part_limit: int = MAX_LOCAL_PART_BYTES) -> Mailbox:
    if not smtputf8 and not path.isascii():
        raise CommandError(replies.NEEDS_SMTPUTF8)
    try:
        return _cached_mailbox(path, local_part_limit)
    except AddressError as error:
        raise CommandError(replies.BAD_ADDRESS) from error


@lru_cache(maxsize=4096)
def _cached_mailbox(path: str, local_part_limit: int) -> Mailbox:
    """Calls `parse_mailbox` with a cache of at most about 10 MB."""
    return parse_mailbox(path, local_part_limit=local_part_limit)
