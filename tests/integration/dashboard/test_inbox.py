"""The lists of the inbox, without JavaScript: marks, counts, filters, sort orders, and changes of the selection."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support import mails
from tests.support.installation.dashboard import FormClient, PageResponse, create_user, signed_in_client
from tests.support.installation.http import ServedInstallation

SUBJECTS = ("First", "Second", "Third")


async def open_three(served: ServedInstallation) -> list[str]:
    await served.create_alias()
    tickets = [
        await served.accept_ticket(mails.plain(subject=subject, message_id=f"<{subject}@customer.test>"))
        for subject in SUBJECTS
    ]
    await served.core.contents.parse_missing(60)
    return tickets


def subjects(page: PageResponse) -> list[str]:
    return re.findall(r"data-open>([^<]*)</a>", page.text)


def counts(page: PageResponse) -> dict[str, str]:
    return dict(re.findall(r'data-count="(\w+)"[^>]*>([^<]*)<', page.text))


async def select(client: FormClient, tickets: list[str], **fields: str) -> PageResponse:
    form = {f"t-{ticket}": "1" for ticket in tickets} | fields
    return await client.post_and_follow("/tickets/bulk?list=unassigned&sort=oldest", form)


async def test_unread_tickets_are_marked_and_counted(served: ServedInstallation) -> None:
    first, second, third = await open_three(served)
    agent = await signed_in_client(served, "agent")
    other = await signed_in_client(served, "agent", "other@people.test")
    page = await agent.get("/tickets/unassigned")
    assert page.text.count("unread-dot") == 0, "messages from before the user existed"
    served.clock.advance(60)
    for subject in SUBJECTS[:2]:
        await served.accept_message(mails.reply_to(f"<{subject}@customer.test>", text="One more thing."))
    page = await agent.get("/tickets/unassigned")
    assert "<title>(2) Unassigned tickets" in page.text
    assert page.text.count("New reply</span>") == 4, "a mark, and a text for screen readers"
    assert counts(page) | {"attention": ""} == {
        "unread": "2",
        "unassigned": "3",
        "mine": "0",
        "open": "3",
        "spam": "0",
        "attention": "",
    }
    await agent.get(f"/tickets/{first}")
    assert "<title>(1) Unassigned tickets" in (await agent.get("/tickets/unassigned")).text
    assert "<title>(2) Unassigned tickets" in (await other.get("/tickets/unassigned")).text
    read = await agent.post_and_follow("/tickets/read?list=open&sort=oldest", {})
    assert "All tickets are marked as read." in read.visible_text
    assert subjects(read) == list(SUBJECTS)
    assert "unread-dot" not in read.text
    assert {second, third} < set(re.findall(r'id="(ticket_\w+)"', read.text))


async def test_each_list_has_filters_and_orders(served: ServedInstallation) -> None:
    first, _, third = await open_three(served)
    await served.accept_ticket(mails.plain(subject="Away", headers={"Auto-Submitted": "auto-replied"}))
    agent = await signed_in_client(served, "agent")
    for path in ("/tickets/unassigned", "/tickets/open", "/tickets"):
        assert subjects(await agent.get(path)) == ["Away", "Third", "Second", "First"]
        assert subjects(await agent.get(f"{path}?sort=oldest")) == ["First", "Second", "Third", "Away"]
        assert subjects(await agent.get(f"{path}?automatic=exclude&sort=oldest")) == list(SUBJECTS)
        assert subjects(await agent.get(f"{path}?q=second&sort=priority")) == ["Second"]
    await select(agent, [first, third], action="claim")
    await agent.post(f"/tickets/{third}/priority", {"priority": "urgent"})
    assert subjects(await agent.get("/tickets/mine?sort=oldest")) == ["First", "Third"]
    assert subjects(await agent.get("/tickets/mine?sort=priority")) == ["Third", "First"]
    page = await agent.get("/tickets/mine?priority=urgent&sort=waiting")
    assert subjects(page) == ["Third"]
    link = urlsplit(re.search(r'class="subject" href="([^"]*)"', page.text)[1].replace("&amp;", "&"))  # type: ignore[index]
    assert parse_qs(link.query) == {"list": ["mine"], "priority": ["urgent"], "sort": ["waiting"]}
    assert "Priority: Urgent" in page.visible_text
    await agent.post(f"/tickets/{third}/status", {"status": "resolved"})
    assert subjects(await agent.get("/tickets/mine")) == ["First"]
    assert subjects(await agent.get("/tickets?status=resolved")) == ["Third"]
    assert (await agent.get("/tickets/open?sort=size")).status == 400
    assert "Clear filters" in (await agent.get("/tickets/mine?q=nothing")).visible_text


async def test_selected_tickets_are_changed_together(served: ServedInstallation) -> None:
    first, second, third = await open_three(served)
    agent, admin = await signed_in_client(served, "agent"), await signed_in_client(served, "admin")
    _, colleague = await create_user(served, "agent", "ben@people.test")
    done = await select(admin, [first, second], action="assign", userId=colleague)
    assert "2 tickets changed." in done.visible_text
    assert subjects(done) == ["Third"], "the list and its order are the same as before"
    (events,) = re.findall(r'name="events" value="([^"]+)"', done.text)
    await admin.post("/tickets/undo", {"events": events, "back": "/tickets/unassigned"})
    assert subjects(await agent.get("/tickets/unassigned")) == ["Third", "Second", "First"]
    tagged = await select(agent, [first, third], action="tag", tag="Billing")
    assert tagged.text.count("<bdi>Billing</bdi>") == 2
    assert "No tickets were selected." in (await select(agent, [], action="resolve")).visible_text
    await select(agent, [second], action="status", status="waiting")
    await served.services.tickets.assign(served.actor, first, colleague)
    mixed = await select(agent, [first, third], action="claim")
    expected = "1 ticket changed. Selected tickets that were not changed: 1. A colleague is the assignee."
    assert expected in mixed.visible_text
    refused = await select(agent, [first], action="assign", userId="")
    assert "Only the assignee and admins" in refused.visible_text
    assert [view.ticket.assigned_to for view in [await served.services.tickets.get(served.actor, first)]] == [colleague]
    assert (await agent.post("/tickets/bulk", {"action": "erase", f"t-{first}": "1"})).status == 400


async def test_the_density_is_kept_in_the_browser(sqlite_served: ServedInstallation) -> None:
    viewer = await signed_in_client(sqlite_served, "viewer")
    assert 'class="page compact"' in (await viewer.get("/tickets")).text
    page = await viewer.post_and_follow("/density", {"density": "comfortable", "back": "/tickets/mine"})
    assert 'class="page comfortable"' in page.text
    assert "My tickets" in page.visible_text
    away = await viewer.post("/density", {"density": "compact", "back": "//elsewhere.test/"})
    assert away.location == "/"
    assert viewer.cookies["density"] == "compact"


@pytest.mark.parametrize("path", ["/tickets/unassigned", "/tickets/mine", "/tickets/open", "/tickets"])
async def test_an_empty_list_says_what_comes_next(sqlite_served: ServedInstallation, path: str) -> None:
    admin = await signed_in_client(sqlite_served, "admin")
    page = await admin.get(path)
    assert 'class="empty"' in page.text
    assert 'name="action"' not in page.text
