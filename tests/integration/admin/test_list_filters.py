"""Combinations of filters list the same tickets and deliveries as a filter in Python."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from router import ids
from router.admin.paging import Page
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
SAMPLE = 400  # combinations of the filters of tickets that are tested


async def test_ticket_filters(installation: Installation) -> None:
    rng = random.Random(17)
    known = [await add_ticket(installation, rng, number) for number in range(1, COUNT + 1)]
    known = await add_tag(installation, rng, known)
    words = {ticket.id: "hello" if rng.random() < 0.5 else "other" for ticket in known}
    for ticket in known:
        indexed = terms.ticket_terms(
            ticket.workspace_id, ticket.number, ticket.alias_id, existing=[], added=[words[ticket.id]]
        )
        await installation.database.execute(
            "search_upsert",
            ticket_id=ticket.id,
            workspace_id=ticket.workspace_id,
            index_position=terms.index_position(ticket.id),
            words=" ".join(indexed),
        )
    more = {"q": (None, "hello."), "unassigned": (False, True)}
    for wanted in rng.sample([*combinations(TicketFilter, known, **more, tag=(None, "vip", "unknown"))], SAMPLE):
        expected = [
            ticket
            for ticket in reversed(known)
            if matches(wanted, ticket)
            and (wanted.q is None or words[ticket.id] == "hello")
            and (wanted.tag is None or wanted.tag in (tag.name_key for tag in ticket.tags))
            and (not wanted.unassigned or (ticket.assigned_to is None and ticket.status != "resolved"))
        ]
        assert await read_all_pages(installation.tickets, installation, wanted) == expected, wanted


async def test_delivery_filters(installation: Installation) -> None:
    rng = random.Random(17)
    tickets = [await add_ticket(installation, rng, number) for number in range(1, 5)]
    targets = [installation.integration_id, await installation.add_integration()]
    known = [await add_delivery(installation, rng, rng.choice(tickets), targets) for _ in range(COUNT)]
    for wanted in combinations(DeliveryFilter, known):
        expected = [delivery for delivery in reversed(known) if matches(wanted, delivery)]
        assert await read_all_pages(installation.services.deliveries, installation, wanted) == expected, wanted


def matches(wanted: ListFilter, item: Ticket | Delivery) -> bool:
    given = {name: getattr(wanted, name) for name in wanted.criteria() if name not in ("q", "tag")}
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


async def read_all_pages(service: Any, installation: Installation, wanted: ListFilter) -> list[Ticket | Delivery]:
    items: list[Ticket | Delivery] = []
    cursor = None
    while True:
        page: Page[Any] = await service.list(installation.actor, wanted, limit=LIMIT, cursor=cursor)
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
        *("support@example.com", "Hello", "ada@customer.test", "Ada", 1, 1),
        assigned_to=rng.choice([None, None, "user_a", "user_b"]),
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
