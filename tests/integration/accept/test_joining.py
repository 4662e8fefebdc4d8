"""Which conversation a mail joins, held against a plain reading of SPEC.md section 7; and what a stranger's mails may
cost the one writer, counted in what the database reads: never in seconds.
"""

import asyncio
import json
import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest

from router.accept.incoming import MAX_CANDIDATES, MAX_LOOKUPS, MAX_PARTICIPANT_ROWS, MAX_TICKETS, IncomingMail
from router.accept.transaction import Committed, commit_group
from router.routing.route import Target
from router.store.database import Transcript
from router.store.erasure import erase_ticket
from tests.support import seeds
from tests.support.installation import Installation
from tests.support.mails import mail

PEOPLE = ("ann", "bob", "cat", "dan")
FLOOD = 400  # tickets with one Message-ID: many times what is considered


def from_(name: str) -> str:
    return f"{name.title()} <{name}@customer.test>"


@dataclass
class Sent:
    """One mail of a random correspondence."""

    n: int
    name: str
    sender: str
    parents: Sequence[str]
    copied: Sequence[str]
    aliases: Sequence[str]

    def content(self) -> bytes:
        extra = [f"X-Number: {self.n}", "Cc: " + ", ".join(from_(one) for one in self.copied)]
        if self.parents:
            extra.append("References: " + " ".join(f"<{one}@customer.test>" for one in self.parents))
        return mail(f"<{self.name}@customer.test>", sender=from_(self.sender), extra=extra)


@dataclass(eq=False)
class PlainTicket:
    """A ticket as section 7 speaks of it."""

    names: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)


def plain_reading(sent: Sequence[Sent]) -> dict[tuple[int, str], int]:
    """For each mail and alias the number of its ticket at that alias, one mail after the other."""
    tickets: dict[str, list[PlainTicket]] = {}
    found = {}
    for one in sent:
        for alias in one.aliases:
            at = tickets.setdefault(alias, [])
            joined = None
            for parent in reversed(one.parents):
                naming = [ticket for ticket in at if parent in ticket.names][-20:]
                joined = next((ticket for ticket in naming if one.sender in ticket.people), None)
                if joined is not None:
                    break
            if joined is None:
                joined = PlainTicket()
                at.append(joined)
            joined.names.add(one.name)
            joined.people |= {one.sender, *one.copied}
            found[one.n, alias] = at.index(joined)
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_random_correspondence_joins_as_section_7_says(installation: Installation, seed: int) -> None:
    """Few names and few people, so that a Message-ID is in many tickets, and groups of any size."""
    chance = random.Random(seed)
    names = [f"n{n}" for n in range(4 + 8 * seed)]
    sent = [
        Sent(
            n,
            chance.choice(names),
            chance.choice(PEOPLE),
            chance.sample(names, chance.randint(0, 3)),
            chance.sample(PEOPLE, chance.randint(0, 2)),
            chance.choice((["support"], ["billing"], ["support", "billing"])),
        )
        for n in range(160)
    ]
    targets = {"support": installation.target("support"), "billing": installation.target("billing")}
    waiting = list(sent)
    while waiting:
        size = chance.randint(1, 40)
        group, waiting = waiting[:size], waiting[size:]
        await asyncio.gather(
            *(
                installation.accept.accept(
                    installation.envelope(*(targets[alias] for alias in one.aliases)), one.content()
                )
                for one in group
            )
        )
    rows = await installation.rows(
        "SELECT tm.alias_id, tm.ticket_id FROM ticket_messages tm ORDER BY tm.message_id, tm.recipient DESC",
    )
    numbers: dict[object, dict[object, int]] = {
        installation.aliases["support"]: {},
        installation.aliases["billing"]: {},
    }
    found = []
    for row in rows:
        at = numbers[row["alias_id"]]
        found.append(at.setdefault(row["ticket_id"], len(at)))
    expected = plain_reading(sent)
    assert found == [expected[one.n, alias] for one in sent for alias in sorted(one.aliases, reverse=True)]


@pytest.mark.parametrize("at_once", [False, True])
async def test_the_20_newest_tickets_of_a_message_id_are_considered(installation: Installation, at_once: bool) -> None:
    """The oldest of 21 is out of reach for who takes part in it alone; the one after it is not."""
    mails = [mail("<same@form.test>", sender=from_(f"p{n}"), extra=[f"X-Number: {n}"]) for n in range(MAX_TICKETS + 1)]
    answers = [
        mail(f"<re-{name}@customer.test>", sender=from_(name), extra=["In-Reply-To: <same@form.test>"])
        for name in ("p0", "p1", f"p{MAX_TICKETS}")
    ]
    if at_once:
        await asyncio.gather(
            *(installation.accept.accept(installation.envelope(), content) for content in [*mails, *answers])
        )
    else:
        for content in [*mails, *answers]:
            await installation.accept.accept(installation.envelope(), content)
    tickets = [row["id"] for row in await installation.table("tickets")]
    assert len(tickets) == MAX_TICKETS + 2
    links = await installation.rows("SELECT ticket_id FROM ticket_messages ORDER BY message_id DESC LIMIT 3")
    assert [tickets.index(row["ticket_id"]) for row in links] == [MAX_TICKETS, 1, MAX_TICKETS + 1]


