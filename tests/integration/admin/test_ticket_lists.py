"""Rows of lists, unread messages and waiting times agree with a plain model of random work on tickets."""

import random
from dataclasses import dataclass, field

import pytest

from router.admin.tickets import list_rows, lists
from router.admin.tickets.lists import ListCounts
from router.enumerations import TICKET_SORT
from router.filters import TicketFilter
from router.model import Actor
from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refused_code

STEPS = 60


@dataclass
class ListedTicket:
    """A ticket as its correspondence says it is. `read` has the number of messages that each user has read."""

    message_id: str
    automatic: bool
    received_at: int
    since: int
    newest_at: int
    status: str = "open"
    assigned_to: str | None = None
    messages: int = 1
    read: dict[str, int] = field(default_factory=dict)

    def unread(self, user_id: str) -> str:
        read = self.read.get(user_id, 0)
        if read == self.messages:
            return ""
        return "reply" if read else "new"


class Correspondence:
    """Random messages and changes. Each is made with the services and in the model."""

    def __init__(self, installation: Installation, users: list[Actor], seed: int) -> None:
        self.installation = installation
        self.users = users
        self.rng = random.Random(seed)
        self.known: dict[str, ListedTicket] = {}

    async def step(self) -> None:
        steps = [self.open, self.reply, self.reply, self.change, self.change, self.read, self.mark_unread]
        await self.rng.choice(steps if self.known else [self.open])()
        if self.rng.random() < 0.03:
            user = self.rng.choice(self.users)
            await self.installation.tickets.lists.mark_all_read(user)
            for ticket in self.known.values():
                ticket.read[str(user.user_id)] = ticket.messages

    async def open(self) -> None:
        message_id, automatic = mails.new_message_id(), self.rng.random() < 0.3
        build = mails.list_mail if automatic else mails.plain
        ticket_id = await self.installation.accept_ticket(build(message_id=message_id))
        now = self.installation.clock.now()
        self.known[ticket_id] = ListedTicket(message_id, automatic, now, now, now)

    async def reply(self) -> None:
        ticket = self.known[self.choose()]
        automatic = self.rng.random() < 0.4
        build = mails.out_of_office if automatic else mails.reply_to
        await self.installation.accept_message(build(ticket.message_id))
        ticket.messages, ticket.newest_at = ticket.messages + 1, self.installation.clock.now()
        if not automatic:
            if ticket.status in ("waiting", "resolved"):
                ticket.since = ticket.newest_at
            ticket.automatic, ticket.status = False, "open"

    async def change(self) -> None:
        ticket_id, actor = self.choose(), self.rng.choice(self.users)
        ticket, status = self.known[ticket_id], self.rng.choice(("open", "in_progress", "waiting", "resolved"))
        self.installation.clock.advance(1)
        changed = await self.installation.tickets.set_status(actor, ticket_id, status)
        ticket.status, ticket.assigned_to = status, changed.assigned_to

    async def read(self) -> None:
        ticket_id, user = self.choose(), self.rng.choice(self.users)
        await self.installation.tickets.lists.mark_read(user, ticket_id)
        self.known[ticket_id].read[str(user.user_id)] = self.known[ticket_id].messages

    async def mark_unread(self) -> None:
        ticket_id, user = self.choose(), self.rng.choice(self.users)
        await self.installation.tickets.lists.mark_unread(user, ticket_id)
        self.known[ticket_id].read[str(user.user_id)] = self.known[ticket_id].messages - 1

    def choose(self) -> str:
        return self.rng.choice(list(self.known))

    async def check(self, user: Actor) -> None:
        user_id = str(user.user_id)
        page = await self.installation.tickets.lists.page(user)
        shown = {
            row.ticket.id: (bool(row.ticket.automatic), row.message_count, row.newest_message_at, row.unread)
            for row in page.items
        }
        assert shown == {
            ticket_id: (ticket.automatic, ticket.messages, ticket.newest_at, ticket.unread(user_id))
            for ticket_id, ticket in self.known.items()
        }
        waiting = await self.installation.tickets.lists.page(user, sort="waiting")
        is_open = {key: ticket for key, ticket in self.known.items() if ticket.status in ("open", "in_progress")}
        assert [(row.ticket.id, row.ticket.waiting_since) for row in waiting.items] == [
            (key, ticket.since) for key, ticket in sorted(is_open.items(), key=lambda each: (each[1].since, each[0]))
        ]
        unresolved = [ticket for ticket in self.known.values() if ticket.status != "resolved"]
        unassigned = [ticket for ticket in unresolved if ticket.assigned_to is None]
        own = [ticket for ticket in unresolved if ticket.assigned_to == user_id]
        unread = sum(ticket.unread(user_id) != "" for ticket in (*unassigned, *own))
        counts = await self.installation.tickets.lists.counts(user)
        assert counts == ListCounts(len(unassigned), len(own), len(unresolved), 0, unread)


