"""Filters of lists. A filter is declared once: its name, its type and its help.

The parameters of REST calls, the options of commands and the forms of pages are derived from the fields. The queries
have an optional part for each filter (`router.store.variants`), with the field name as the parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Annotated, Any, Self, get_type_hints

from router.choice import Choice
from router.enumerations import (
    ALIAS_STATUS,
    AUDIT_GROUP,
    AUDIT_KIND,
    AUTOMATIC_MAIL,
    DELIVERY_STATE,
    DELIVERY_TARGET,
    DOMAIN_STATUS,
    INTEGRATION_STATUS,
    KEY_STATUS,
    REPLY_STATE,
    ROLE,
    SPAM_TICKETS,
    TICKET_PRIORITY,
    TICKET_STATUS,
    USER_STATUS,
    IdPrefix,
)
from router.like_pattern import contains
from router.tag import caseless_key

ME = "me"  # in place of the id of the actor's user


@dataclass(frozen=True, slots=True)
class Criterion:
    """One filter of a list.

    Attributes:
        label: The label in forms.
        help: What the filter selects, as a sentence.
        choice: The values, if the filter is an enumeration.
        refers_to: The prefix of the ids, if the filter is an id.
    """

    label: str
    help: str
    choice: Choice[Any] | None = None
    refers_to: IdPrefix | None = None


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Base of filters. A field of None matches everything. All given fields must match.

    Raises `Refused` for a value that an enumeration does not have. An id that does not exist matches nothing.
    """

    def __post_init__(self) -> None:
        for name, criterion in self.criteria().items():
            given = getattr(self, name)
            if criterion.choice is not None and given is not None:
                object.__setattr__(self, name, criterion.choice.parse(given))

    @classmethod
    @cache
    def criteria(cls) -> Mapping[str, Criterion]:
        """Returns the filters that requests can set, by field name."""
        hints = get_type_hints(cls, include_extras=True)
        declared = ((name, part) for name, hint in hints.items() for part in getattr(hint, "__metadata__", ()))
        return {name: part for name, part in declared if isinstance(part, Criterion)}

    @classmethod
    def from_query(cls, values: Mapping[str, str | None]) -> Self:
        """Reads the filter from the parameters of a query string. Ignores other parameters."""
        return cls(**{name: values.get(query_name(name)) for name in cls.criteria()})

    def parameters(self) -> dict[str, Any]:
        """Returns the parameters of the SQL query."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class TicketFilter(ListFilter):
    """Filters of a list of tickets.

    `q` is a ticket number or words, all of which must match. The last word matches as a prefix. `unassigned` selects
    tickets that are neither assigned nor resolved, `unresolved` those that are not resolved. `assigned_to` may be `ME`.
    Without `spam`, only tickets that are not spam match. The queries read either these or those that are spam.
    """

    q: Annotated[
        str | None,
        Criterion(
            "Search",
            "Only tickets with these words (the last one may be a prefix) in sender, subject, text or attachment "
            "names, or this number.",
        ),
    ] = None
    status: Annotated[str | None, Criterion("Status", "Only tickets with this status.", choice=TICKET_STATUS)] = None
    priority: Annotated[
        str | None, Criterion("Priority", "Only tickets with this priority.", choice=TICKET_PRIORITY)
    ] = None
    assigned_to: Annotated[
        str | None, Criterion("Assignee", "Only tickets assigned to this user.", refers_to="user")
    ] = None
    alias_id: Annotated[str | None, Criterion("Address", "Only tickets of this alias.", refers_to="alias")] = None
    tag: Annotated[str | None, Criterion("Tag", "Only tickets with this tag, in upper or lower case.")] = None
    automatic: Annotated[
        str | None,
        Criterion(
            "Automatic mail",
            "Only tickets that contain nothing but automatic mail (`only`), or only the others (`exclude`).",
            choice=AUTOMATIC_MAIL,
        ),
    ] = None
    spam: Annotated[
        str | None,
        Criterion(
            "Spam",
            "Only tickets held as spam (`true`), also these (`all`), or only the others (`false`, the default).",
            choice=SPAM_TICKETS,
        ),
    ] = None
    unassigned: bool = False
    unresolved: bool = False

    def by_spam(self) -> tuple[TicketFilter, ...]:
        """Returns the filters that select the same tickets together, each of them either spam or not."""
        return (self,) if self.spam != "all" else tuple(replace(self, spam=each) for each in ("false", "true"))

    @property
    def has_rare_priority(self) -> bool:
        return self.priority not in (None, TICKET_PRIORITY.default)

    @property
    def is_flat(self) -> bool:
        """Whether the partial index of the filter contains no column of another filter."""
        return self.unassigned or self.automatic == "only"

    @property
    def is_selective(self) -> bool:
        """Whether a partial index contains only the few tickets that a filter selects."""
        return self.is_flat or self.has_rare_priority

    @property
    def is_contradictory(self) -> bool:
        """Whether no ticket can match."""
        is_resolved = self.status == "resolved" and (self.unassigned or self.unresolved)
        return is_resolved or (self.unassigned and self.assigned_to is not None)

    def parameters(self) -> dict[str, Any]:
        """Adds `selective`: whether to read a partial index, and not that of the alias. `flat`: see `is_flat`.

        Raises ValueError for the filter `all`, of which no query reads the tickets in one order (`by_spam`).
        """
        if self.spam == "all":
            raise ValueError("the tickets that are spam and the others are read separately")
        return ListFilter.parameters(self) | {
            "selective": self.is_selective,
            "flat": self.is_flat,
            "tag": None if self.tag is None else caseless_key(self.tag),
            "spam": self.spam == "true",
        }


@dataclass(frozen=True, slots=True)
class DeliveryFilter(ListFilter):
    """Filters of a list of deliveries. `without_updates` excludes the updates of posts."""

    state: Annotated[str | None, Criterion("State", "Only deliveries in this state.", choice=DELIVERY_STATE)] = None
    integration_id: Annotated[
        str | None, Criterion("Integration", "Only deliveries to this integration.", refers_to="int")
    ] = None
    ticket_id: Annotated[str | None, Criterion("Ticket", "Only deliveries of this ticket.", refers_to="ticket")] = None
    target: Annotated[
        str | None, Criterion("Target", "Only posts to integrations, or only replies.", choice=DELIVERY_TARGET)
    ] = None
    without_updates: bool = False


@dataclass(frozen=True, slots=True)
class ReplyFilter(ListFilter):
    """Filters of a list of replies."""

    state: Annotated[str | None, Criterion("State", "Only replies in this state.", choice=REPLY_STATE)] = None


@dataclass(frozen=True, slots=True)
class TextFilter(ListFilter):
    """A filter by a part of the texts that name an item. Its query compares each of the workspace's items."""

    q: Annotated[
        str | None,
        Criterion("Search", "Only items with this text in the name or address, in upper or lower case."),
    ] = None

    def parameters(self) -> dict[str, Any]:
        return ListFilter.parameters(self) | {"q": None if self.q is None else contains(self.q)}


