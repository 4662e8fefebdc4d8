"""The figures of the overview against a plain count in Python, with random tickets of the last days."""

import datetime as dt
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pytest

from router import ids
from router.admin.installation.overview import RANGES
from router.clock import SECOND
from router.enumerations import TICKET_STATUS
from tests.support.installation import Installation

ZONE = "Asia/Kathmandu"  # UTC+05:45
DAY_MS = 86_400_000


@dataclass(frozen=True)
class RandomTicket:
    """A ticket with a message and a delivery, all received at `at` (milliseconds since the epoch)."""

    at: int
    number: int
    status: str
    assignee: str | None
    alias: str | None
    resolved_at: int | None
    is_dead: bool

    @property
    def suffix(self) -> str:
        return f"{ids.first_id_at('msg', self.at).partition('_')[2][:-6]}{self.number:06d}"


def make_tickets(count: int, people: Sequence[str], alias: str, now: int) -> list[RandomTicket]:
    chosen = random.Random(7)
    tickets = []
    for number in range(1, count + 1):
        at = now - chosen.randrange(1, 100 * DAY_MS)
        status = chosen.choice(TICKET_STATUS.values)
        resolved = min(now - 1, at + chosen.randrange(5 * DAY_MS)) if status == "resolved" else None
        assignee, used = chosen.choice([*people, None]), chosen.choice([alias, None])
        tickets.append(RandomTicket(at, number, status, assignee, used, resolved, chosen.random() < 0.2))
    return tickets


async def insert(installation: Installation, tickets: Sequence[RandomTicket]) -> None:
    workspace = installation.actor.workspace_id
    rows: dict[str, list[str]] = {"messages": [], "tickets": [], "deliveries": []}
    for each in tickets:
        at = each.at * 1000
        assignee, alias = (f"'{value}'" if value else "NULL" for value in (each.assignee, each.alias))
        resolved = "NULL" if each.resolved_at is None else str(each.resolved_at * 1000)
        state = "dead" if each.is_dead else "delivered"
        rows["messages"].append(
            f"('msg_{each.suffix}', '{workspace}', {at}, '', '', '', 'ESMTP', '', '', 1, '', '[]', '', '', '', '')"
        )
        rows["tickets"].append(
            f"('ticket_{each.suffix}', '{workspace}', {each.number}, {alias}, '{each.status}', {assignee}, {resolved}, "
            f"{at}, {at}, '', '', '', '')"
        )
        rows["deliveries"].append(
            f"('dlv_{each.suffix}', '{workspace}', 'ticket_{each.suffix}', 'msg_{each.suffix}', 'int_x', 'opened', "
            f"'{state}', {at}, {at + SECOND}, {at})"
        )
    columns = {
        "messages": "id, workspace_id, received_at, reverse_path, helo, peer, protocol, tls, received_by, size, "
        "rfc_message_id, reference_ids, from_address, from_name, subject, automatic",
        "tickets": "id, workspace_id, number, alias_id, status, assigned_to, resolved_at, received_at, updated_at, "
        "address, subject, from_address, from_name",
        "deliveries": "id, workspace_id, ticket_id, message_id, integration_id, event, state, expires_at, "
        "delivered_at, created_at",
    }
    for table, names in columns.items():
        await installation.execute(f"INSERT INTO {table} ({names}) VALUES {', '.join(rows[table])}")


def local(ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(ms / 1000, ZoneInfo(ZONE))


@pytest.mark.parametrize("is_only_workspace", [True, False])
async def test_figures_equal_a_plain_count(installation: Installation, *, is_only_workspace: bool) -> None:
    if not is_only_workspace:
        await installation.add_workspace()
    people = [str((await installation.add_actor("agent")).user_id) for _ in range(2)]
    alias = installation.aliases["support"]
    now = time.time_ns() // 1_000_000
    tickets = make_tickets(400, people, alias, now)
    await insert(installation, tickets)
    for count in RANGES:
        found = await installation.services.overview.get(installation.actor, timezone=ZONE, days=count)
        days = [local(now).date() - dt.timedelta(days=n) for n in reversed(range(count))]
        recent = [ticket for ticket in tickets if local(ticket.at).date() >= days[0]]
        resolved = [ticket for ticket in tickets if ticket.resolved_at and local(ticket.resolved_at).date() >= days[0]]
        opened_on = Counter(local(ticket.at).date() for ticket in recent)
        dead_on = Counter(local(ticket.at).date() for ticket in recent if ticket.is_dead)
        resolved_on = Counter(local(ticket.resolved_at or 0).date() for ticket in resolved)
        assert [(day.date, day.messages, day.tickets, day.dead, day.resolved) for day in found.days] == [
            (day, opened_on[day], opened_on[day], dead_on[day], resolved_on[day]) for day in days
        ]
        hours = Counter((local(ticket.at).weekday(), local(ticket.at).hour) for ticket in recent)
        assert found.hours == tuple(tuple(hours[day, hour] for hour in range(24)) for day in range(7))
        done_by = Counter(ticket.assignee for ticket in resolved)
        left_to = Counter(ticket.assignee for ticket in tickets if ticket.status != "resolved")
        by_person = {person.user_id: (person.open, person.resolved) for person in found.by_person}
        assert {each: by_person[each] for each in people} == {each: (left_to[each], done_by[each]) for each in people}
        assert found.resolved_unassigned == done_by[None]
        (support,) = found.by_alias
        assert (support.alias_id, support.new) == (alias, sum(ticket.alias == alias for ticket in recent))
        assert found.capped is False


async def test_today_is_compared_with_the_same_time_of_an_earlier_day(installation: Installation) -> None:
    now_ms = time.time_ns() // 1_000_000
    for age, days_ago in ((9, 7), (3, 1), (0, None)):
        with ids.dated_by(lambda age=age: (now_ms - age * DAY_MS) * 1000):  # type: ignore[misc]
            actor = await installation.add_workspace()
        found = (await installation.services.overview.get(actor)).earlier
        expected = None if days_ago is None else found and found.date + dt.timedelta(days=days_ago)
        today = dt.datetime.now(dt.UTC).date()
        assert (expected == today) if days_ago else (found is None), age
