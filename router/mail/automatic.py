"""Which mail no person wrote just now: bounces, answers of machines, lists, bulk, and our own mail come back.

A verdict is one word or `""`. It marks the message and keeps it from reopening a ticket
(`router.accept.threads.reopens`); it never refuses, hides or delays a mail. The header alone gives most of it
(`of_headers`); the null reverse-path, which only the envelope knows, adds the rest (`verdict`).

`X-Auto-Response-Suppress` asks others not to answer; a person's mail may carry it, so it is no sign by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Automatic = Literal["bounce", "auto-reply", "list", "bulk", "loop", ""]

NAMES = frozenset(
    {
        b"x-emailrouter-mark",
        b"auto-submitted",
        b"content-type",
        b"in-reply-to",
        b"list-id",
        b"list-post",
        b"list-unsubscribe",
        b"precedence",
        b"x-autoreply",
        b"x-auto-reply",
        b"x-autorespond",
        b"x-autoresponder",
        b"x-failed-recipients",
    }
)
"""The fields `of_headers` reads, in lower case."""

_REPORT_TYPE = re.compile(rb'report-type\s*=\s*"?([a-z-]+)')
_MACHINE_SENDER = re.compile(r"(?:mailer-?daemon|postmaster|mail-?delivery(?:-?(?:sub)?system)?)(?:@|$)", re.IGNORECASE)
_BOUNCE_SUBJECT = re.compile(
    r"undeliver|delivery (?:status notification|failure|has failed|report|problem|incomplete|delayed)|returned mail|"
    r"mail delivery failed|failure notice|mail delivery sub ?system|message (?:could not|cannot) be delivered|"
    r"warning: message|delayed mail|unzustellbar|non remis|no entregado|mancato recapito|niet bezorgd",
    re.IGNORECASE,
)
_AWAY_SUBJECT = re.compile(
    r"\W*(?:automatic reply|auto(?:matic)?[- ]?(?:reply|response|responder)|out of (?:the )?office|away from my mail|"
    r"automatische antwort|abwesenheits?(?:notiz|nachricht|meldung)|abwesend|r.ponse automatique|absence du bureau|"
    r"respuesta autom.tica|fuera de la oficina|risposta automatica|resposta autom.tica|automatisch antwoord|"
    r"afwezigheidsbericht|autosvar|automatisk svar|automaattinen vastaus|odpowied. automatyczna)",
    re.IGNORECASE,
)


def of_headers(fields: Mapping[bytes, list[bytes]], from_address: str, subject: str) -> Automatic:
    """The verdict of the header. fields: raw values by lower-case name, for the names of `NAMES` at least."""
    if b"x-emailrouter-mark" in fields:
        return "loop"
    if _is_bounce(fields, from_address, subject):
        return "bounce"
    if _is_answer(fields, subject):
        return "auto-reply"
    if b"list-id" in fields or b"list-post" in fields:
        return "list"
    precedence = _token(fields, b"precedence")
    if precedence == b"list":
        return "list"
    # RFC 3834 section 5: anything but "no" was sent by a program; what is no answer is a notice.
    if precedence in (b"bulk", b"junk") or b"list-unsubscribe" in fields:
        return "bulk"
    return "bulk" if _token(fields, b"auto-submitted") not in (b"", b"no") else ""


def verdict(automatic: str, *, null_reverse_path: bool, subject: str = "") -> str:
    """The final verdict: the header's, and what a null reverse-path adds (RFC 5321 section 4.5.5).

    Only notifications and answers of programs travel with `MAIL FROM:<>`; an unmarked one is a bounce, unless its
    subject says that someone is away.
    """
    if automatic or not null_reverse_path:
        return automatic
    return "auto-reply" if _AWAY_SUBJECT.match(subject) else "bounce"


def _is_bounce(fields: Mapping[bytes, list[bytes]], from_address: str, subject: str) -> bool:
    """RFC 3464 reports, and the free-form ones: Exim's own field, or a mailer daemon that speaks of delivery."""
    if _report_type(fields) in (b"delivery-status", b"global-delivery-status") or b"x-failed-recipients" in fields:
        return True
    if _MACHINE_SENDER.match(from_address) is None:
        return False
    return _token(fields, b"auto-submitted") not in (b"", b"no") or _BOUNCE_SUBJECT.search(subject) is not None


def _is_answer(fields: Mapping[bytes, list[bytes]], subject: str) -> bool:
    """Out-of-office and other answers of programs; receipts (RFC 8098) and abuse reports (RFC 5965) are such too."""
    submitted = _token(fields, b"auto-submitted")
    if submitted in (b"auto-replied", b"auto-notified"):
        return True
    if submitted == b"auto-generated" and (b"in-reply-to" in fields or _AWAY_SUBJECT.match(subject)):
        return True  # Exchange calls its out-of-office answers generated
    if any(name in fields for name in (b"x-autoreply", b"x-auto-reply", b"x-autorespond", b"x-autoresponder")):
        return True
    if _token(fields, b"precedence") in (b"auto_reply", b"auto-reply"):
        return True
    return _report_type(fields) in (b"disposition-notification", b"feedback-report")


def _report_type(fields: Mapping[bytes, list[bytes]]) -> bytes:
    """The report-type parameter of a multipart/report (RFC 6522), else `b""`."""
    values = fields.get(b"content-type")
    if not values:
        return b""
    value = values[0][:2048].lower()
    if not value.lstrip().startswith(b"multipart/report"):
        return b""
    match = _REPORT_TYPE.search(value)
    return match[1] if match else b""


def _token(fields: Mapping[bytes, list[bytes]], name: bytes) -> bytes:
    """The first word of the first field of that name, in lower case."""
    values = fields.get(name)
    if not values:
        return b""
    words = values[0][:256].replace(b";", b" ").replace(b"(", b" ").lower().split(None, 1)
    return words[0] if words else b""
