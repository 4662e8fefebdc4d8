"""What a failed step means. Pure.

Texts of libraries are never shown: they may quote what the smarthost sent, or what was sent to it.
"""

from __future__ import annotations

import base64
import re
import socket
import ssl

import aiosmtplib
from aiosmtplib import SMTPResponse

from router.outbound.client import describe_error
from router.outbound.smarthost.access import SmarthostAccess
from router.outbound.smarthost.outcome import MAX_TEXT, OutcomeKind, Stage

NOT_SMTP = "the answer is not valid SMTP"
# RFC 4954 section 6: authentication required, too weak, invalid.
ACCESS_CODES = (530, 534, 535)
_MAX_READ = 4 * MAX_TEXT  # characters of a reply that are cleaned
_TOO_LARGE = re.compile(r"\s*5\.(?:3\.4|2\.3)\b")
# Postfix rejects a sender at RCPT (smtpd_delay_reject), Microsoft 365 and Amazon SES after the data.
_SENDER_REJECTED = re.compile(
    r"\b5\.1\.[78]\b|\b5\.7\.60\b|\bSendAsDenied\b|sender address rejected|send as this sender|sender verify failed"
    r"|email address is not verified",
    re.IGNORECASE,
)


class SubmissionFailed(Exception):  # noqa: N818 - an answer of the smarthost, not a fault
    """A step failed. `text` is for users."""

    def __init__(
        self, kind: OutcomeKind, stage: Stage, text: str, code: int | None = None, *, is_sender_rejected: bool = False
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.stage = stage
        self.text = text
        self.code = code
        self.is_sender_rejected = is_sender_rejected


def reply_failure(stage: Stage, response: SMTPResponse, access: SmarthostAccess) -> SubmissionFailed:
    """Describes a reply that is not the expected one."""
    code, text = response.code, clean_text(response.message, access)
    if not 200 <= code <= 599:
        return SubmissionFailed("retry", stage, NOT_SMTP)
    if code < 400:
        return SubmissionFailed("retry", stage, f"unexpected answer: {code} {text}"[:MAX_TEXT])
    kind = _classify(stage, code, text)
    is_sender_rejected = kind == "smarthost" if stage == "mail" else _SENDER_REJECTED.search(text) is not None
    may_retry = is_sender_rejected and code >= 500 and code not in ACCESS_CODES
    return SubmissionFailed(kind, stage, text, code, is_sender_rejected=may_retry)


def to_failure(error: Exception, stage: Stage, access: SmarthostAccess, seconds: float) -> SubmissionFailed:
    """Describes an exception of aiosmtplib or of a socket."""
    if isinstance(error, aiosmtplib.SMTPConnectError):
        is_greeting = isinstance(error, aiosmtplib.SMTPResponseException) or isinstance(
            error.__cause__, aiosmtplib.SMTPException
        )
        stage = "greeting" if is_greeting else stage
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return reply_failure(stage, SMTPResponse(error.code, error.message), access)
    chain = [error]
    while isinstance(cause := chain[-1].__cause__, Exception):
        chain.append(cause)
    return SubmissionFailed("retry", stage, _describe(chain, access.url.host, seconds))


def clean_text(message: str, access: SmarthostAccess) -> str:
    """Returns one printable line, without the password in any form in which it was sent."""
    text = message[:_MAX_READ].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    for secret in _secrets(access):
        text = text.replace(secret, "***")
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:MAX_TEXT]


def _classify(stage: Stage, code: int, text: str) -> OutcomeKind:
    if code in ACCESS_CODES:
        return "smarthost"
    if code < 500:
        return "retry"
    if stage == "rcpt":
        return "recipient"
    is_too_large = stage == "mail" and (code == 552 or _TOO_LARGE.match(text) is not None)
    return "message" if is_too_large or stage in ("data", "final") else "smarthost"


def _describe(chain: list[Exception], host: str, seconds: float) -> str:
    """Describes the first exception of a chain of causes that says what happened."""
    if any(isinstance(error, TimeoutError | ConnectionAbortedError) for error in chain):
        return f"no answer within {seconds:g} s"
    known = next((error for error in chain if isinstance(error, ssl.SSLError)), chain[-1])
    if isinstance(known, socket.gaierror):
        return f"cannot resolve host name {host}"
    if isinstance(known, aiosmtplib.SMTPServerDisconnected):
        return "the connection was closed"
    return describe_error(known, host)


def _secrets(access: SmarthostAccess) -> list[str]:
    if access.password is None:
        return []
    password, user = access.password.reveal(), access.url.user
    forms = (password, f"\0{user}\0{password}")
    return [password, *(base64.b64encode(form.encode()).decode() for form in forms)]
