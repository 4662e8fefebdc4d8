"""Many claim the same tickets at once, through three API servers with connections of their own: one wins each."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from tests.api.desk import served
from tests.support.stores import Store, postgres_database

CLIENTS = 18
TICKETS = 12


async def test_each_ticket_has_one_winner(store: Store) -> None:
    if store.kind == "sqlite":
        pytest.skip("one host, one process: test_tickets.py")
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(served(store))
        roots = [first.root]
        for _ in range(2):
            database = postgres_database(store.url)
            await database.open()
            stack.push_async_callback(database.close)
            other = replace(store, database=database)
            desk = await stack.enter_async_context(served(other, clock=first.clock, login=first.login))
            roots.append(desk.root)
        await first.alias()
        tickets = [await first.ticket() for _ in range(TICKETS)]
        people = [await first.person("agent") for _ in range(CLIENTS)]
        for number, (client, _) in enumerate(people):
            client.root = roots[number % len(roots)]
        answers = await asyncio.gather(
            *(client.post(f"/emails/tickets/{ticket}/claim") for ticket in tickets for client, _ in people)
        )
        won = Counter(answer.body["id"] for answer in answers if answer.status == 200)
        assert won == Counter(tickets)
        lost = [answer for answer in answers if answer.status != 200]
        assert {(answer.status, answer.code) for answer in lost} == {(409, "already_claimed")}
        assert len(lost) == TICKETS * (CLIENTS - 1)
