"""The values that channels receive and return, and the HTTP client that they send with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from router.enumerations import DeliveryEvent, TicketStatus
from router.local_time import DEFAULT_TIMEZONE
from router.mail.contents import NamedMailbox
from router.model import Micros
from router.outbound.client import HttpResponse

Payload = dict[str, Any]  # a JSON object in the format of the receiving service
# The line of `TicketNotification.checks` of a post that did not wait for the results.
CHECKS_NOT_READY = "not ready"

FailureKind = Literal["permanent", "rejected", "payload", "gone"]


@dataclass(frozen=True, slots=True)
class Remedy:
    """What a user can do about an error, as a sentence. `moves_tickets`: post the tickets with another integration."""

    text: str
    moves_tickets: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """The rate at which a service accepts messages: `burst` at once, then `per_second`."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class TicketNotification:
    """One ticket event: a new ticket or a reply.

    All texts are untrusted input: they may contain any code point, including lone surrogates.

    Attributes:
        address: The address of the alias, or of the postmaster if there is no alias.
        text: The new text of the message; of any length.
        truncated: Whether the new text continues after `text`.
        quoted_lines: The number of non-blank lines of quoted text and signature.
        new_sender: Whether the sender took no part in the ticket before, and answered a mail of ours.
        reply_to: The Reply-To mailboxes; empty if none differs from From.
        original_from: The original author, if different from From.
        attachments: (file name, size in bytes) pairs.
        automatic: Why the message counts as automatic (`bounce`, ...), or `""`.
        checks: Results of sender authentication, as text; only `CHECKS_NOT_READY` before there are any.
        warning: What the reader is warned of, as a sentence, or `""`. A post begins with it.
        released: Whether the ticket was held as spam, and a person released it.
        link: The URL of the ticket page; None if `public_url` is a loopback address.
        failed_recipients: The addresses that a bounce reports as undeliverable.
        state: (label, value) pairs of the ticket's current state; empty if the message will not be updated.
        marks: (label, value) pairs of what is unusual about the ticket, unless `state` contains them.
    """

    event: DeliveryEvent
    ticket_id: str
    number: int
    subject: str
    from_name: str
    from_address: str
    address: str
    status: TicketStatus
    received_at: Micros
    text: str
    truncated: bool = False
    quoted_lines: int = 0
    reply_to: tuple[NamedMailbox, ...] = ()
    original_from: NamedMailbox | None = None
    attachments: tuple[tuple[str, int], ...] = ()
    automatic: str = ""
    checks: tuple[str, ...] = ()
    warning: str = ""
    released: bool = False
    link: str | None = None
    is_test: bool = False
    warnings: tuple[str, ...] = ()
    failed_recipients: tuple[str, ...] = ()
    state: tuple[tuple[str, str], ...] = ()
    marks: tuple[tuple[str, str], ...] = ()
    timezone: str = DEFAULT_TIMEZONE
    new_sender: bool = False


@dataclass(frozen=True, slots=True)
class DigestEntry:
    """One delivery listed in a digest. The fields have the same meaning as in `TicketNotification`.

    `warned` is whether there is a warning, which a digest does not contain. If a reply failed or bounced,
    `from_address` is that of its recipient.
    """

    event: DeliveryEvent
    number: int
    subject: str
    from_address: str
    address: str
    link: str | None = None
    warned: bool = False
    released: bool = False


@dataclass(frozen=True, slots=True)
class TestMessage:
    """A message that confirms that the integration works."""

    __test__ = False  # keeps pytest from collecting it as a test class

    workspace_name: str
    integration_name: str
    sent_at: Micros
    timezone: str = DEFAULT_TIMEZONE


@dataclass(frozen=True, slots=True)
class OperatorAlert:
    """A message that is not about a new message of a ticket: an alert, or that a reply failed.

    `text` may quote DNS records or answers of a third party. `link` leads to a page of the dashboard; None without one.
    """

    title: str
    text: str
    workspace_name: str
    raised_at: Micros
    timezone: str = DEFAULT_TIMEZONE
    link: str | None = None


@dataclass(frozen=True, slots=True)
class SendSuccess:
    """The service accepted the payload; `latency` is in microseconds.

    Attributes:
        ref: A small JSON text that identifies the message at the service, or "".
        pause: For how many seconds the service accepts no further message.
    """

    status: int
    excerpt: str = ""
    latency: Micros = 0
    ref: str = ""
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class SendRetry:
    """A temporary failure.

    Attributes:
        retry_after: The delay in seconds that the service requests, limited by the channel.
        is_global: Whether the delay applies to all requests of this server, not only to those of the same kind.
    """

    retry_after: float | None
    reason: str
    status: int | None = None
    excerpt: str = ""
    latency: Micros = 0
    is_global: bool = False


@dataclass(frozen=True, slots=True)
class SendFailure:
    """A failure that a retry of the same payload cannot fix; `reason` is shown to users.

    Attributes:
        kind: `permanent` makes the integration `failing` and parks its deliveries. `rejected` fails this delivery.
            `payload` means that the service rejected the format; `render_plain` may be tried. `gone` means that the
            message to update or to reply to no longer exists or accepts no replies.
    """

    kind: FailureKind
    reason: str
    status: int | None = None
    excerpt: str = ""
    latency: Micros = 0


SendOutcome = SendSuccess | SendRetry | SendFailure


# What a channel has learned about the target of an integration from earlier responses. The caller keeps it from one
# message to the next; it can be lost at any time, which costs at most another request.
TargetMemory = dict[str, bool]


class DeadlinePassed(Exception):  # noqa: N818 - a state of the attempt, not a fault
    """A request was not made, because it could end after the deadline of its attempt."""


class HttpClient(Protocol):
    """The HTTP client that channels send with."""

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> HttpResponse:
        """Sends one request within `timeout` seconds.

        Raises:
            OutboundError: No status line was received.
        """
        ...
