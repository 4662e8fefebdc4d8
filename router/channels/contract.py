"""The contract of every channel: what a place that tickets are posted to must be able to do.

A channel is one module in this folder that exports `CHANNEL`, an object with the members of `Channel`. It turns a
notice (frozen values, no database row) into a payload and a payload into one request; rendering is pure, so that
the same notice always makes the same payload. A channel never reads the database, the clock or the environment,
never decides when to try again and never raises from `send`: every outcome is one of `Sent`, `Retry`, `Failed`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from router.errors import Refused
from router.mail.contents import NamedMailbox
from router.model import DeliveryEvent, Micros, TicketStatus
from router.outbound.client import HttpResponse

Payload = dict[str, Any]  # JSON: what a channel's own far side understands
FailureKind = Literal["permanent", "rejected", "payload"]


@dataclass(frozen=True, slots=True)
class TicketNotification:
    """One ticket event as a channel tells it.

    event: `opened` or `replied`. number: the workspace's own count (`#42`). address: the alias as text.
    received_at: microseconds since the epoch. text: the new text of the mail, quoted history and signature already
    split off, any length; truncated: the new text goes on after `text`. quoted_lines: how many lines were split off.
    reply_to, original_from: only where they differ from From. attachments: (file name, size in bytes) pairs.
    automatic: `""` for a person's mail, else the reason (`bounce`, ...). checks: verdicts about the sender, in words.
    link: the ticket's page, made from our own `public_url`, or None. is_test: a mail of `aliases/{id}/test`.
    warnings: what was doubtful about the mail, in words. failed_recipients: the addresses that a bounce
    says could not be reached. Everything but number, status, link, automatic and checks
    was written by a stranger and may hold any code point, lone surrogates too.
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
    link: str | None = None
    is_test: bool = False
    warnings: tuple[str, ...] = ()
    failed_recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DigestEntry:
    """One delivery that a digest stands for; the fields mean what they mean in `TicketNotification`."""

    event: DeliveryEvent
    number: int
    subject: str
    from_address: str
    address: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class TestMessage:
    """A message that only says: this channel is set up. Names are those of our own workspace and integration."""

    __test__ = False  # the name is the product's word; pytest shall not take it for a test class

    workspace_name: str
    integration_name: str
    sent_at: Micros


@dataclass(frozen=True, slots=True)
class OperatorAlert:
    """Something about the installation that the people at this integration should know; no mail is behind it.

    title: a few words. text: sentences; they may quote what a stranger's DNS says.
    """

    title: str
    text: str
    workspace_name: str
    raised_at: Micros


@dataclass(frozen=True, slots=True)
class SendSuccess:
    """The far side took it. status: HTTP; excerpt: the start of its answer; latency: microseconds."""

    status: int
    excerpt: str = ""
    latency: Micros = 0


@dataclass(frozen=True, slots=True)
class SendRetry:
    """Waiting may heal it. after: the least number of seconds the far side asked for, already clamped, or None."""

    retry_after: float | None
    reason: str
    status: int | None = None
    excerpt: str = ""
    latency: Micros = 0


@dataclass(frozen=True, slots=True)
class SendFailure:
    """Waiting does not heal it, and `reason` says in words for people why.

    kind: `permanent` is about the integration (mark it failing, park its deliveries); `rejected` is about this one
    delivery (dead); `payload`: the far side did not understand the form: send `render_plain` once, and if that
    fails with `payload` too, treat it as `rejected`.
    """

    kind: FailureKind
    reason: str
    status: int | None = None
    excerpt: str = ""
    latency: Micros = 0


SendOutcome = SendSuccess | SendRetry | SendFailure


class HttpClient(Protocol):
    """What a channel needs of the outside. Who answers: `router.outbound.client.OutboundClient`."""

    async def post_json(self, url: str, payload: Mapping[str, Any], timeout: float) -> HttpResponse:
        """One POST within `timeout` seconds. Raises `OutboundError` when no status line came."""
        ...


S = TypeVar("S")  # the channel's own settings: a frozen value that only the channel looks into


class Channel(Protocol[S]):
    """The members of `CHANNEL`."""

    @property
    def kind(self) -> str:
        """The word of `type` in the API and in the database."""
        ...

    @property
    def digest_limit(self) -> int:
        """The most entries that one digest can name; who has more makes several digests."""
        ...

    def parse_settings(self, values: Mapping[str, Any], *, allow_private: bool = False) -> S:
        """Settings from the API's or the store's JSON object. Raises `Refused` naming the field that is wrong.

        allow_private: `[delivery] allow_private_networks`; give it when reading from the store too.
        """
        ...

    def dump_settings(self, settings: S) -> dict[str, str]:
        """The JSON object that `parse_settings` takes back. It holds the secrets: seal it."""
        ...

    def hint(self, settings: S) -> str:
        """Where this goes, masked: enough to tell two integrations apart, not enough to post."""
        ...

    def render(self, notification: TicketNotification) -> Payload:
        """The message for one ticket event, within the far side's limits for any mail. Pure."""
        ...

    def render_plain(self, notification: TicketNotification) -> Payload:
        """The same as plain text alone, for a far side that did not take `render`'s form. Pure."""
        ...

    def render_digest(self, entries: Sequence[DigestEntry]) -> Payload:
        """One message that names every entry (1 to `digest_limit`; more raises ValueError). Pure."""
        ...

    def render_test(self, message: TestMessage) -> Payload:
        """A message marked as a test. Pure."""
        ...

    def render_alert(self, alert: OperatorAlert) -> Payload:
        """A message about the installation itself. Pure."""
        ...

    async def send(self, client: HttpClient, settings: S, payload: Payload, timeout: float) -> SendOutcome:
        """One request of at most `timeout` seconds. Never raises for anything that the far side or the net does."""
        ...


def find_channel(channels: Mapping[str, Channel[Any]], kind: str) -> Channel[Any]:
    """The channel of a `type`. Raises `Refused` with the types that exist."""
    channel = channels.get(kind)
    if channel is None:
        raise Refused("invalid_integration", f"type must be one of: {', '.join(sorted(channels))}", "type")
    return channel
