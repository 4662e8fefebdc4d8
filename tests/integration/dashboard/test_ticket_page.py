"""The ticket page: messages in pages, quoted text that is loaded on request, and a link to reply by email."""

import re
from html import unescape

import pytest

from router.model import Actor
from tests.support import mails
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.http import ServedInstallation

QUOTED = "\n\nOn Tue, 1 Jan 2030 at 12:00, Support <support@example.org> wrote:\n" + "> a line of before\n" * 600


async def _accept_conversation(served: ServedInstallation, messages: int, quoted: str = "") -> str:
    """Accepts the texts `Answer 0.`, `Answer 1.` and so on, each reply with `quoted`; returns the id of the ticket."""
    await served.create_alias()
    ticket = await served.accept_ticket(mails.plain(text="Answer 0.", message_id="<0@customer.test>"))
    for n in range(1, messages):
        await served.accept_message(mails.reply_to("<0@customer.test>", text=f"Answer {n}.{quoted}"))
    return ticket


async def test_all_top_posted_replies_are_shown(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    ticket = await _accept_conversation(served, 12, QUOTED)
    client = await signed_in_client(served, "viewer")
    response = await client.get(f"/tickets/{ticket}")
    shown = re.findall(r'<div class="text" dir="auto">(.*?)</div>', response.text)
    assert shown == [f"Answer {n}." for n in reversed(range(12))]
    folded = re.findall(r'<bdi class="snippet">(Answer \d+)\.', response.text.partition('id="timeline"')[2])
    assert folded == [f"Answer {n}" for n in range(10, 0, -1)], "the first and the newest message are open"
    assert response.visible_text.count("Show quoted text (601 lines)") == 11
    assert "a line of before" not in response.text
    link = re.findall(r'href="([^"]+quoted=[^"]+)"', response.text)[0]
    expanded = await client.get(f"{unescape(link).partition('#')[0]}&list=mine&note=noted")
    assert expanded.text.count("a line of before") == 600
    assert expanded.visible_text.count("Show quoted text (601 lines)") == 10
    assert len(re.findall(r'href="[^"]+list=mine&amp;quoted=[^"]+"', expanded.text)) == 10
    quoted = await client.get(re.findall(r'data-expand="([^"]+/quoted)"', response.text)[0])
    assert (quoted.status, quoted.text.count("> a line of before")) == (200, 600)
    assert quoted.headers["Content-Type"].startswith("text/plain")
    assert "sandbox" in quoted.headers["Content-Security-Policy"]


async def test_long_conversation_is_paginated(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    ticket = await _accept_conversation(served, 40)
    client = await signed_in_client(served, "viewer")
    newest = await client.get(f"/tickets/{ticket}")
    shown = r'dir="auto">Answer (\d+)\.'
    assert re.findall(shown, newest.text) == [*(str(n) for n in range(39, 9, -1)), "0"]
    assert "Show 9 earlier entries" in newest.visible_text
    older = await client.get(unescape(re.findall(r'href="([^"]+[?]before=[^"]+)"', newest.text)[0]))
    assert re.findall(shown, older.text) == [str(n) for n in range(9, -1, -1)]
    assert (await client.get(f"/tickets/{ticket}?before=6")).status == 400


async def test_changes_show_their_authors(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket_id = await served.accept_ticket(mails.plain(message_id="<0@customer.test>"))
    key = await served.services.keys.create(served.actor, name="CI <b>", user_id=served.login.user_id)
    await served.admin.post(f"/emails/tickets/{ticket_id}/notes", {"text": "Called."})
    await served.client(key.plaintext).post(f"/emails/tickets/{ticket_id}/status", {"status": "waiting"})
    await served.services.tickets.set_status(Actor(served.actor.workspace_id, "admin"), ticket_id, "resolved")
    await served.admin.post(f"/emails/tickets/{ticket_id}/priority", {"priority": "not-urgent"})
    await served.accept_message(mails.reply_to("<0@customer.test>", text="Again."))
    await served.services.tickets.set_status(served.actor, ticket_id, "waiting")
    await served.accept_message(mails.reply_to("<0@customer.test>", text="And again."))
    await served.services.tickets.set_status(served.actor, ticket_id, "waiting")
    await served.services.tickets.notes.add(served.actor, ticket_id, "Called again.")
    await served.admin.post(f"/emails/tickets/{ticket_id}/priority", {"priority": "high"})
    page = await (await signed_in_client(served, "viewer")).get(f"/tickets/{ticket_id}")
    text = page.visible_text
    name = served.login.email
    assert f"{name} (API key CI <b>) set the status to Waiting" in text
    assert "Operator set the status to Resolved" in text
    assert f"{name} (API key" in text
    assert "set the priority to Low" in text
    assert "Ada Customer reopened the ticket" in text
    assert "Ada Customer replied: the status changed from Waiting to Open" in text
    above, _, below = page.text.partition('id="timeline"')[2].partition('class="mail"')
    parts = r"\d changes|to High|to Waiting|from Waiting|Called again|reopened|to Low|to Resolved|Called[.]"
    assert re.findall(parts, above) == ["3 changes", "to High", "to Waiting", "from Waiting", "Called again"]
    first = ["3 changes", "to Low", "to Resolved", "to Waiting", "Called."]
    assert re.findall(parts, below) == ["2 changes", "to Waiting", "reopened", *first]
    assert "Re: The door is stuck" not in text.partition("Conversation")[2], "the subject of a reply adds nothing"


async def test_an_agent_sets_the_priority(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket_id = await served.accept_ticket(mails.plain())
    page = f"/tickets/{ticket_id}"
    client = await signed_in_client(served, "agent")
    assert " priority" not in (await client.get("/tickets")).visible_text
    saved = await client.post(f"{page}/priority", {"priority": "urgent"})
    assert (saved.status, saved.location.partition("&")[0]) == (303, f"{page}?note=priority-set")
    assert "Urgent priority" in (await client.get(page)).visible_text
    for path in ("/tickets", "/tickets/unassigned", "/tickets?priority=urgent"):
        assert "Urgent priority" in (await client.get(path)).visible_text, path
    assert "No tickets match" in (await client.get("/tickets?priority=high")).visible_text
    assert "priority must be one of" in (await client.post(f"{page}/priority", {"priority": "x"})).visible_text


async def test_a_tag_with_a_comma_is_quoted_in_texts(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    url = f"/tickets/{await served.accept_ticket()}"
    await served.tickets.tags.tag_ticket(served.actor, url.rpartition("/")[2], add=["a, b", "c"])
    agent = await signed_in_client(served, "agent")
    assert 'added the tags "a, b", c' in (await agent.get(url)).visible_text


async def test_tags_are_added_and_removed(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    url = f"/tickets/{await served.accept_ticket()}"
    agent, admin = await signed_in_client(served, "agent"), await signed_in_client(served, "admin")
    added = await agent.post_and_follow(f"{url}/tags", {"add": "VIP <b>"})
    assert "Tags changed. " in added.visible_text
    assert "added the tag VIP <b>" in added.visible_text
    assert 'href="/tickets?tag=VIP+%3Cb%3E"' in added.text
    await agent.post(f"{url}/tags", {"add": "Billing"})
    assert "Billing" in (await agent.get("/tickets?tag=billing")).visible_text
    assert "No tickets match" in (await agent.get("/tickets?tag=other")).visible_text
    refused = await agent.post(f"{url}/tags", {"add": " "})
    assert (refused.status, refused.visible_text.count("Tag must not be empty")) == (400, 2)
    assert ('value=" "' in refused.text, 'id="e-add"' in refused.text) == (True, True)
    edited = await agent.post(f"{url}/tags", {"add": "x" * 51, "page": "tags"})
    assert (edited.status, "Tags of #1" in edited.visible_text, 'id="e-add"' in edited.text) == (400, True, True)
    assert f'value="{"x" * 51}"' in edited.text
    removed = await agent.post_and_follow(f"{url}/tags", {"remove": "vip <B>", "page": "tags"})
    assert 'aria-label="Remove Billing"' in removed.text
    assert 'aria-label="Add VIP &lt;b&gt;"' in removed.text
    viewer = await (await signed_in_client(served, "viewer")).get(url)
    assert "removed the tag VIP <b>" in viewer.visible_text
    assert f"{url}/tags" not in viewer.text

    tags = served.services.tickets.tags
    path = f"/manage/tags/{(await tags.find(served.actor, 'billing')).tag.id}"
    saved = await admin.post_and_follow(path, {"name": "Invoices", "color": "#1d76db"})
    assert ("Tag saved." in saved.visible_text, 'fill="#1d76db"' in saved.text) == (True, True)
    wrong = await admin.post(path, {"name": "Invoices", "color": "blue"})
    assert (wrong.status, wrong.visible_text.count("Colour must be empty or have the form #rrggbb")) == (400, 2)
    await tags.change(served.actor, (await tags.find(served.actor, "vip <b>")).tag.id, color="#00ff00")
    merged = await admin.post_and_follow(path, {"name": "VIP <b>", "color": "#1d76db"})
    assert ("The tags were merged." in merged.visible_text, 'fill="#00ff00"' in merged.text) == (True, True)
    assert "VIP <b>" in (await agent.get(url)).visible_text
    path = f"/manage/tags/{(await tags.find(served.actor, 'vip <b>')).tag.id}"
    assert "Remove VIP <b>?" in (await admin.get(f"{path}/delete")).visible_text
    gone = await admin.post_and_follow(f"{path}/delete", {})
    assert "No tags yet." in gone.visible_text


async def test_lists_show_the_first_tag_of_a_ticket(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket_id, agent = await served.accept_ticket(), await signed_in_client(served, "agent")
    await served.services.tickets.tags.tag_ticket(served.actor, ticket_id, add=list("abcdef"))
    listed, shown = [(await agent.get(path)).text for path in ("/tickets", f"/tickets/{ticket_id}")]
    assert [f'title="{name}"' in listed for name in "abcdef"] == [True] + [False] * 5
    assert ('title="b, c, d, e, f">+5<' in listed, ">+" in shown) == (True, False)
    assert all(f'title="{name}"' in shown for name in "abcdef")


@pytest.mark.parametrize(
    ("content", "link", "words"),
    [
        (mails.plain(), "mailto:ada@customer.test?subject=Re%3A%20The%20door%20is%20stuck", ()),
        (
            mails.plain(headers={"Reply-To": "Eve & Co <eve@x.test>, bob@x.test"}),
            "mailto:eve@x.test,bob@x.test?subject=Re%3A%20The%20door%20is%20stuck",
            ("Reply-To: Eve & Co eve@x.test , bob@x.test",),
        ),
        (
            mails.plain(headers={"Reply-To": "HERE"}).replace(b"HERE", "eve@\u0430pple.test".encode()),
            "mailto:eve@%D0%B0pple.test?subject=Re%3A%20The%20door%20is%20stuck",
            ("Reply-To: eve@\u0430pple.test (xn--pple-43d.test)",),
        ),
        (
            mails.plain(
                subject="[EXT] V\u00e1: 5 %",
                headers={"Reply-To": 'support+x@example.org, "a,b"@x.test, "c d"@x.test'},
            ),
            "mailto:%22a%2Cb%22@x.test,%22c%20d%22@x.test?subject=%5BEXT%5D%20V%C3%A1%3A%205%20%25",
            ("Reply-To: support+x@example.org",),
        ),
        (
            mails.plain(from_="Eve via Support <support@example.org>", headers={"X-Original-From": "eve@x.test"}),
            "mailto:eve@x.test?subject=Re%3A%20The%20door%20is%20stuck",
            ("Original sender: eve@x.test",),
        ),
        (
            mails.plain(subject="RE: a&b", headers={"X-Original-From": "Eve <eve@x.test>"}),
            "mailto:ada@customer.test?subject=RE%3A%20a%26b",
            ("Original sender: Eve eve@x.test",),
        ),
        (mails.bounce(), None, ("Not delivered to ada@customer.test",)),
        (
            mails.plain(text=""),
            "mailto:ada@customer.test?subject=Re%3A%20The%20door%20is%20stuck",
            ("Warning: no text: the message is empty",),
        ),
    ],
)
async def test_reply_by_email_link(
    sqlite_served: ServedInstallation, content: bytes, link: str | None, words: tuple[str, ...]
) -> None:
    await sqlite_served.create_alias()
    client = await signed_in_client(sqlite_served, "viewer")
    response = await client.get(f"/tickets/{await sqlite_served.accept_ticket(content)}")
    found = re.findall(r'<a class="button" href="(mailto:[^"]*)" title="Reply by email">', response.text)
    assert found == ([link] if link else [])
    for said in ("Reply-To: ", "Original sender: "):
        assert (said in response.visible_text) == any(one.startswith(said) for one in words)
    assert all(one in response.visible_text for one in words)


async def test_pages_of_a_ticket_by_number(sqlite_served: ServedInstallation) -> None:
    await sqlite_served.create_alias()
    ticket_id = await sqlite_served.accept_ticket(mails.plain(subject="The lift"))
    client = await signed_in_client(sqlite_served, "agent")
    (message,) = (await sqlite_served.tickets.get(sqlite_served.actor, "1")).messages
    for path in ("", "/tags", f"/messages/{message.message.id}/text"):
        by_number, by_id = [await client.get(f"/tickets/{each}{path}") for each in ("1", ticket_id)]
        assert (by_number.status, by_number.visible_text) == (200, by_id.visible_text), path
    for written in ("1", "%231", "%201%0D%0A"):
        for path, form in (("claim", {}), ("tags", {"add": "vip"})):
            page = await client.post_and_follow(f"/tickets/{written}/{path}", form)
            assert (page.status, "Assigned to Agent" in page.visible_text) == (200, True), (written, path)
    own = await client.get("/tickets?assignedTo=me")
    assert ("The lift" in own.text, '<option value="me" selected>Me</option>' in own.text) == (True, True)
    assert (await client.get("/tickets/2")).status == 404
