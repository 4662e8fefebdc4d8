"""`/tickets` and the other lists of the inbox, with filters, search and bulk changes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import itemgetter

from api.dashboard import display_names, list_filters, users
from api.dashboard.change_feed import newest_id
from api.dashboard.inbox import LISTS, InboxList, ListRequest, request_of_form, request_of_list
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from router.admin.paging import MAX_LIMIT
from router.enumerations import TICKET_SORT, TICKET_STATUS
from router.filters import ME, TicketFilter, query_name
from router.model import User

INBOX = LISTS[0].path
PER_PAGE = 40  # so that a page with long subjects and many addresses stays below 100 kB


async def show_list(ticket_list: InboxList, visit: Visit) -> HtmlPage:
    request = request_of_list(visit, ticket_list)
    # Read before the tickets, so that the page does not miss a change in between.
    newest = newest_id(await visit.services.tickets.list_newest_ids(visit.actor))
    lists = visit.services.tickets.lists
    batch = await lists.page(visit.actor, request.filter, sort=request.sort, limit=PER_PAGE, cursor=request.cursor)
    workspace_users = await users.list_users(visit)
    fields = await _filter_fields(visit, request, workspace_users)
    context = {
        "rows": batch.items,
        "next_cursor": batch.next_cursor,
        "is_incomplete": batch.is_incomplete,
        "names": await display_names.resolve(visit, (row.ticket.assigned_to for row in batch.items)),
        "emails": {user.id: user.email for user in workspace_users},
        "newest_id": newest,
        "has_one_domain": len({row.ticket.address.rpartition("@")[2] for row in batch.items}) <= 1,
        "lists": LISTS,
        "list_request": request,
        "search": next(field for field in fields if field.name == "q"),
        "filter_fields": [field for field in fields if field.name != "q"],
        "sorts": TICKET_SORT.options(),
        "statuses": TICKET_STATUS.options(),
        "assignees": [user for user in workspace_users if user.role != "viewer" and user.disabled_at is None],
        "is_following": request.cursor is None and request.sort == TICKET_SORT.default,
    }
    return HtmlPage("tickets.html", ticket_list.title, context)


async def mark_all_read(visit: Visit) -> Redirect:
    await visit.services.tickets.lists.mark_all_read(visit.actor)
    return Redirect(request_of_form(visit).here_path(), flash="all-read")


async def _filter_fields(
    visit: Visit, request: ListRequest, workspace_users: Sequence[User]
) -> Sequence[list_filters.FilterInput]:
    aliases = await visit.services.aliases.list(visit.actor, limit=MAX_LIMIT)
    options = {
        "assignedTo": [(ME, "Me"), *((user.id, user.name or user.email) for user in workspace_users)],
        "aliasId": sorted(((alias.id, alias.email) for alias in aliases.items), key=itemgetter(1)),
    }
    fixed = {query_name(name) for name in request.ticket_list.fixed}
    return list_filters.build_fields(TicketFilter, request.given, options, without=fixed)


FLASH_MESSAGES = {"all-read": "All tickets are marked as read."}
NAV_LINKS = (NavLink("Inbox", INBOX, "viewer", 20, icon="inbox", key="i", section="/tickets"),)
PAGES = (
    *(PageRoute("GET", each.path, partial(show_list, each), "viewer", compress=True) for each in LISTS),
    PageRoute("POST", "/tickets/read", mark_all_read, "viewer"),
)
