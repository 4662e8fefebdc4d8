"""Builds the ticket notification that channels render, from database rows and the contents of the message.

Deliveries and the preview use the same code. The preview shows the current state of the ticket where a post does, and
sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from router.channels.channel import Channel, find_channel
from router.channels.contract import CHECKS_NOT_READY, OperatorAlert, Payload, TicketNotification
from router.checks import results
from router.contents.store import ContentStore
from router.dispatch import ticket_state
from router.dispatch.ticket_state import TicketState
from router.errors import not_found_error
from router.mail.contents import Contents
from router.mail.originator_fields import drop_if_same
from router.model import Actor
from router.routing.envelope import is_test_message
from router.store.database import Database, Row

# The events that tell of replies which did not reach a recipient, with their titles and what happened.
_REPLY_WORDS = {"reply_failed": ("Reply failed", "was not sent"), "reply_bounced": ("Reply bounced", "bounced")}
REPLY_EVENTS = frozenset(_REPLY_WORDS)
# Maximum characters of the text in a notification; every channel shows fewer.
TEXT_LIMIT = 12_000
MAX_EVENTS = 100


def from_row(row: Row, contents: Contents, ticket_link: str | None, state: TicketState = ()) -> TicketNotification:
    """Builds the notification from a row of `dispatch_notification` or `dispatch_notifications_by_ticket`.

    `state` is that of a message that will be updated when it changes.
    """
    original_from = contents.original_from and drop_if_same(row["from_address"], [contents.original_from])
    return TicketNotification(
        event=row["event"],
        ticket_id=row["ticket_id"],
        number=row["number"],
        subject=row["subject"],
        from_name=row["from_name"],
        from_address=row["from_address"],
        address=row["address"],
        status=row["status"],
        received_at=row["received_at"],
        text=contents.text[:TEXT_LIMIT],
        truncated=len(contents.text) > TEXT_LIMIT,
        quoted_lines=contents.quoted_lines,
        reply_to=drop_if_same(row["from_address"], contents.reply_to),
        original_from=original_from[0] if original_from else None,
        attachments=tuple((a.filename, a.size) for a in contents.attachments if not a.inline),
        automatic=row["automatic"],
        link=ticket_link,
        is_test=is_test_message(row["protocol"], row["rfc_message_id"]),
        warnings=contents.warnings,
        failed_recipients=contents.failed_recipients,
        checks=_check_lines(row),
        warning=row["warning"] or "",
        released=bool(row["released"]),
        state=state,
        marks=() if state else ticket_state.read_marks(row),
        timezone=row["timezone"],
        new_sender=bool(row["new_sender"]),
    )


def reply_alert_from_row(row: Row, ticket_link: str | None) -> OperatorAlert:
    """Builds the message about a reply from a row of `dispatch_notification` with its `failures`.

    Each sentence names a recipient and the answer of a mail server. There is none if the reply was sent again since.
    """
    title, happened = _REPLY_WORDS[row["event"]]
    sentences = [
        f"Your answer to {failure['address']} on #{row['number']} {happened}: {_describe_failure(failure)}"
        for failure in row["failures"]
    ] or [f"Your answer on #{row['number']} {happened}."]
    return OperatorAlert(
        f"{title}: #{row['number']}",
        " \u2022 ".join(sentences),
        row["workspace_name"],
        row["queued_at"],
        row["timezone"],
        link=ticket_link,
    )


def digest_address(row: Row) -> str:
    """Returns the address that a digest shows: that of the sender, or of the recipient whom a reply did not reach."""
    failures = row["failures"] if row["event"] in REPLY_EVENTS else ()
    address: str = failures[0]["address"] if failures else row["from_address"]
    return address


def _describe_failure(failure: Row) -> str:
    code, text = "" if failure["code"] is None else str(failure["code"]), failure["text"]
    return text if text.startswith(code) else f"{code} {text}"


def _check_lines(row: Row) -> tuple[str, ...]:
    if row["check_results"] is None:
        return (CHECKS_NOT_READY,) if row["awaiting"] == "checks" else ()
    summary = results.summarize(row["check_results"])
    return (summary,) if summary else ()


def build_ticket_link(base: str | None, ticket_id: str) -> str | None:
    return None if base is None else f"{base}/tickets/{ticket_id}"


class NotificationPreview:
    """Renders the events of a ticket for a channel."""

    def __init__(
        self,
        database: Database,
        contents: ContentStore,
        channels: Mapping[str, Channel],
        *,
        link_base: str | None,
    ) -> None:
        self._database = database
        self._contents = contents
        self._channels = channels
        self._link_base = link_base

    async def render_payloads(self, actor: Actor, ticket_id: str, kind: str, *, plain: bool = False) -> list[Payload]:
        """Renders a payload for each of the latest messages of a ticket, oldest first.

        `kind` is an integration type, such as `slack`. Raises `Refused` if the type is unknown, or if the workspace has
        no such ticket.
        """
        channel = find_channel(self._channels, kind)
        render = channel.render_plain if plain else channel.render
        rows = await self._database.fetch_all(
            "dispatch_notifications_by_ticket", ticket_id=ticket_id, workspace_id=actor.workspace_id, limit=MAX_EVENTS
        )
        if not rows:
            raise not_found_error("Ticket")
        ticket_link = build_ticket_link(self._link_base, ticket_id)
        payloads = []
        for row in reversed(rows):
            is_post = channel.can_update and row["event"] == "opened"
            state = ticket_state.from_row(row) if is_post else ()
            payloads.append(render(from_row(row, await self._contents.get(row["message_id"]), ticket_link, state)))
        return payloads
