"""The replies of a ticket as its page shows them: their states, what can be done with them, and problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.dashboard.page import Visit
from router.admin.tickets.reply_views import ReplyView
from router.model import Micros, ReplyRecipient, Ticket, TicketReply

MAX_REPLIES = 50  # newest replies of a ticket whose states are shown
_PROBLEMS = frozenset({"failed", "bounced"})
# Their state changes without a change of the ticket, so the page asks again.
_CHANGING = frozenset({"queued", "sending", "retrying"})
_PLAIN = frozenset({"sent", "sending", "canceled"})  # their label says it all


@dataclass(frozen=True, slots=True)
class ShownReply:
    """A reply with what its state means for the user."""

    view: ReplyView

    @property
    def reply(self) -> TicketReply:
        return self.view.reply

    @property
    def recipients(self) -> Sequence[ReplyRecipient]:
        return self.view.recipients

    @property
    def next_attempt_at(self) -> Micros | None:
        return self.view.next_attempt_at

    @property
    def version(self) -> str:
        """Changes with what the page shows of the reply."""
        states = " ".join(f"{each.state}{each.at or ''}" for each in self.recipients)
        return f"{self.reply.state} {states} {self.next_attempt_at or ''}"

    @property
    def problems(self) -> list[ReplyRecipient]:
        return [each for each in self.recipients if each.state in _PROBLEMS]

    @property
    def is_changing(self) -> bool:
        return self.reply.state in _CHANGING

    @property
    def explained(self) -> ReplyRecipient | None:
        """The first recipient whose state needs an explanation."""
        return next((each for each in self.recipients if each.state not in _PLAIN), None)

    @property
    def can_cancel(self) -> bool:
        return self.reply.state == "queued"

    @property
    def can_retry(self) -> bool:
        return bool(self.problems) or any(each.state == "retrying" for each in self.recipients)


@dataclass(frozen=True, slots=True)
class TicketReplies:
    """The newest replies of a ticket, the newest first."""

    shown: Sequence[ShownReply]

    def of_message(self, message_id: str) -> ShownReply | None:
        return next((each for each in self.shown if each.reply.message_id == message_id), None)

    @property
    def undoable(self) -> list[ShownReply]:
        return [each for each in self.shown if each.can_cancel and each.reply.kind == "reply"]

    @property
    def is_changing(self) -> bool:
        return any(each.is_changing for each in self.shown)

    @property
    def problem(self) -> ShownReply | None:
        """The newest reply of a person, if it failed or bounced."""
        newest = next((each for each in self.shown if each.reply.kind == "reply"), None)
        return newest if newest and newest.problems else None


async def read_replies(visit: Visit, ticket: Ticket) -> TicketReplies:
    page = await visit.services.replies.list_by_ticket(visit.actor, ticket.id, limit=MAX_REPLIES)
    return TicketReplies([ShownReply(each) for each in page.items if each.reply.state != "canceled"])


def smtp_answer(source: ReplyRecipient | Mapping[str, Any]) -> str:
    """Returns the answer about a recipient, or in an event, such as `550 5.1.1 User unknown`; "" without one."""
    code, text = (source.get("code"), source.get("text")) if isinstance(source, Mapping) else (source.code, source.text)
    prefix, text = "" if code is None else str(code), text or ""
    return text if text.startswith(prefix) else f"{prefix} {text}".rstrip()
