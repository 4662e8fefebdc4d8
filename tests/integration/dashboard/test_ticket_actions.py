"""What agents do on the page of a ticket: change it, undo that, write notes, block its sender, erase it."""

import re
from html import unescape

from tests.support import mails
from tests.support.installation.dashboard import FormClient, PageResponse, signed_in_client
from tests.support.installation.http import ServedInstallation


def undo_form(page: PageResponse) -> dict[str, str]:
    """The hidden fields of the form in the message of the page."""
    form = page.text.partition('action="/tickets/undo')[2].partition("</form>")[0]
    return {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}


async def undo(client: FormClient, page: PageResponse) -> PageResponse:
    found = re.search(r'action="(/tickets/undo[^"]*)"', page.text)
    assert found
    return await client.post_and_follow(found[1], undo_form(page))


def state_of(page: PageResponse) -> str:
    found = re.search(r'<p class="state">(.*?)</p>', page.text, re.DOTALL)
    assert found
    seen = re.sub(r'<span[^>]* aria-hidden="true">.*?</span>', "", found[1])
    return " ".join(re.sub(r"<[^>]*>", " ", seen).split())


async def three_tickets(served: ServedInstallation) -> list[str]:
    """Accepts three tickets; returns their ids, newest first as in the lists."""
    await served.create_alias()
    return [await served.accept_ticket(mails.plain(subject=subject)) for subject in ("Third", "Second", "First")][::-1]


async def test_changes_are_undone(served: ServedInstallation) -> None:
    await served.create_alias()
    url = f"/tickets/{await served.accept_ticket()}"
    ada = await signed_in_client(served, "agent", "ada@people.test")
    bob = await signed_in_client(served, "agent", "bob@people.test")
    claimed = await ada.post_and_follow(f"{url}/claim?list=unassigned", {})
    assert state_of(claimed) == "In progress Assigned to Agent Details"
    assert "Agent took the ticket" in claimed.visible_text
    assert (await bob.post(f"{url}/claim")).status == 409
    taken = await bob.post_and_follow(f"{url}/claim", {"takeOver": "yes"})
    assert "Ticket assigned to you." in taken.visible_text
    assert "took over the ticket from Agent" in taken.visible_text
    failed = await undo(ada, claimed)
    assert 'role="alert"' in failed.text
    assert "Not undone: a change can be undone for 10 minutes, until the ticket changes again." in failed.visible_text
    undone = await undo(bob, taken)
    assert "Change undone." in undone.visible_text
    assert "assigned the ticket to Agent (undo)" in undone.visible_text
    waiting = await ada.post_and_follow(f"{url}/status", {"status": "waiting"})
    urgent = await ada.post_and_follow(f"{url}/priority", {"priority": "urgent"})
    assert state_of(await undo(ada, urgent)) == "Waiting Assigned to Agent Details"
    assert "note-undo" not in (await undo(ada, urgent)).text, "an undo is not undone"
    assert "undo" in (await ada.post("/tickets/undo", {"events": "x.y", "back": "//evil.test"})).location
    assert undo_form(waiting)["back"] == url
    assert state_of(await ada.post_and_follow(f"{url}/assign", {"userId": ""})) == "Open Unassigned Details"


