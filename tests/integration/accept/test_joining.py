"""Which conversation a message joins. Random correspondence is compared with a plain implementation of the rules."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from router.accept.incoming import MAX_TICKETS
from router.routing.route import Target
from router.store.erasure import erase_ticket
from tests.support import seeds
from tests.support.installation import Installation
from tests.support.mails import mail

SENDERS = ("ann", "bob", "cat", "dan")


def sender_address(name: str) -> str:
    return f"{name.title()} <{name}@customer.test>"


@dataclass
class SentMessage:
    """One message of a random correspondence."""

    n: int
    name: str
    sender: str
    parents: Sequence[str]
    copied: Sequence[str]
    aliases: Sequence[str]

    def content(self) -> bytes:
        extra = [f"X-Number: {self.n}", "Cc: " + ", ".join(sender_address(one) for one in self.copied)]
        if self.parents:
            extra.append("References: " + " ".join(f"<{one}@customer.test>" for one in self.parents))
        return mail(f"<{self.name}@customer.test>", sender=sender_address(self.sender), extra=extra)


@dataclass(eq=False)
class PlainTicket:
    """A ticket with only the values that the joining rules use."""

    names: set[str] = field(default_factory=set)
    participants: set[str] = field(default_factory=set)


def expected_tickets(sent: Sequence[SentMessage]) -> dict[tuple[int, str], int]:
    """Maps each (message number, alias) to the index of its ticket among the tickets of the alias."""
    tickets: dict[str, list[PlainTicket]] = {}
    found = {}
    for one in sent:
        for alias in one.aliases:
            at = tickets.setdefault(alias, [])
            joined = None
            for parent in reversed(one.parents):
                naming = [ticket for ticket in at if parent in ticket.names][-20:]
                joined = next((ticket for ticket in naming if one.sender in ticket.participants), None)
                if joined is not None:
                    break
            if joined is None:
                joined = PlainTicket()
                at.append(joined)
            joined.names.add(one.name)
            joined.participants |= {one.sender, *one.copied}
            found[one.n, alias] = at.index(joined)
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_random_correspondence_joins_as_specified(installation: Installation, seed: int) -> None:
    rng = random.Random(seed)
    names = [f"n{n}" for n in range(4 + 8 * seed)]
    sent = [
        SentMessage(
            n,
            rng.choice(names),
            rng.choice(SENDERS),
            rng.sample(names, rng.randint(0, 3)),
            rng.sample(SENDERS, rng.randint(0, 2)),
            rng.choice((["support"], ["billing"], ["support", "billing"])),
        )
        for n in range(160)
    ]
    targets = {"support": installation.target("support"), "billing": installation.target("billing")}
    waiting = list(sent)
    while waiting:
        size = rng.randint(1, 40)
        group, waiting = waiting[:size], waiting[size:]
        await asyncio.gather(
            *(
                installation.accept.accept(
                    installation.envelope(*(targets[alias] for alias in one.aliases)), one.content()
                )
                for one in group
            )
        )
    rows = await installation.execute(
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
    expected = expected_tickets(sent)
    assert found == [expected[one.n, alias] for one in sent for alias in sorted(one.aliases, reverse=True)]


@pytest.mark.parametrize("at_once", [False, True])
async def test_the_20_newest_tickets_of_a_message_id_are_considered(installation: Installation, at_once: bool) -> None:
    mails = [
        mail("<same@form.test>", sender=sender_address(f"p{n}"), extra=[f"X-Number: {n}"])
        for n in range(MAX_TICKETS + 1)
    ]
    answers = [
        mail(f"<re-{name}@customer.test>", sender=sender_address(name), extra=["In-Reply-To: <same@form.test>"])
        for name in ("p0", "p1", f"p{MAX_TICKETS}")
    ]
    if at_once:
        await asyncio.gather(
            *(installation.accept.accept(installation.envelope(), content) for content in [*mails, *answers])
        )
    else:
        for content in [*mails, *answers]:
            await installation.accept.accept(installation.envelope(), content)
    tickets = [row["id"] for row in await installation.all_rows("tickets")]
    assert len(tickets) == MAX_TICKETS + 2
    links = await installation.execute("SELECT ticket_id FROM ticket_messages ORDER BY message_id DESC LIMIT 3")
    assert [tickets.index(row["ticket_id"]) for row in links] == [MAX_TICKETS, 1, MAX_TICKETS + 1]


async def test_tickets_at_another_alias_are_not_counted(installation: Installation) -> None:
    await installation.accept.accept(installation.envelope(), mail("<same@form.test>"))
    billing = installation.target("billing")
    for n in range(MAX_TICKETS + 5):
        await installation.accept.accept(
            installation.envelope(billing), mail("<same@form.test>", sender=sender_address(f"p{n}"))
        )
    await installation.accept.accept(
        installation.envelope(), mail("<re@customer.test>", extra=["In-Reply-To: <same@form.test>"])
    )
    at_support = await installation.execute(
        "SELECT id FROM tickets WHERE alias_id = :alias", alias=installation.aliases["support"]
    )
    assert len(at_support) == 1


async def test_an_address_without_alias_keeps_workspaces_apart(installation: Installation) -> None:
    """A domain can move to another workspace, but its earlier conversations stay in the first one."""
    other = await seeds.insert_workspace(installation.database, "Other")
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
    rows = await installation.execute("SELECT workspace_id, count(*) AS n FROM tickets GROUP BY 1")
    assert {row["workspace_id"]: row["n"] for row in rows} == {installation.workspace_id: 2, other: 2}


async def test_all_200_participants_can_reply_and_others_cannot(installation: Installation) -> None:
    copied = ", ".join(sender_address(f"p{n}") for n in range(198))
    await installation.accept.accept(installation.envelope(), mail(extra=[f"Cc: {copied}"]))
    for name in ("p0", "p197", "p198"):
        await installation.accept.accept(
            installation.envelope(),
            mail(f"<{name}@re.test>", sender=sender_address(name), extra=["In-Reply-To: <one@customer.test>"]),
        )
    assert len(await installation.all_rows("tickets")) == 2


async def test_a_reply_to_an_erased_ticket_opens_a_new_one(installation: Installation) -> None:
    await installation.accept.accept(installation.envelope(), mail())
    (ticket,) = await installation.all_rows("tickets")
    async with installation.database.transaction() as transaction:
        await erase_ticket(transaction, str(ticket["id"]))
    assert await installation.execute("SELECT * FROM ticket_participants") == []
    await installation.accept.accept(
        installation.envelope(), mail("<re@customer.test>", extra=["In-Reply-To: <one@customer.test>"])
    )
    (again,) = await installation.all_rows("tickets")
    assert again["id"] != ticket["id"]
