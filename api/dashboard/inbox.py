"""The lists of the inbox, and the requests for them.

A page of a list has the filters, the sort order and the cursor in its query string. A ticket that is opened from a list
has the same in its query string, and `list` with the name of the list, so that its page knows which ticket is next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from api.dashboard.page import Visit
from router.enumerations import TICKET_SORT, TicketSort
from router.filters import ME, TicketFilter, query_name
from router.model import Ticket

SORT, CURSOR, LIST = "sort", "cursor", "list"  # parameters of query strings
PICK_PREFIX = "t-"  # of the names of the checkboxes, before the id of the ticket
DEFAULT_SORT: TicketSort = "newest"


@dataclass(frozen=True, slots=True)
class InboxList:
    """One list of the inbox. `fixed` are the fields of the filter that the list itself sets."""

    name: str
    label: str
    title: str
    path: str
    fixed: Mapping[str, Any] = field(default_factory=dict)


_NO_SPAM = {"spam": "false"}  # these lists have no filter for it
LISTS = (
    InboxList(
        "unassigned", "Unassigned", "Unassigned tickets", "/tickets/unassigned", {"unassigned": True, **_NO_SPAM}
    ),
    InboxList("mine", "Mine", "My tickets", "/tickets/mine", {"assigned_to": ME, "unresolved": True, **_NO_SPAM}),
    InboxList("open", "Unresolved", "Unresolved tickets", "/tickets/open", {"unresolved": True, **_NO_SPAM}),
    InboxList("all", "All", "All tickets", "/tickets"),
    InboxList("spam", "Spam", "Spam", "/tickets/spam", {"spam": "true"}),
)
_BY_NAME = {each.name: each for each in LISTS}
UNASSIGNED, MINE, OPEN, ALL, SPAM = LISTS


@dataclass(frozen=True, slots=True)
class ListRequest:
    """Which tickets of which list, in which order, from which position."""

    ticket_list: InboxList
    given: Mapping[str, str]  # the filters of the query string, by their names there, without empty ones
    sort: TicketSort = DEFAULT_SORT
    cursor: str | None = None

    @property
    def filter(self) -> TicketFilter:
        """The filter of the list and of the query string. Raises `Refused` for an invalid value."""
        return replace(TicketFilter.from_query(self.given), **self.ticket_list.fixed)

    @property
    def choices(self) -> dict[str, str]:
        """The parameters of the query string of the list, without the cursor."""
        return {**self.given, **({} if self.sort == DEFAULT_SORT else {SORT: self.sort})}

    def list_path(self, **changes: str | None) -> str:
        """Returns the path of the list with its query string. `changes` replace parameters; None removes one."""
        return _path(self.ticket_list.path, {**self.choices, **changes})

    def here_path(self) -> str:
        """Returns the path of this page of the list."""
        return self.list_path(**{CURSOR: self.cursor})

    @property
    def ticket_parameters(self) -> dict[str, str]:
        """The parameters of the query string of a ticket of the list."""
        return {LIST: self.ticket_list.name, **self.choices, **({} if self.cursor is None else {CURSOR: self.cursor})}

    def ticket_query(self) -> str:
        """Returns the query string, with its `?`, of a link to a ticket of the list."""
        return _path("", self.ticket_parameters)


def request_of_list(visit: Visit, ticket_list: InboxList) -> ListRequest:
    """Returns the request for the page of a list."""
    names = [query_name(name) for name in TicketFilter.criteria() if name not in ticket_list.fixed]
    values = {name: visit.query.get(name, "").strip() for name in names}
    given = {name: value for name, value in values.items() if value}
    # The results of a search have only this order.
    sort = DEFAULT_SORT if "q" in given else TICKET_SORT.parse(visit.query.get(SORT) or DEFAULT_SORT)
    return ListRequest(ticket_list, given, sort, visit.query.get(CURSOR) or None)


def request_of_ticket(visit: Visit, ticket: Ticket) -> ListRequest:
    """Returns the request for the list from which a ticket was opened, by default a list that contains it."""
    chosen = _BY_NAME.get(visit.query.get(LIST, ""))
    if chosen is not None:
        return request_of_list(visit, chosen)
    if ticket.spam:
        return ListRequest(SPAM, {})
    if ticket.status == "resolved":
        return ListRequest(ALL, {})
    if ticket.assigned_to is None:
        return ListRequest(UNASSIGNED, {})
    return ListRequest(MINE if ticket.assigned_to == visit.actor.user_id else OPEN, {})


def request_of_form(visit: Visit) -> ListRequest:
    """Returns the request for the list whose page has the form, from the query string of the form's action."""
    return request_of_list(visit, _BY_NAME.get(visit.query.get(LIST, ""), ALL))


def selected_tickets(values: Mapping[str, str]) -> list[str]:
    """Returns the ids of the tickets that are selected in a form."""
    return [name.removeprefix(PICK_PREFIX) for name in values if name.startswith(PICK_PREFIX)]


def _path(path: str, parameters: Mapping[str, str | None]) -> str:
    present = {name: value for name, value in parameters.items() if value}
    return f"{path}?{urlencode(present)}" if present else path
