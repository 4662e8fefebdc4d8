"""Every reply of the SMTP server, with a name and the RFC section that it comes from.

A `Reply` is validated when it is constructed (RFC 2034 section 4, RFC 3463). A reply never contains text from
a peer or the text of an exception.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from router.ports import GREETING_SUFFIX

# Codes of the replies that have no enhanced status code: the greeting, replies to HELO and EHLO, and 3yz replies
# (RFC 2034 section 4).
_WITHOUT_ENHANCED = frozenset({220, 250, 334, 354})
_LINES = re.compile(r"(?:[ -~]{3,510}\r\n)+")  # a line has at most 512 bytes with CRLF, RFC 5321 4.5.3.1.5


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to the client.

    Attributes:
        enhanced: The enhanced status code; `""` only where RFC 2034 does not require one.
        text: Printable ASCII; a newline separates lines.
        is_error: Whether the reply counts towards `errors_per_session`.
        encoded: The bytes to send, with CRLF.
    """

    code: int
    enhanced: str
    text: str
    is_error: bool = field(default=False, kw_only=True)
    encoded: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.enhanced:
            if self.enhanced.partition(".")[0] != str(self.code)[0] or self.enhanced.count(".") != 2:
                raise ValueError(f"code {self.code} does not match enhanced status code {self.enhanced}")
        elif self.code not in _WITHOUT_ENHANCED:
            raise ValueError(f"code {self.code} requires an enhanced status code")
        prefix = f"{self.enhanced} " if self.enhanced else ""
        *others, last = self.text.split("\n")
        lines = "".join(f"{self.code}-{prefix}{line}\r\n" for line in others) + f"{self.code} {prefix}{last}\r\n"
        if not _LINES.fullmatch(lines):
            raise ValueError("reply lines must be printable ASCII of at most 512 bytes")
        object.__setattr__(self, "encoded", lines.encode("ascii"))

    @property
    def closes_connection(self) -> bool:
        """Whether the server closes the connection after this reply (RFC 5321 4.2.2)."""
        return self.code in (221, 421)


@lru_cache(maxsize=8)
def greeting(hostname: str) -> Reply:
    """Returns the greeting (RFC 5321 4.3.1)."""
    return Reply(220, "", f"{hostname} {GREETING_SUFFIX}")


@lru_cache(maxsize=8)
def helo_reply(hostname: str) -> Reply:
    """Returns the reply to HELO (RFC 5321 4.1.1.1)."""
    return Reply(250, "", hostname)


@lru_cache(maxsize=8)
def ehlo_reply(hostname: str, extensions: tuple[str, ...]) -> Reply:
    """Returns the reply to EHLO, with a line for each extension (RFC 5321 4.1.1.1)."""
    return Reply(250, "", "\n".join((hostname, *extensions)))


def queued_reply(message_id: str) -> Reply:
    """Returns the reply to an accepted message (RFC 5321 6.1)."""
    return Reply(250, "2.0.0", f"Ok: queued as {message_id}")


def chunk_reply(size: int) -> Reply:
    """Returns the reply to a BDAT chunk that is not the last (RFC 3030 2)."""
    return Reply(250, "2.0.0", f"Ok: {size} bytes received")


# Success.
OK = Reply(250, "2.0.0", "Ok")  # RSET, NOOP: RFC 5321 4.1.1.5, 4.1.1.9
SENDER_OK = Reply(250, "2.1.0", "Ok")  # RFC 5321 3.3
RECIPIENT_OK = Reply(250, "2.1.5", "Ok")  # RFC 5321 3.3
START_DATA = Reply(354, "", "End data with <CR><LF>.<CR><LF>")  # RFC 5321 4.1.1.4
BYE = Reply(221, "2.0.0", "Bye")  # RFC 5321 4.1.1.10
READY_FOR_TLS = Reply(220, "2.0.0", "Ready to start TLS")  # RFC 3207 4
CANNOT_VERIFY = Reply(  # RFC 5321 3.5.3, 7.3
    252, "2.5.0", "Cannot VRFY user, but will accept message and attempt delivery"
)

# Replies about recipients.
RELAY_DENIED = Reply(550, "5.7.1", "Relaying denied")  # RFC 5321 3.6.2
DOMAIN_PENDING = Reply(450, "4.7.1", "Recipient domain not verified yet, try again later")  # RFC 3463 3.8
NO_SUCH_ALIAS = Reply(550, "5.1.1", "User unknown")  # RFC 5321 3.3
ALIAS_DISABLED = Reply(550, "5.2.1", "Mailbox disabled, not accepting messages")  # RFC 3463 3.3
TOO_MANY_RECIPIENTS = Reply(452, "4.5.3", "Too many recipients")  # RFC 5321 4.5.3.1.10

