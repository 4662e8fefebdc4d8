"""How a submission ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from router.model import Micros

# `accepted`: the smarthost has taken the message over. `retry`: a temporary failure. `smarthost`: it rejects us, or its
# access is wrong, so all of its mail fails. `recipient`, `message`: it rejects this one. `unsupported`: a non-ASCII
# address, without SMTPUTF8.
OutcomeKind = Literal["accepted", "retry", "smarthost", "recipient", "message", "unsupported"]
# The last step that was tried. `data` lasts until the final dot is written, `final` until it is answered.
Stage = Literal["connect", "tls", "greeting", "ehlo", "auth", "mail", "rcpt", "data", "final"]

MAX_TEXT = 1000  # characters


@dataclass(frozen=True, slots=True)
class SubmissionOutcome:
    """The end of a submission.

    After `retry` at the stage `final` without a code, the message may have been sent: the final dot was not answered.
    Everywhere else but after `accepted`, it was not.

    Attributes:
        code: The reply code of the smarthost; None if `text` is ours.
        text: One printable line for users, at most `MAX_TEXT` characters, without secrets.
        envelope_from: The envelope sender that was accepted, or tried last; `""` for the null sender.
        assigned_ids: The Message-IDs that the smarthost named, without angle brackets.
        latency: Microseconds from the connection to the end.
    """

    kind: OutcomeKind
    stage: Stage
    code: int | None
    text: str
    envelope_from: str = ""
    assigned_ids: tuple[str, ...] = ()
    latency: Micros = 0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a connection without a message has shown. The kind `accepted` means that messages can be submitted.

    Attributes:
        tls: The version of TLS, such as `TLSv1.3`; `""` without TLS.
        max_message_bytes: The limit of the smarthost; None if it names none.
    """

    kind: OutcomeKind
    stage: Stage
    code: int | None
    text: str
    tls: str = ""
    is_authenticated: bool = False
    supports_smtputf8: bool = False
    max_message_bytes: int | None = None
    latency: Micros = 0
