"""Spam in the dashboard, without JavaScript: the list, the mark of one and of many tickets, and its undoing."""

import re

from tests.integration.dashboard.test_inbox import open_three, select, subjects
from tests.integration.dashboard.test_ticket_actions import undo
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.http import ServedInstallation


async def test_a_ticket_is_marked_on_its_page_and_released(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    first, second, third = await open_three(served)
    agent = await signed_in_client(served, "agent")
    query = "?list=unassigned"
    page = await agent.get(f"/tickets/{second}{query}")
    assert 'data-key="!"' in page.text
    assert "block" not in re.sub(r"<[^>]*>", "", page.text.lower()), "only admins block senders"
    assert "spam-band" not in page.text
    marked = await agent.post_and_follow(f"/tickets/{second}/spam{query}", {})
    assert ("Marked #2 as spam." in marked.visible_text, "<bdi>First</bdi> <span" in marked.text) == (True, True)
    for path in ("/tickets", "/tickets/open", "/tickets/unassigned", "/tickets?q=second"):
        assert "Second" not in subjects(await agent.get(path)), path
    for path in ("/tickets/spam", "/tickets/spam?q=second", "/tickets?spam=true"):
        spam = await agent.get(path)
        assert subjects(spam) == ["Second"], path
        assert 'data-count="spam">1<' in spam.text
    assert "Marked as spam by Agent" in (await agent.get("/tickets/spam")).visible_text
    assert subjects(await agent.get("/tickets?spam=all")) == ["Third", "Second", "First"]
    opened = await agent.get(f"/tickets/{second}")
    assert "Held as spam: Marked as spam by Agent . It is not posted to your channels" in opened.visible_text
    assert "Agent marked the ticket as spam" in opened.visible_text
    assert f'action="/tickets/{second}/not-spam?list=spam"' in opened.text
    (alias,) = (await served.services.aliases.list(served.actor)).items
    await served.services.spam.mark(served.actor, third, spam=True)  # its newest ticket
    alias_page = await agent.get(f"/manage/aliases/{alias.id}")
    assert "Held as spam Marked as spam by admin@example.org . View ticket" in alias_page.visible_text
    await served.services.spam.mark(served.actor, third, spam=False)
    undone = await undo(agent, marked)
    assert ("Change undone." in undone.visible_text, "<bdi>Second</bdi> <span" in undone.text) == (True, True)
    assert "spam-band" not in undone.text
    assert "Agent released the ticket from spam" in undone.visible_text
    await agent.post(f"/tickets/{second}/spam")
    released = await agent.post_and_follow(f"/tickets/{second}/not-spam?list=spam", {})
    assert ("#2 is not spam." in released.visible_text, "spam-band" in released.text) == (True, False)
    assert "Nothing is held as spam" in (await agent.get("/tickets/spam")).visible_text
    assert "spam-band" in (await undo(agent, released)).text
    assert {first, third} == set(re.findall(r'<li id="(ticket_\w+)"', (await agent.get("/tickets")).text))


async def test_an_admin_blocks_the_sender_with_the_mark(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    first, _, third = await open_three(served)
    admin = await signed_in_client(served, "admin")
    assert "Spam, block @customer.test" in (await admin.get(f"/tickets/{first}")).visible_text
    marked = await admin.post_and_follow(f"/tickets/{first}/spam?list=all", {"block": "domain"})
    assert "Marked #1 as spam and blocked its sender." in marked.visible_text
    blocked = (await served.services.blocked_senders.list(served.actor)).items
    assert [each.sender for each in blocked] == ["@customer.test"]
    agent = await signed_in_client(served, "agent")
    refused = await agent.post(f"/tickets/{third}/spam", {"block": "address"})
    assert (refused.status, "Only admins can block a sender" in refused.visible_text) == (403, True)


async def test_the_selection_is_marked_and_released(served: ServedInstallation) -> None:
    first, second, third = await open_three(served)
    agent = await signed_in_client(served, "agent")
    marked = await select(agent, [first, third], action="spam")
    assert ("2 tickets marked as spam." in marked.visible_text, subjects(marked)) == (True, ["Second"])
    undone = await undo(agent, marked)
    assert subjects(undone) == ["First", "Second", "Third"]
    await select(agent, [first, second], action="spam")
    page = await agent.get("/tickets/spam")
    assert subjects(page) == ["Second", "First"]
    assert [each in page.text for each in ('value="not-spam"', 'value="spam"', 'value="claim"')] == [True, False, False]
    released = await agent.post_and_follow("/tickets/bulk?list=spam", {f"t-{first}": "1", "action": "not-spam"})
    assert ("1 ticket is not spam." in released.visible_text, subjects(released)) == (True, ["Second"])
    assert subjects(await undo(agent, released)) == ["Second", "First"]
    assert "/tickets/delete" not in released.text, "only admins erase tickets"
    missing = await select(agent, ["ticket_none"], action="spam")
    assert "Selected tickets that were not changed: 1." in missing.visible_text
    assert 'name="events"' not in missing.text, "nothing to undo"
    mixed = await select(agent, [third, "ticket_none"], action="spam")
    expected = "1 ticket marked as spam. Selected tickets that were not changed: 1."
    assert (expected in mixed.visible_text, subjects(mixed)) == (True, [])
    assert subjects(await undo(agent, mixed)) == ["Third"]


async def test_an_admin_blocks_the_senders_of_the_selection(served: ServedInstallation) -> None:
    first, second, third = await open_three(served)
    await served.execute(f"UPDATE tickets SET from_address = '' WHERE id = '{third}'")
    admin, agent = await signed_in_client(served, "admin"), await signed_in_client(served, "agent")
    button = 'value="spam-block"'
    assert [button in (await each.get("/tickets")).text for each in (admin, agent)] == [True, False]
    assert (await agent.post("/tickets/bulk", {f"t-{first}": "1", "action": "spam-block"})).status == 403
    marked = await select(admin, [first, third], action="spam-block")
    assert (
        "2 tickets marked as spam. 1 sender blocked. 1 ticket has no sender address to block. "
        "Undo keeps the senders blocked." in marked.visible_text
    )
    assert subjects(marked) == ["Second"]
    (blocked,) = await served.services.blocked_senders.list_all(served.workspace_id)
    assert blocked.sender == "ada@customer.test"
    await served.execute(f"UPDATE tickets SET from_address = 'bob@customer.test' WHERE id = '{third}'")
    assert button in (await admin.get("/tickets/spam")).text
    again = await admin.post_and_follow(
        "/tickets/bulk?list=spam", {f"t-{first}": "1", f"t-{third}": "1", "action": "spam-block"}
    )
    assert "1 sender blocked. 1 sender was blocked before." in again.visible_text
    assert ("marked as spam. 1" in again.visible_text, subjects(again)) == (False, ["Third", "First"])
    assert len(await served.services.blocked_senders.list_all(served.workspace_id)) == 2
    known = await select(admin, [second], action="spam-block")
    assert "1 ticket marked as spam. 1 sender was blocked before." in known.visible_text


async def test_a_warning_is_an_icon_and_a_word(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    first, _, _ = await open_three(served)
    await served.execute(f"UPDATE tickets SET flagged = 1 WHERE id = '{first}' RETURNING id")
    viewer = await signed_in_client(served, "viewer")
    page = await viewer.get("/tickets")
    assert len(re.findall(r'is-warning[^>]*><svg class="icon".*?</svg>Warning</span>', page.text)) == 1
    assert (await viewer.get(f"/tickets/{first}")).status < 400
    assert "not-spam" not in (await viewer.get("/tickets/spam")).text


async def test_an_admin_erases_the_selection(served: ServedInstallation) -> None:
    first, second, _ = await open_three(served)
    await served.services.spam.mark_many(served.actor, [first, second], spam=True)
    admin = await signed_in_client(served, "admin")
    assert 'formaction="/tickets/delete"' in (await admin.get("/tickets/spam")).text
    picked = {f"t-{first}": "1", f"t-{second}": "1", "t-ticket_none": "1"}
    asked = await admin.get("/tickets/delete?list=spam&" + "&".join(f"{name}=1" for name in picked))
    assert "Erase 3 tickets?" in asked.visible_text
    assert dict.fromkeys(re.findall(r'name="(t-\w+)" value="1"', asked.text), "1") == picked
    assert 'action="/tickets/delete?list=spam"' in asked.text
    erased = await admin.post_and_follow("/tickets/delete?list=spam", picked)
    assert ("2 tickets erased." in erased.visible_text, subjects(erased)) == (True, [])
    assert subjects(await admin.get("/tickets")) == ["Third"]
    assert "note=none-selected" in (await admin.get("/tickets/delete?list=spam")).location


async def test_failed_deliveries_of_spam_are_not_retried(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    first, _, _ = await open_three(served)
    await served.execute(f"UPDATE deliveries SET state = 'dead', next_attempt_at = NULL WHERE ticket_id = '{first}'")
    admin = await signed_in_client(served, "admin")
    deliveries = await admin.get("/activity/deliveries?state=dead")
    (path,) = re.findall(r'action="(/activity/deliveries/dlv_\w+)/replay"', deliveries.text)
    await served.services.spam.mark(served.actor, first, spam=True)
    for page in (await admin.get("/activity/deliveries?state=dead"), await admin.get(path)):
        assert f'action="{path}/replay"' not in page.text
        assert 'it can be retried after "Not spam" is chosen there' in page.visible_text
    assert (await admin.post(f"{path}/replay")).status == 409