# Replies about the sender or the client host.
SENDER_BLOCKED = Reply(550, "5.7.1", "Sender blocked by local policy")  # RFC 5321 7.9
ADDRESS_LISTED = Reply(550, "5.7.1", "Client host blocked: listed in a DNS block list")  # RFC 5321 7.9
TOO_MANY_CONNECTIONS = Reply(421, "4.7.0", "Too many connections, try again later")  # RFC 5321 3.8, 7.8
TOO_MANY_FROM_ADDRESS = Reply(  # RFC 5321 3.8, 7.8
    421, "4.7.0", "Too many connections from your IP address or network, try again later"
)
TOO_MANY_MAILS = Reply(  # RFC 5321 7.8
    450, "4.7.1", "Too many messages from your IP address or network, try again later"
)
TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors")  # RFC 5321 7.8
TOO_MANY_UNFINISHED = Reply(421, "4.7.0", "Too many commands without message data")  # RFC 5321 7.8
LINE_LIMIT_EXCEEDED = Reply(421, "4.7.0", "Line too long")  # RFC 5321 7.8
TOO_MANY_REFUSED = Reply(421, "4.7.0", "Too many rejected recipients")  # RFC 5321 7.8
NOT_SMTP = Reply(421, "4.7.0", "Not an SMTP command, closing connection")  # RFC 5321 7.8

# Replies about the message.
TOO_LARGE = Reply(552, "5.3.4", "Message size exceeds fixed limit")  # RFC 1870 6.1, 6.3
LOOP = Reply(554, "5.4.6", "Routing loop detected: too many Received fields")  # RFC 5321 6.3

# Failures and limits of the server.
FAULT = Reply(451, "4.3.0", "Temporary server error, try again later")  # RFC 5321 4.2.2
NO_STORAGE = Reply(452, "4.3.1", "Insufficient system storage, try again later")  # RFC 5321 4.2.2
SHUTTING_DOWN = Reply(421, "4.3.2", "Service shutting down, try again later")  # RFC 5321 3.8
TIMEOUT = Reply(421, "4.4.2", "Timeout exceeded")  # RFC 5321 4.5.3.2.7
SESSION_TIMEOUT = Reply(421, "4.4.2", "Session time limit exceeded")  # RFC 5321 7.8
TOO_SLOW = Reply(421, "4.4.2", "Data transfer too slow")  # RFC 5321 7.8

# Errors of the client; `errors_per_session` of them close the session.
HELLO_FIRST = Reply(503, "5.5.1", "Bad sequence of commands: send EHLO or HELO first", is_error=True)  # RFC 5321 4.1.4
NESTED_MAIL = Reply(503, "5.5.1", "Bad sequence of commands: nested MAIL command", is_error=True)  # RFC 5321 4.1.4
MAIL_FIRST = Reply(503, "5.5.1", "Bad sequence of commands: send MAIL first", is_error=True)  # RFC 5321 4.1.4
NO_RECIPIENTS = Reply(503, "5.5.1", "No valid recipients", is_error=True)  # RFC 5321 3.3
MIXED_DATA = Reply(503, "5.5.1", "Bad sequence of commands: DATA not allowed after BDAT", is_error=True)  # RFC 3030 2
CHUNK_REFUSED = Reply(  # RFC 3030 2
    503, "5.5.1", "Bad sequence of commands: previous BDAT chunk rejected, send RSET", is_error=True
)
CHUNKS_BEGUN = Reply(  # RFC 5321 4.2.2
    503, "5.5.1", "Bad sequence of commands: RCPT not allowed after BDAT", is_error=True
)
TLS_IN_TRANSACTION = Reply(  # RFC 5321 4.2.2
    503, "5.5.1", "Bad sequence of commands: STARTTLS not allowed after MAIL", is_error=True
)
TLS_ACTIVE = Reply(503, "5.5.1", "TLS already active", is_error=True)  # RFC 3207 4.2
TOO_MANY_IDLE = Reply(503, "5.5.1", "Too many commands without message data", is_error=True)  # RFC 5321 7.8
UNKNOWN_COMMAND = Reply(500, "5.5.2", "Command unrecognized", is_error=True)  # RFC 5321 4.2.4
LINE_TOO_LONG = Reply(500, "5.5.2", "Line too long", is_error=True)  # RFC 5321 4.5.3.1.4
BARE_LF = Reply(500, "5.5.2", "Bare <LF> received, lines must end with <CR><LF>", is_error=True)  # RFC 5321 2.3.8
BAD_ARGUMENT = Reply(501, "5.5.4", "Syntax error in parameters or arguments", is_error=True)  # RFC 5321 4.2.2
BAD_ADDRESS = Reply(501, "5.5.4", "Bad address syntax", is_error=True)  # RFC 5321 4.2.2
CONTROL_CHARACTER = Reply(501, "5.5.4", "Control character in command", is_error=True)  # RFC 5321 4.1.2
UNKNOWN_PARAMETER = Reply(  # RFC 5321 4.1.1.11
    555, "5.5.4", "Parameter not recognized or not implemented", is_error=True
)
NEEDS_SMTPUTF8 = Reply(553, "5.6.7", "Non-ASCII address requires SMTPUTF8", is_error=True)  # RFC 6531 3.5
NOT_IMPLEMENTED = Reply(502, "5.5.1", "Command not implemented", is_error=True)  # RFC 5321 4.2.4

_NAMES = {reply: name.lower() for name, reply in list(globals().items()) if isinstance(reply, Reply)}


def reply_name(reply: Reply) -> str:
    """Returns the name of a reply, such as `no_such_alias`, for a metric label."""
    return _NAMES.get(reply, "other")
