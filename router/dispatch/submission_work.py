"""The values that the outbox of replies and its transactions exchange. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from router.clock import SECOND
from router.enumerations import ReplyKind
from router.model import Micros
from router.outbound.smarthost.outcome import SubmissionOutcome

# The answer to the final dot may take 10 minutes (RFC 5321 section 4.5.3.2.6), and its outcome has to be recorded.
FINAL_LEASE: Micros = 660 * SECOND
PER_HOUR: Micros = 3600 * SECOND


@dataclass(frozen=True, slots=True)
class SubmissionLimits:
    """Settings of `[delivery]` and `[outgoing]`.

    Attributes:
        lease: For how long a process reserves a delivery; it is renewed.
        max_age: How long a post about a failed reply is retried.
        per_hour: Maximum number of mails of a workspace in an hour; 0 for no limit.
    """

    lease: Micros
    max_age: Micros
    max_claims: int
    per_hour: int

    def latest_plausible(self, now: Micros) -> Micros:
        """Returns the latest plausible time of a probe; later times come from a wrong clock."""
        return now + max(PER_HOUR, self.lease) + FINAL_LEASE


@dataclass(frozen=True, slots=True)
class Submission:
    """An attempt to submit the message of a reply for one recipient.

    Attributes:
        n: The number of the attempt, which is the fencing token.
        smarthost_url: The URL of the smarthost at the claim.
        is_probe: Whether the smarthost is failing, and this attempt tests it.
        sender: The address in From, which is that of the alias.
        domain_id: The id of the sender's domain; None if it was removed.
        is_upstream: Whether the domain receives its mail through another host.
        size: The bytes of the stored message.
    """

    delivery_id: str
    n: int
    workspace_id: str
    ticket_id: str
    message_id: str
    smarthost_id: str
    smarthost_url: str
    is_probe: bool
    reply_id: str
    kind: ReplyKind
    recipient: str
    token: str
    sender: str
    domain_id: str | None
    domain: str
    is_upstream: bool
    rejects_token_sender: bool
    size: int


@dataclass(frozen=True, slots=True)
class NotSubmitted:
    """Nothing was sent, for a temporary reason in this installation.

    Attributes:
        is_counted: Whether it was an attempt, after which a wait of the schedule applies; else the delivery is due at
            once, because the process ends.
    """

    reason: str
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class WrongSmarthost:
    """Nothing was sent: the domain of the sender uses another smarthost now."""

    smarthost_id: str
    url: str


SubmissionEnd = SubmissionOutcome | NotSubmitted | WrongSmarthost


@dataclass(frozen=True, slots=True)
class CompletedSubmission:
    """A submission with its end.

    Attributes:
        random: In [0, 1); determines the jitter.
        is_sender_replaced: Whether the smarthost rejected the token as the envelope sender, and accepted the alias.
    """

    submission: Submission
    end: SubmissionEnd
    random: float
    is_sender_replaced: bool = False
    weight: int = 0


@dataclass(frozen=True, slots=True)
class SubmissionClaim:
    """Asks for mail to send.

    Attributes:
        slots: The number of connections that may be opened to each smarthost, by its id.
        in_flight: The number of mails that this process is sending for each workspace, by its id.
    """

    slots: Mapping[str, int]
    in_flight: Mapping[str, int]
    weight: int = 0


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """The mail to send. `due_integrations` have posts about mail that failed, because it was claimed too often."""

    submissions: tuple[Submission, ...] = ()
    due_integrations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeaseRenewal:
    """Extends the lease of an attempt; with `is_final`, also stores that its final dot is about to be sent."""

    submission: Submission
    is_final: bool = False
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was recorded of a submission.

    Attributes:
        due_integrations: The integrations with a post about it.
        is_late: Whether another attempt was begun before, so that only the attempt was recorded.
    """

    due_integrations: tuple[str, ...] = ()
    is_late: bool = False


def describe_answer(outcome: SubmissionOutcome) -> str:
    """Returns the answer of a smarthost with its code."""
    code = "" if outcome.code is None else str(outcome.code)
    return outcome.text if outcome.text.startswith(code) else f"{code} {outcome.text}".rstrip()


def end_name(end: SubmissionEnd) -> str:
    """Returns the name of the outcome of an attempt in the API."""
    if not isinstance(end, SubmissionOutcome) or end.kind == "retry":
        return "retry"
    return {"accepted": "sent", "smarthost": "parked"}.get(end.kind, "rejected")
