"""Combinations of filters and orders list the same tickets and deliveries as a filter and a sort in Python."""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import pytest

from router import ids
from router.admin.paging import Page
from router.admin.tickets import list_order
from router.enumerations import TICKET_PRIORITY, TICKET_SORT
from router.filters import DeliveryFilter, ListFilter, TicketFilter
from router.model import Delivery, Ticket
from router.search import terms
from router.store.fragments import expand, model_values
from tests.support import seeds
from tests.support.installation import Installation

L = TypeVar("L", bound=ListFilter)
M = TypeVar("M", Ticket, Delivery)
COUNT = 60
LIMIT = 7
# Criteria that are not the value of a field.
OTHER_CRITERIA = ("q", "tag", "automatic", "spam")
SAMPLE = 400  # combinations of the filters of tickets that are tested


async def test_ticket_filters(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(17)
    known = [await add_ticket(installation, rng, number) for number in range(1, COUNT + 1)]
    known = await add_tag(installation, rng, known)
    words = await add_words(installation, rng, known)
    more = {"q": (None, "hello."), "tag": (None, "vip", "unknown"), "unassigned": (False, True)}
    more |= {"unresolved": (False, True)}
    for wanted in rng.sample([*combinations(TicketFilter, known, **more)], SAMPLE):
        sort = "newest" if wanted.q else rng.choice(TICKET_SORT.values)
        monkeypatch.setattr(list_order, "MAX_SORTED", rng.choice((3, COUNT)))
        expected = sorted(
            (each for each in known if is_listed(wanted, sort, each) and (not wanted.q or words[each.id] == "hello")),
            key=ORDERS[sort],
        )
        case = wanted, sort
        assert await read_all_pages(partial(installation.tickets.lists.list, sort=sort), installation, wanted) == (
            expected
        ), case
        if wanted.q is None:
            current = rng.choice(known)
            previous = [each for each in expected if ORDERS[sort](each) < ORDERS[sort](current)]
            following = [each for each in expected if ORDERS[sort](each) > ORDERS[sort](current)]
            adjacent = await installation.tickets.lists.adjacent(installation.actor, wanted, sort, current)
            nearest = (previous[-1] if previous else None, following[0] if following else None)
            assert [each and each.id for each in adjacent] == [each and each.id for each in nearest], case


ORDERS: Mapping[str, Callable[[Ticket], Any]] = {
    "newest": lambda ticket: -ticket.number,
    "oldest": lambda ticket: ticket.number,
    "waiting": lambda ticket: (ticket.unanswered_since or ticket.received_at, ticket.number),
    "priority": lambda ticket: (TICKET_PRIORITY.values.index(ticket.priority), -ticket.number),
}


def is_listed(wanted: TicketFilter, sort: str, ticket: Ticket) -> bool:
    return (
        matches(wanted, ticket)
        and (wanted.tag is None or wanted.tag in (tag.name_key for tag in ticket.tags))
        and (wanted.automatic is None or (wanted.automatic == "only") is bool(ticket.automatic))
        and (wanted.spam == "all" or (wanted.spam == "true") is bool(ticket.spam))
        and (not wanted.unassigned or (ticket.assigned_to is None and ticket.status != "resolved"))
        and (not wanted.unresolved or ticket.status != "resolved")
        and (sort != "waiting" or ticket.status in ("open", "in_progress"))
    )


async def add_words(installation: Installation, rng: random.Random, tickets: Sequence[Ticket]) -> Mapping[str, str]:
    """Indexes a random word of each ticket; returns the words by ticket id."""
    words = {ticket.id: rng.choice(("hello", "other")) for ticket in tickets}
    for ticket in tickets:
        indexed = terms.ticket_terms(
            ticket.workspace_id,
            ticket.number,
            ticket.alias_id,
            is_spam=bool(ticket.spam),
            existing=[],
            added=[words[ticket.id]],
        )
        await installation.database.execute(
            "search_upsert",
            ticket_id=ticket.id,
            workspace_id=ticket.workspace_id,
            index_position=terms.index_position(ticket.id),
            words=" ".join(indexed),
        )
    return words


async def test_delivery_filters(installation: Installation) -> None:
    rng = random.Random(17)
    tickets = [await add_ticket(installation, rng, number) for number in range(1, 5)]
    targets = [installation.integration_id, await installation.add_integration()]
    known = [await add_delivery(installation, rng, rng.choice(tickets), targets) for _ in range(COUNT)]
    for wanted in combinations(DeliveryFilter, known):
        expected = [delivery for delivery in reversed(known) if matches(wanted, delivery)]
        assert await read_all_pages(installation.services.deliveries.list, installation, wanted) == expected, wanted


def matches(wanted: ListFilter, item: Ticket | Delivery) -> bool:
    given = {name: getattr(wanted, name) for name in wanted.criteria() if name not in OTHER_CRITERIA}
    return all(value is None or getattr(item, name) == value for name, value in given.items())


def combinations(list_filter: type[L], known: Sequence[Any], **more: Sequence[object]) -> Iterator[L]:
    """Yields each combination of no filter, the known values and a value that nothing has."""
    values: dict[str, Sequence[object]] = {}
    for name, criterion in list_filter.criteria().items():
        if criterion.choice is not None:
            values[name] = [None, *criterion.choice.values]
        elif name not in more:
            values[name] = [None, *sorted({getattr(item, name) for item in known} - {None}), "unknown"]
    values |= more
    for chosen in product(*values.values()):
        yield list_filter(**dict(zip(values, chosen, strict=True)))


async def read_all_pages(read: Any, installation: Installation, wanted: ListFilter) -> list[Ticket | Delivery]:
    items: list[Ticket | Delivery] = []
    cursor = None
    while True:
        page: Page[Any] = await read(installation.actor, wanted, limit=LIMIT, cursor=cursor)
        items += page.items
        cursor = page.next_cursor
        if cursor is None:
            return items


async def add_ticket(installation: Installation, rng: random.Random, number: int) -> Ticket:
    ticket = Ticket(
        ids.new_id("ticket"),
        installation.workspace_id,
        number,
        rng.choice([None, *installation.aliases.values()]),
        *("support@example.com", "Hello", "ada@customer.test", "Ada", rng.randrange(5), 1),
        automatic=rng.choice(["", "", "list"]),
        unanswered_since=rng.choice([None, rng.randrange(1, 5)]),
        assigned_to=rng.choice([None, None, "user_a", "user_b"]),
        spam=rng.choice([0, 0, 1]),
        **random_literals(Ticket, rng),
    )
    return await insert(installation, "tickets", ticket)


async def add_tag(installation: Installation, rng: random.Random, tickets: Sequence[Ticket]) -> list[Ticket]:
    """Adds a tag to some of the tickets."""
    tag = await installation.tickets.tags.create(installation.actor, "VIP")
    tagged = {ticket.id for ticket in tickets if rng.random() < 0.5}
    await installation.database.execute("tag_add_to_tickets", tag_id=tag.id, ids=json.dumps(sorted(tagged)))
    return [replace(ticket, tags=(tag,)) if ticket.id in tagged else ticket for ticket in tickets]


async def add_delivery(
    installation: Installation, rng: random.Random, ticket: Ticket, integration_ids: Sequence[str]
) -> Delivery:
    delivery = Delivery(
        ids.new_id("dlv"),
        installation.workspace_id,
        ticket.id,
        "msg_1",
        rng.choice(integration_ids),
        created_at=1,
        expires_at=2,
        next_attempt_at=None,
        **random_literals(Delivery, rng)
        | {"event": rng.choice(("opened", "replied"))},  # a ticket has at most one update that is not delivered
    )
    return await insert(installation, "deliveries", delivery)


def random_literals(model: type[Any], rng: random.Random) -> dict[str, Any]:
    """Returns a value for each field that is an enumeration."""
    hints = get_type_hints(model)
    return {name: rng.choice(get_args(hint)) for name, hint in hints.items() if get_origin(hint) is Literal}


async def insert(installation: Installation, table: str, item: M) -> M:
    statement = expand(f"INSERT INTO {table} {{values:{type(item).__name__}}}", postgres=False)
    await seeds.execute(installation.database, statement, **model_values(item))
    return item