async def test_the_next_ticket_of_the_list_opens(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    first, second, third = await three_tickets(served)
    agent = await signed_in_client(served, "agent")
    query = "?list=unassigned&status=open"
    page = await agent.get(f"/tickets/{second}{query}")
    assert re.findall(r'rel="(prev|next)" data-key="(.)"', page.text) == [("prev", "k"), ("next", "j")]
    actions = {unescape(action) for action in re.findall(r'action="(/tickets/ticket_[^"]*)"', page.text)}
    names = ("claim", "status", "unread", "spam", "priority", "tags", "notes", "draft")
    assert actions == {f"/tickets/{second}/{name}{query}" for name in names}
    resolved = await agent.post_and_follow(f"/tickets/{second}/status{query}", {"status": "resolved"})
    assert "Resolved #2." in resolved.visible_text
    assert "<bdi>Third</bdi> <span" in resolved.text
    assert f'href="/tickets/{first}{query.replace("&", "&amp;")}" rel="prev"' in resolved.text, "the list is kept"
    assert len(re.findall(r'<li id="pane-ticket_', resolved.text)) == 2
    last = await agent.post_and_follow(f"/tickets/{third}/status{query}", {"status": "resolved"})
    assert ("Resolved #1." in last.visible_text, '<h1 class="hidden">Unassigned' in last.text) == (True, True)
    back = await undo(agent, last)
    assert "<bdi>Third</bdi> <span" in back.text
    assert state_of(back) == "Open Unassigned Details"
    assert 'rel="prev"' in back.text
    reopened = await agent.post_and_follow(f"/tickets/{second}/status{query}", {"status": "open"})
    assert "reopened the ticket" in reopened.visible_text
    assert (await agent.get(f"/tickets/{first}?list=mine&sort=wrong")).status == 400
    tagged = await agent.post_and_follow(f"/tickets/{first}/tags{query}", {"add": "vip", "page": "tags"})
    assert tagged.text.count(f'action="/tickets/{first}/tags{query.replace("&", "&amp;")}"') == 2
    assert f'href="/tickets/{first}{query.replace("&", "&amp;")}"' in tagged.text


async def test_the_list_follows_beyond_its_page(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    tickets = [await served.accept_ticket(mails.plain(subject=f"Order {n}")) for n in range(60)][::-1]
    viewer = await signed_in_client(served, "viewer")
    for place, shown in ((0, range(30)), (20, range(5, 35)), (39, range(10, 40)), (40, range(40, 60))):
        page = await viewer.get(f"/tickets/{tickets[place]}?list=all")
        found = re.findall(r'<li id="pane-(ticket_\w+)"', page.text)
        assert found == [tickets[n] for n in shown], place
        assert re.findall(r'href="/tickets/(ticket_\w+)[^"]*" aria-current', page.text) == [tickets[place]]


async def test_reading_and_marking_as_unread(served: ServedInstallation) -> None:
    await served.create_alias()
    agent = await signed_in_client(served, "agent")
    served.clock.advance(minutes=1)
    ticket = await served.accept_ticket(mails.plain(message_id="<0@t.test>"))
    assert 'title="New ticket"' in (await agent.get("/tickets")).text
    opened = await agent.get(f"/tickets/{ticket}")
    assert "is-new" not in opened.text, "all of it is new"
    assert 'title="New' not in (await agent.get("/tickets")).text
    await served.accept_message(mails.reply_to("<0@t.test>", text="Still."))
    answered = await agent.get(f"/tickets/{ticket}")
    assert answered.text.count("is-new") == 1
    assert "is-new" not in (await agent.get(f"/tickets/{ticket}")).text
    unread = await agent.post_and_follow(f"/tickets/{ticket}/unread?list=all", {})
    assert ("Marked #1 as unread." in unread.visible_text, 'title="New reply"' in unread.text) == (True, True)


async def test_notes_are_edited_and_removed_by_their_author(served: ServedInstallation) -> None:
    await served.create_alias()
    url = f"/tickets/{await served.accept_ticket()}"
    author, other, admin = [
        await signed_in_client(served, "admin" if name == "eve" else "agent", f"{name}@people.test")
        for name in ("ada", "bob", "eve")
    ]
    kept = await author.post(f"{url}/draft?list=all", {"text": "Half a"})
    assert kept.location == f"{url}?list=all&note=draft-saved"
    assert ">Half a</textarea>" in (await author.get(url)).text
    assert "Half a" not in (await other.get(url)).text
    noted = await author.post_and_follow(f"{url}/notes", {"text": "Half a **note**"})
    assert ("<strong>note</strong>" in noted.text, "Half a</textarea>" in noted.text) == (True, False)
    edit = unescape(re.findall(r'href="([^"]+edit=evt_[^"]+)"', noted.text)[0])
    note = edit.rpartition("#")[2]
    assert "edit=evt" not in (await other.get(url)).text
    form = await author.get(edit)
    assert f'action="{url}/notes/{note}?list=' in form.text
    assert (">Half a **note**</textarea>" in form.text, 'id="note-form"' in form.text) == (True, False)
    empty = await author.post(f"{url}/notes/{note}", {"text": " "})
    assert (empty.status, 'id="e-text"' in empty.text) == (400, True)
    saved = await author.post_and_follow(f"{url}/notes/{note}", {"text": "A whole note"})
    assert "A whole note" in saved.visible_text
    assert "(edited)" in saved.visible_text
    assert (await other.post(f"{url}/notes/{note}", {"text": "x"})).status == 403
    assert (await other.post(f"{url}/notes/{note}/remove")).status == 403
    assert "Save note" not in (await admin.get(f"{url}?edit={note}")).text
    removed = await admin.post_and_follow(f"{url}/notes/{note}/remove", {})
    assert "A whole note" not in removed.text
    assert "removed a note" in removed.visible_text
    assert (await author.post(f"{url}/notes/{note}", {"text": "x"})).status == 404


async def test_sender_is_shown_and_blocked(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    tickets = await three_tickets(served)
    url = f"/tickets/{tickets[0]}"
    agent, admin = await signed_in_client(served, "agent"), await signed_in_client(served, "admin")
    page = await agent.get(url)
    assert "2 other tickets" in page.visible_text
    assert "block-sender" not in page.text
    for _ in range(5):
        await served.accept_ticket()
    more = await admin.get(url)
    assert more.text.partition('class="plain other-tickets"')[2].count('<a href="/tickets/ticket_') == 5
    assert '<a href="/tickets?q=ada%40customer.test">All tickets of this customer</a>' in more.text
    assert "All addresses at customer.test" in (await admin.get(f"{url}/block-sender?list=mine")).visible_text
    blocked = await admin.post_and_follow(f"{url}/block-sender?list=mine", {"part": "domain", "action": "spam"})
    assert "Sender blocked." in blocked.visible_text
    again = await admin.post(f"{url}/block-sender", {"part": "domain"})
    assert (again.status, "@customer.test is already blocked" in again.visible_text) == (409, True)
    allowed = await admin.post_and_follow(f"{url}/allow-sender?list=mine", {"part": "address", "note": "VIP"})
    assert "Sender allowed." in allowed.visible_text
    (block,) = await served.services.blocked_senders.list_all(served.actor.workspace_id)
    (allow,) = await served.services.allowed_senders.list_all(served.actor.workspace_id)
    assert (block.sender, block.action) == ("@customer.test", "spam")
    assert (allow.sender, allow.require_auth, allow.note) == ("ada@customer.test", 1, "VIP")


async def test_erasure_says_what_goes(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket = await served.accept_ticket(mails.plain(message_id="<0@t.test>"))
    await served.accept_message(mails.reply_to("<0@t.test>"))
    await served.services.tickets.notes.add(served.actor, ticket, "Called.")
    admin = await signed_in_client(served, "admin")
    page = await admin.get(f"/tickets/{ticket}/delete?list=all")
    assert "Erase #1 The door is stuck?" in page.visible_text
    assert "2 messages with all attachments" in page.visible_text
    assert "1 internal note, 2 deliveries, and the history of the ticket." in page.visible_text
    assert "Posts in your channels are not removed." in page.visible_text
    gone = await admin.post_and_follow(f"/tickets/{ticket}/delete?list=all", {})
    assert "Erased #1." in gone.visible_text
    assert (await admin.get(f"/tickets/{ticket}")).status == 404