async def test_tickets_at_another_alias_are_not_counted(installation: Installation) -> None:
    """Newer tickets of the same Message-ID at billing@ hide nothing at support@."""
    await installation.accept.accept(installation.envelope(), mail("<same@form.test>"))
    billing = installation.target("billing")
    for n in range(MAX_TICKETS + 5):
        await installation.accept.accept(
            installation.envelope(billing), mail("<same@form.test>", sender=from_(f"p{n}"))
        )
    await installation.accept.accept(
        installation.envelope(), mail("<re@customer.test>", extra=["In-Reply-To: <same@form.test>"])
    )
    at_support = await installation.rows(
        "SELECT id FROM tickets WHERE alias_id = :alias", alias=installation.aliases["support"]
    )
    assert len(at_support) == 1


async def test_an_address_without_alias_keeps_workspaces_apart(installation: Installation) -> None:
    """A domain may change its workspace: its postmaster's conversations stay where they were."""
    other = await seeds.workspace(installation.database, "Other")
    for workspace in (installation.workspace_id, other):
        target = Target(
            "postmaster@example.com", workspace, None, "postmaster@example.com", "postmaster@example.com", None
        )
        await installation.accept.accept(
            installation.envelope(target),
            mail(f"<{workspace}@customer.test>", extra=["In-Reply-To: <first@customer.test>"]),
        )
        await installation.accept.accept(
            installation.envelope(target), mail("<first@customer.test>", extra=[f"X-W: {workspace}"])
        )
    rows = await installation.rows("SELECT workspace_id, count(*) AS n FROM tickets GROUP BY 1")
    assert {row["workspace_id"]: row["n"] for row in rows} == {installation.workspace_id: 2, other: 2}


async def test_all_200_participants_may_answer_and_nobody_else(installation: Installation) -> None:
    copied = ", ".join(from_(f"p{n}") for n in range(198))  # with the sender and the alias they are 200
    await installation.accept.accept(installation.envelope(), mail(extra=[f"Cc: {copied}"]))
    for name in ("p0", "p197", "p198"):
        await installation.accept.accept(
            installation.envelope(),
            mail(f"<{name}@re.test>", sender=from_(name), extra=["In-Reply-To: <one@customer.test>"]),
        )
    assert len(await installation.table("tickets")) == 2


async def test_what_an_erased_ticket_was_answered_by_is_gone(installation: Installation) -> None:
    """Its participants too; the next answer opens a ticket."""
    await installation.accept.accept(installation.envelope(), mail())
    (ticket,) = await installation.table("tickets")
    async with installation.database.transaction() as session:
        await erase_ticket(session, str(ticket["id"]))
    assert await installation.rows("SELECT * FROM ticket_participants") == []
    await installation.accept.accept(
        installation.envelope(), mail("<re@customer.test>", extra=["In-Reply-To: <one@customer.test>"])
    )
    (again,) = await installation.table("tickets")
    assert again["id"] != ticket["id"]


# --- what it costs


async def _flooded(installation: Installation, count: int) -> None:
    """So many tickets of one Message-ID with Eve, and one ticket that has as many messages of another one."""
    bodies = [mail("<same@flood.test>", sender="Eve <eve@flood.test>", extra=[f"X-Number: {n}"]) for n in range(count)]
    bodies += [
        mail(
            "<long@flood.test>",
            sender="Eve <eve@flood.test>",
            extra=[f"X-Number: {n}", "References: <long@flood.test>"],
        )
        for n in range(count)
    ]
    # The first message of the long ticket is committed before its answers: PostgreSQL commits two groups at once.
    await installation.accept.accept(installation.envelope(), bodies[count])
    await asyncio.gather(*(installation.accept.accept(installation.envelope(), content) for content in bodies))