@dataclass(frozen=True, slots=True)
class DomainFilter(TextFilter):
    """Filters of a list of domains."""

    status: Annotated[str | None, Criterion("Status", "Only domains with this status.", choice=DOMAIN_STATUS)] = None


@dataclass(frozen=True, slots=True)
class CannedResponseFilter(TextFilter):
    """Filters of a list of canned responses. The search also finds their texts."""

    alias_id: Annotated[
        str | None, Criterion("Alias", "Only canned responses for answers from this alias.", refers_to="alias")
    ] = None


@dataclass(frozen=True, slots=True)
class AliasFilter(TextFilter):
    """Filters of a list of aliases."""

    domain_id: Annotated[str | None, Criterion("Domain", "Only aliases of this domain.", refers_to="dom")] = None
    integration_id: Annotated[
        str | None, Criterion("Integration", "Only aliases whose tickets go to this integration.", refers_to="int")
    ] = None
    status: Annotated[str | None, Criterion("Status", "Only aliases with this status.", choice=ALIAS_STATUS)] = None


@dataclass(frozen=True, slots=True)
class IntegrationFilter(TextFilter):
    """Filters of a list of integrations."""

    type: Annotated[str | None, Criterion("Type", "Only integrations of this type.")] = None
    status: Annotated[
        str | None, Criterion("Status", "Only integrations with this status.", choice=INTEGRATION_STATUS)
    ] = None


@dataclass(frozen=True, slots=True)
class UserFilter(TextFilter):
    """Filters of a list of users."""

    role: Annotated[str | None, Criterion("Role", "Only users with this role.", choice=ROLE)] = None
    status: Annotated[str | None, Criterion("Status", "Only users with this status.", choice=USER_STATUS)] = None


@dataclass(frozen=True, slots=True)
class KeyFilter(TextFilter):
    """Filters of a list of API keys."""

    status: Annotated[str | None, Criterion("Status", "Only API keys with this status.", choice=KEY_STATUS)] = None


@dataclass(frozen=True, slots=True)
class AuditFilter(ListFilter):
    """Filters of the audit log. `since` and `until` are days of the form `2030-01-31`."""

    q: Annotated[
        str | None,
        Criterion(
            "Search",
            "Only entries with this text in their details or address, or in the name of their user or integration.",
        ),
    ] = None
    user_id: Annotated[str | None, Criterion("Person", "Only actions of this user.", refers_to="user")] = None
    kind: Annotated[str | None, Criterion("Subject", "Only actions on this kind of object.", choice=AUDIT_KIND)] = None
    group: Annotated[str | None, Criterion("Action", "Only this group of actions.", choice=AUDIT_GROUP)] = None
    since: Annotated[str | None, Criterion("From", "Only entries of this day (UTC) or later, such as 2030-01-31.")] = (
        None
    )
    until: Annotated[str | None, Criterion("To", "Only entries of this day (UTC) or earlier, such as 2030-01-31.")] = (
        None
    )


@cache
def query_name(field_name: str) -> str:
    """Returns the name in query strings: `aliasId` for `alias_id`."""
    head, *tail = field_name.split("_")
    return head + "".join(part.capitalize() for part in tail)
