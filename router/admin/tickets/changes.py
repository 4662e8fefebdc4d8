"""Changes of a ticket's assignee, status and priority. Pure.

A change decides for each ticket what it sets. It refuses a ticket before anything is written.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

from router.choice import Choice
from router.clock import SECOND
from router.enumerations import TICKET_STATUS, TicketEventType, TicketStatus
from router.errors import Refused
from router.model import Actor, Micros, Ticket, TicketEvent, User
from router.replies.events import status_event_type

# The time in which the author of a change can undo it.
UNDO_SECONDS = 600
_ASSIGNEE_EVENTS: frozenset[TicketEventType] = frozenset({"ticket.claimed", "ticket.unclaimed", "ticket.assigned"})


@dataclass(frozen=True, slots=True)
class TicketEdit:
    """The fields that a change sets, and its event."""

    event_type: TicketEventType
    detail: Mapping[str, str | None]
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ChangeContext:
    """Who changes tickets, and when.

    `users` are the actor's user and the assignee of the change, if they exist. They are locked before the tickets, so
    no ticket is assigned to a user who was deleted or disabled meanwhile.
    """

    actor: Actor
    users: Mapping[str, User]
    now: Micros


class FieldChange(ABC):
    """A change of the fields of tickets."""

    @property
    def assignee_id(self) -> str | None:
        """The user, other than the actor's, to whom the change assigns tickets."""
        return None

    @abstractmethod
    def decide(self, ticket: Ticket, context: ChangeContext) -> TicketEdit | None:
        """Returns what is set for a locked ticket, or None if it stays unchanged. Raises `Refused`."""


@dataclass(frozen=True, slots=True)
class ClaimChange(FieldChange):
    """Assigns a ticket to the actor's user, with `take_over` also one that is assigned to another user."""

    take_over: bool = False

    def decide(self, ticket: Ticket, context: ChangeContext) -> TicketEdit | None:
        user_id = context.actor.user_id
        if user_id is None:
            raise Refused("invalid_request", "Only a user can be the assignee of a ticket: assign it to a user instead")
        _require_active_user(context)
        _require_unresolved(ticket)
        if ticket.assigned_to == user_id:
            if ticket.status == "in_progress":
                return None
            detail = {"from": ticket.status, "to": "in_progress"}
            return TicketEdit("ticket.status_changed", detail, {"status": "in_progress"})
        if ticket.assigned_to is not None and not self.take_over:
            raise Refused("already_claimed", f"Ticket #{ticket.number} is already assigned to another user")
        fields = {"status": "in_progress", "assigned_to": user_id, "claimed_at": context.now}
        return TicketEdit("ticket.claimed", {"from": ticket.assigned_to}, fields)


@dataclass(frozen=True, slots=True)
class UnassignChange(FieldChange):
    """Unassigns a ticket and sets it to `open`."""

    def decide(self, ticket: Ticket, context: ChangeContext) -> TicketEdit | None:
        _require_unresolved(ticket)
        if ticket.assigned_to is None and ticket.status == "open":
            return None
        _require_assignee_or_admin(context.actor, ticket)
        fields = {"status": "open", "assigned_to": None, "claimed_at": None}
        return TicketEdit("ticket.unclaimed", {"from": ticket.assigned_to}, fields)


@dataclass(frozen=True, slots=True)
class AssignChange(FieldChange):
    """Assigns a ticket to a user, and sets an open one to `in_progress`."""

    user_id: str

    @property
    def assignee_id(self) -> str:
        return self.user_id

    def decide(self, ticket: Ticket, context: ChangeContext) -> TicketEdit | None:
        _require_unresolved(ticket)
        _require_assignee_or_admin(context.actor, ticket)
        user = context.users.get(self.user_id)
        if user is None or user.disabled_at is not None:
            raise Refused("invalid_request", "userId must be an active user of this workspace", "userId")
        if user.role == "viewer":
            raise Refused("invalid_request", "Tickets cannot be assigned to a viewer", "userId")
        if ticket.assigned_to == user.id and ticket.status != "open":
            return None
        fields = {
            "assigned_to": user.id,
            "claimed_at": ticket.claimed_at if ticket.assigned_to == user.id else context.now,
            "status": "in_progress" if ticket.status == "open" else ticket.status,
        }
        return TicketEdit("ticket.assigned", {"to": user.id, "from": ticket.assigned_to}, fields)