async def _rows_read(installation: Installation, query: str, **values: object) -> int:
    """The rows that PostgreSQL reads, or the steps of SQLite's machine, for one execution of a query."""
    text = installation.store.catalog[query]
    if installation.store.kind == "sqlite":
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        connection = sqlite3.connect(installation.store.url.removeprefix("sqlite:///"))
        connection.set_progress_handler(step, 1)
        connection.execute(text.sqlite, values).fetchall()
        connection.close()
        return steps
    other = await asyncpg.connect(installation.store.url)
    await other.execute("ANALYZE")  # what autovacuum does in time
    columns = [[values[name]] for name in text.parameters]
    (plan,) = json.loads(await other.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {text.postgres}", *columns))
    await other.close()

    def rows(node: Any) -> float:
        own: float = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        return own + sum(rows(inner) for inner in node.get("Plans", []))

    return round(rows(plan["Plan"]))


@pytest.mark.parametrize("reference", ["same@flood.test", "long@flood.test"])
async def test_candidates_cost_no_more_however_many_there_are(installation: Installation, reference: str) -> None:
    read = []
    for _ in range(2):
        await _flooded(installation, FLOOD // 2)
        read.append(
            await _rows_read(
                installation,
                "accept_candidates",
                thread_key=installation.aliases["support"],
                rfc_message_id=reference,
                most=MAX_TICKETS,
            )
        )
    small, large = read
    assert large <= small * 1.1


async def test_an_answer_to_a_flood_is_a_ticket_of_its_own(installation: Installation) -> None:
    await _flooded(installation, FLOOD)
    before = len(await installation.table("tickets"))
    assert before == FLOOD + 1
    for n in range(3):
        await installation.accept.accept(
            installation.envelope(), mail(f"<{n}@customer.test>", extra=["In-Reply-To: <same@flood.test>"])
        )
    assert len(await installation.table("tickets")) == before + 3


class Groups:
    """Runs the real transaction, and notes what each group asked of the database."""

    def __init__(self) -> None:
        self.lookups: list[int] = []
        self.entries: list[int] = []
        self.participants: list[int] = []
        self.candidates: list[int] = []

    def write(self, mails: Sequence[IncomingMail]) -> Transcript[Sequence[Committed]]:
        transcript = commit_group(mails)
        counted = {"accept_candidates": 0, "accept_link": 0, "accept_participant": 0, "accept_takes_part": 0}
        step = next(transcript)
        try:
            while True:
                if step.query in counted:
                    counted[step.query] += len(step.rows)
                step = transcript.send((yield step))
        except StopIteration as end:
            self.lookups.append(counted["accept_candidates"])
            self.entries.append(counted["accept_link"])
            self.participants.append(counted["accept_participant"])
            self.candidates.append(counted["accept_takes_part"])
            results: Sequence[Committed] = end.value
            return results


async def test_a_group_of_costly_mails_is_bounded_and_all_are_accepted(installation: Installation) -> None:
    """100 references, 200 participants and 30 aliases in each of 40 mails: much work in few bytes."""
    count = 30
    targets = [await installation.add_alias(f"a{n}") for n in range(count)]
    groups = Groups()
    other = installation.another(write=groups.write)
    accept = other.accept
    copied = ", ".join(f"p{n}@x.test" for n in range(198))

    def content(n: int) -> bytes:
        references = " ".join(f"<{n}.{k}@x.test>" for k in range(100))
        return mail(f"<{n}@customer.test>", extra=[f"References: {references}", f"Cc: {copied}"])

    try:
        await asyncio.gather(*(accept.accept(installation.envelope(*targets), content(n)) for n in range(40)))
        assert max(groups.lookups) <= 2 * MAX_LOOKUPS
        assert max(groups.participants) <= 4 * MAX_PARTICIPANT_ROWS
        assert max(groups.entries) <= 200
        assert sum(groups.entries) == 40 * count
        # At one alias nothing is cut.
        before = len(groups.lookups)
        await accept.accept(installation.envelope(), content(99))
        # The sender and the alias itself take part without a row.
        assert (groups.lookups[before:], groups.participants[before:]) == ([100], [198])
    finally:
        await other.close()


async def test_small_answers_still_share_a_transaction(installation: Installation) -> None:
    """The bound is for costly mails: 100 small answers that wait together are one group or two."""
    groups = Groups()
    other = installation.another(write=groups.write)
    accept = other.accept
    try:
        await asyncio.gather(
            *(
                accept.accept(
                    installation.envelope(), mail(f"<{n}@customer.test>", extra=["In-Reply-To: <one@customer.test>"])
                )
                for n in range(100)
            )
        )
        assert sum(groups.entries) == 100
        assert max(groups.entries) >= 49
    finally:
        await other.close()


@pytest.mark.parametrize(("references", "considered"), [(5, 5 * MAX_TICKETS), (50, 1000), (100, 1000)])
async def test_many_flooded_references_share_the_bound_of_the_mail(
    installation: Installation, references: int, considered: int
) -> None:
    """Each is in more than 20 tickets. The newest one of each still counts."""
    names = [f"<{n}@flood.test>" for n in range(references)]
    bodies = [
        mail(name, sender=from_(f"p{n}"), extra=[f"X-Number: {n}"]) for n in range(MAX_TICKETS + 1) for name in names
    ]
    for start in range(0, len(bodies), len(names)):  # in the order of `n`: groups commit side by side on PostgreSQL
        await asyncio.gather(
            *(installation.accept.accept(installation.envelope(), body) for body in bodies[start : start + len(names)])
        )
    groups = Groups()
    other = installation.another(write=groups.write)
    accept = other.accept
    extra = ["References: " + " ".join(names)]
    try:
        await accept.accept(installation.envelope(), mail("<stranger@c.test>", sender=from_("eve"), extra=extra))
        assert groups.candidates == [considered]
        assert considered <= MAX_CANDIDATES
        before = len(await installation.table("tickets"))
        await accept.accept(
            installation.envelope(), mail("<late@c.test>", sender=from_(f"p{MAX_TICKETS}"), extra=extra)
        )
        assert len(await installation.table("tickets")) == before, "joined"
    finally:
        await other.close()