@pytest.mark.parametrize("seed", range(2))
async def test_random_work_is_listed_as_in_a_model(installation: Installation, seed: int) -> None:
    users = [await installation.add_actor() for _ in range(2)]
    work = Correspondence(installation, users, seed)
    for _ in range(STEPS):
        await work.step()
        await work.check(work.rng.choice(users))
    for user in users:
        await work.check(user)


async def test_a_row_shows_the_newest_message(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = await installation.add_actor()
    pdf = mails.plain(text="See the\n\n  attached\tphoto.", message_id="<first@customer.test>")
    ticket_id = await installation.accept_ticket(pdf)
    before = (await installation.tickets.lists.page(agent)).items[0]
    assert (before.snippet, before.newest_from, before.has_attachments) == ("", "Ada Customer", False)  # not parsed
    with_file = await installation.accept_ticket(mails.with_attachment())
    for each in (ticket_id, with_file):
        await installation.tickets.get(agent, each)
    newest, first = (await installation.tickets.lists.page(agent)).items
    assert (first.snippet, first.has_attachments, newest.has_attachments) == ("See the attached photo.", False, True)
    await installation.accept_message(mails.reply_to("<first@customer.test>", from_="Eve <ada@customer.test>"))
    monkeypatch.setattr(list_rows, "MAX_MESSAGES", 1)
    await installation.tickets.get(agent, ticket_id)
    replied = (await installation.tickets.lists.page(agent)).items[1]
    assert (replied.snippet, replied.newest_from, replied.message_count) == ("It still does not open.", "Eve", 1)


async def test_reads_are_kept_by_user_and_end_with_the_ticket(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "BATCH_READS", 2)
    agent, stranger = await installation.add_actor(), await installation.add_workspace()
    tickets = [await installation.accept_ticket(mails.plain()) for _ in range(5)]
    for ticket_id in tickets:
        await installation.tickets.lists.mark_unread(agent, ticket_id)
    await installation.tickets.lists.mark_read(installation.actor, tickets[0])  # without a user
    foreign = Actor(stranger.workspace_id, "agent", user_id=agent.user_id)
    for work in (installation.tickets.lists.mark_read, installation.tickets.lists.mark_unread):
        assert await refused_code(work(foreign, tickets[0])) == ("not_found", None)
    await installation.tickets.delete(installation.actor, tickets[0])
    assert await installation.count_rows("ticket_reads") == 4
    await installation.tickets.lists.mark_all_read(agent)
    await installation.tickets.lists.mark_read(agent, tickets[1])
    assert await installation.count_rows("ticket_reads") == 0  # nothing was unread
    assert (await installation.tickets.lists.counts(agent)).unread == 0
    new_agent = await installation.add_actor()
    assert [row.unread for row in (await installation.tickets.lists.page(new_agent)).items] == [""] * 4
    assert [row.unread for row in (await installation.tickets.lists.page(installation.actor)).items] == [""] * 4


async def test_a_search_is_newest_first_and_a_cursor_fits_its_order(installation: Installation) -> None:
    tickets = [await installation.accept_ticket(mails.plain(subject="Door")) for _ in range(4)]
    service, actor = installation.tickets.lists, installation.actor
    assert await refused_code(service.list(actor, TicketFilter(q="door"), sort="waiting")) == (
        "invalid_request",
        "sort",
    )
    assert await refused_code(service.list(actor, sort="subject")) == ("invalid_request", "sort")
    cursors = {sort: (await service.list(actor, sort=sort, limit=1)).next_cursor for sort in TICKET_SORT.values}
    for sort in cursors:
        for other, cursor in cursors.items():
            if other != sort:
                refused = await refused_code(service.list(actor, sort=sort, cursor=cursor))
                assert refused == ("invalid_request", "cursor")
    found = (await service.list(actor, TicketFilter(q="door"))).items
    assert [ticket.id for ticket in found] == tickets[::-1]
    assert await service.adjacent(actor, TicketFilter(q="door"), None, found[1]) == (None, found[2])