@dataclass(frozen=True, slots=True)
class ChoiceChange(FieldChange):
    """Sets a field of `TICKET_CHOICES`. Raises `Refused` for a text that is no value of the choice.

    The status `in_progress` also assigns an unassigned ticket to the actor's user, if any. Reopening keeps the
    assignee.
    """

    choice: Choice[Any]
    value: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", self.choice.parse(self.value))

    @classmethod
    def parse(cls, choice: Choice[Any], text: str) -> Self:
        return cls(choice, text)

    def decide(self, ticket: Ticket, context: ChangeContext) -> TicketEdit | None:
        old_value = getattr(ticket, self.choice.name)
        if old_value == self.value:
            return None
        detail = {"from": old_value, "to": self.value}
        if self.choice is not TICKET_STATUS:
            event_type = cast("TicketEventType", f"ticket.{self.choice.name}_changed")
            return TicketEdit(event_type, detail, {self.choice.name: self.value})
        new_status = cast("TicketStatus", self.value)
        fields: dict[str, Any] = {
            "status": new_status,
            "resolved_at": context.now if new_status == "resolved" else None,
        }
        actor = context.actor
        if new_status == "in_progress" and ticket.assigned_to is None and actor.user_id is not None:
            _require_active_user(context)
            fields |= {"assigned_to": actor.user_id, "claimed_at": context.now}
        return TicketEdit(status_event_type(ticket.status, new_status), detail, fields)


@dataclass(frozen=True, slots=True)
class UndoChange(FieldChange):
    """Restores what an event of the actor's user changed. The ticket must not have changed again since then."""

    event: TicketEvent

    @property
    def fields(self) -> Mapping[str, Any]:
        """The earlier values of the fields that the event changed."""
        return earlier_values(self.event)

    @property
    def assignee_id(self) -> str | None:
        assignee: str | None = self.fields.get("assigned_to")
        return assignee

    def decide(self, ticket: Ticket, context: ChangeContext) -> TicketEdit | None:
        fields = self.fields
        if self.event.user_id is None or self.event.user_id != context.actor.user_id:
            raise Refused("forbidden", f"The change of ticket #{ticket.number} was not made by you")
        if not fields:
            raise Refused("conflict", f"This change of ticket #{ticket.number} cannot be undone")
        if self.event.at < context.now - UNDO_SECONDS * SECOND:
            minutes = UNDO_SECONDS // 60
            raise Refused("conflict", f"The change of ticket #{ticket.number} is older than {minutes} minutes")
        if self.assignee_id is not None:
            user = context.users.get(self.assignee_id)
            if user is None or user.disabled_at is not None or user.role == "viewer":
                raise Refused("conflict", f"Ticket #{ticket.number} can no longer be assigned to its former assignee")
        event_type, detail = self._describe(ticket, fields)
        return TicketEdit(event_type, {**detail, "undoes": self.event.id}, fields)

    def _describe(self, ticket: Ticket, fields: Mapping[str, Any]) -> tuple[TicketEventType, Mapping[str, str | None]]:
        """Returns the type and the detail of the event. Its kind is that of the undone event."""
        if self.event.type in _ASSIGNEE_EVENTS and "assigned_to" in fields:
            assignee = fields["assigned_to"]
            event_type: TicketEventType = "ticket.unclaimed" if assignee is None else "ticket.assigned"
            return event_type, {"to": assignee, "from": ticket.assigned_to}
        if "status" in fields:
            event_type = status_event_type(ticket.status, fields["status"])
            return event_type, {"from": ticket.status, "to": fields["status"]}
        return "ticket.priority_changed", {"from": ticket.priority, "to": fields["priority"]}


def earlier_values(event: TicketEvent) -> Mapping[str, Any]:
    """Returns the values that the fields changed by an event had before it."""
    found: Mapping[str, Any] = json.loads(event.detail).get("before", {})
    return found


def _require_active_user(context: ChangeContext) -> None:
    user = context.users.get(context.actor.user_id or "")
    if user is None or user.disabled_at is not None:
        raise Refused("unauthorized", "Your user account was removed or disabled")


def _require_unresolved(ticket: Ticket) -> None:
    if ticket.status == "resolved":
        raise Refused("not_open", f"Ticket #{ticket.number} is resolved: reopen it first")


def _require_assignee_or_admin(actor: Actor, ticket: Ticket) -> None:
    if actor.role != "admin" and (actor.user_id is None or ticket.assigned_to != actor.user_id):
        raise Refused(
            "forbidden", f"Ticket #{ticket.number} is not assigned to you: only its assignee and admins can do this"
        )
