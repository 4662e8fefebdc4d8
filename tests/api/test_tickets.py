"""Tickets by REST: lists, one, claiming, statuses, notes, erasing."""

import asyncio

from tests.support import mails
from tests.support.installation.http import ServedInstallation


async def test_lists_have_the_documented_fields_newest_first(served: ServedInstallation) -> None:
    await served.alias()
    first = await served.ticket(mails.plain(subject="First"))
    second = await served.ticket(mails.plain(subject="Second"))
    listed = (await served.admin.get("/emails/tickets")).body
    assert [ticket["id"] for ticket in listed["tickets"]] == [second, first]
    documented = {"id", "from", "fromName", "subject", "status", "assignedTo", "receivedAt"}
    assert documented <= set(listed["tickets"][0])
    ticket = listed["tickets"][1]
    assert (ticket["from"], ticket["fromName"]) == ("ada@customer.test", "Ada Customer")
    assert (ticket["subject"], ticket["status"], ticket["assignedTo"]) == ("First", "open", None)
    assert ticket["receivedAt"] == "2030-01-01T12:00:00Z"
    assert (await served.admin.get("/emails/tickets/unassigned")).body == listed
    assert (await served.admin.get("/emails/tickets/mine")).body == {"tickets": []}


async def test_one_ticket_has_all_that_belongs_to_it(served: ServedInstallation) -> None:
    _, integration_id, alias_id = await served.alias()
    ticket_id = await served.ticket(mails.with_attachment(message_id="<first@customer.test>"))
    reply = mails.reply_to("<first@customer.test>", from_="Jürgen Kunde <juergen@customer.test>")
    assert await served.ticket(reply) == ticket_id
    ticket = (await served.admin.get(f"/emails/tickets/{ticket_id}")).body
    assert (ticket["number"], ticket["alias"], ticket["aliasId"]) == (1, "support@example.org", alias_id)
    first, second = ticket["messages"]
    assert first["text"].strip() == "Siehe Anhang: größer als gedacht."
    assert first["attachments"][0]["filename"] == "Tür, Foto.png"
    assert first["attachments"][0]["contentType"] == "image/png"
    assert second["text"].strip() == "It still does not open."
    assert "Have you tried the key?" in second["quoted"]
    assert [event["event"] for event in ticket["events"]] == ["opened", "replied"]
    assert [delivery["integrationId"] for delivery in ticket["deliveries"]] == [integration_id] * 2
    assert [delivery["event"] for delivery in ticket["deliveries"]] == ["opened", "replied"]


async def test_a_ticket_is_claimed_once(served: ServedInstallation) -> None:
    await served.alias()
    ticket_id = await served.ticket()
    agent, agent_id = await served.person("agent")
    rival, _ = await served.person("agent")
    path = f"/emails/tickets/{ticket_id}"
    claimed = await agent.post(f"{path}/claim")
    assert claimed.status == 200
    assert claimed.body == {
        "id": ticket_id,
        "status": "in_progress",
        "assignedTo": agent_id,
        "claimedAt": "2030-01-01T12:00:00Z",
    }
    served.clock.advance(60)
    assert (await agent.post(f"{path}/claim")).body == claimed.body
    late = await rival.post(f"{path}/claim")
    assert (late.status, late.code) == (409, "already_claimed")
    assert (await served.admin.post(f"{path}/claim")).code == "already_claimed"
    mine = (await agent.get("/emails/tickets/mine?status=in_progress")).body["tickets"]
    assert [ticket["id"] for ticket in mine] == [ticket_id]
    assert (await agent.get("/emails/tickets/mine?status=open")).body["tickets"] == []
    assert (await served.admin.get("/emails/tickets/unassigned")).body["tickets"] == []
    events = (await agent.get(path)).body["events"]
    assert [event["event"] for event in events] == ["opened", "claimed"]
    await agent.post(f"{path}/status", {"status": "resolved"})
    for client in (agent, rival):
        assert (await client.post(f"{path}/claim")).code == "not_open"


async def test_of_many_who_claim_at_once_one_wins(served: ServedInstallation) -> None:
    await served.alias()
    tickets = [await served.ticket() for _ in range(3)]
    agents = [(await served.person("agent"))[0] for _ in range(12)]
    for ticket_id in tickets:
        answers = await asyncio.gather(*(agent.post(f"/emails/tickets/{ticket_id}/claim") for agent in agents))
        assert sorted(answer.status for answer in answers) == [200] + [409] * 11
        assert {answer.code for answer in answers if answer.status == 409} == {"already_claimed"}


async def test_who_may_give_a_ticket_away(served: ServedInstallation) -> None:
    await served.alias()
    ticket_id = await served.ticket()
    agent, agent_id = await served.person("agent")
    other, other_id = await served.person("agent")
    _, viewer_id = await served.person("viewer")
    path = f"/emails/tickets/{ticket_id}"
    assert (await agent.post(f"{path}/assign", {"userId": agent_id})).status == 403  # nobody's: claim it
    await agent.post(f"{path}/claim")
    for step, body in (("unclaim", None), ("assign", {"userId": other_id})):
        assert (await other.post(f"{path}/{step}", body)).status == 403
    given = await agent.post(f"{path}/assign", {"userId": other_id})
    assert (given.status, given.body["assignedTo"], given.body["status"]) == (200, other_id, "in_progress")
    back = await served.admin.post(f"{path}/unclaim")
    assert back.body == {"id": ticket_id, "status": "open", "assignedTo": None, "claimedAt": None}
    assert (await served.admin.post(f"{path}/unclaim")).status == 200
    for nobody in (viewer_id, "user_" + "0" * 26, "nonsense"):
        refused = await served.admin.post(f"{path}/assign", {"userId": nobody})
        assert (refused.status, refused.field) == (400, "userId")
    events = (await served.admin.get(path)).body["events"]
    assert [event["event"] for event in events] == ["opened", "claimed", "assigned", "unclaimed"]


async def test_statuses(served: ServedInstallation) -> None:
    await served.alias()
    ticket_id = await served.ticket()
    agent, agent_id = await served.person("agent")
    path = f"/emails/tickets/{ticket_id}"
    resolved = await agent.post(f"{path}/status", {"status": "resolved"})
    assert resolved.body == {"id": ticket_id, "status": "resolved", "resolvedAt": "2030-01-01T12:00:00Z"}
    assert (await agent.get("/emails/tickets/unassigned")).body["tickets"] == []
    opened = await agent.post(f"{path}/status", {"status": "open"})
    assert opened.body == {"id": ticket_id, "status": "open", "resolvedAt": None}
    await agent.post(f"{path}/status", {"status": "in_progress"})
    assert (await agent.get(path)).body["assignedTo"] == agent_id
    await agent.post(f"{path}/status", {"status": "resolved"})
    await agent.post(f"{path}/status", {"status": "open"})
    assert (await agent.get(path)).body["assignedTo"] == agent_id  # reopening keeps the assignee
    for wrong in ("closed", "", 5, None):
        refused = await agent.post(f"{path}/status", {"status": wrong})
        assert (refused.status, refused.code, refused.field) == (400, "invalid_status", "status")
    assert (await agent.get("/emails/tickets?status=closed")).code == "invalid_status"


async def test_filters_and_search(served: ServedInstallation) -> None:
    _, _, alias_id = await served.alias()
    await served.ticket(mails.plain(subject="100% of the doors"))
    await served.ticket(mails.plain(subject="Windows", from_="Grace <grace@other.test>"))
    agent, agent_id = await served.person("agent")
    third = await served.ticket(mails.plain(subject="Door_s"))
    await agent.post(f"/emails/tickets/{third}/claim")

    async def found(query: str) -> list[str]:
        answer = await served.admin.get(f"/emails/tickets?{query}")
        assert answer.status == 200
        return [ticket["subject"] for ticket in answer.body["tickets"]]

    assert await found("status=in_progress") == ["Door_s"]
    assert await found(f"assignedTo={agent_id}") == ["Door_s"]
    assert await found(f"assignedTo={agent_id}&status=open") == []
    assert await found(f"aliasId={alias_id}&status=open") == ["Windows", "100% of the doors"]
    assert await found("aliasId=alias_none") == []
    assert await found("q=DOO") == ["Door_s", "100% of the doors"]
    assert await found("q=grace") == ["Windows"]
    assert await found("q=%232") == ["Windows"]
    assert await found(f"q=door&status=open&aliasId={alias_id}") == ["100% of the doors"]
    first = (await served.admin.get("/emails/tickets?q=door&limit=1")).body
    assert len(first["tickets"]) == 1
    rest = (await served.admin.get(f"/emails/tickets?q=door&limit=1&cursor={first['nextCursor']}")).body
    assert [ticket["subject"] for ticket in rest["tickets"]] == ["100% of the doors"]


async def test_pages_are_stable_while_tickets_come_in(served: ServedInstallation) -> None:
    await served.alias()
    old = [await served.ticket() for _ in range(5)]
    first = (await served.admin.get("/emails/tickets?limit=2")).body
    await served.ticket()
    second = (await served.admin.get(f"/emails/tickets?limit=2&cursor={first['nextCursor']}")).body
    third = (await served.admin.get(f"/emails/tickets?limit=2&cursor={second['nextCursor']}")).body
    seen = [ticket["id"] for page in (first, second, third) for ticket in page["tickets"]]
    assert seen == old[::-1]
    assert "nextCursor" not in third


async def test_notes(served: ServedInstallation) -> None:
    await served.alias()
    ticket_id = await served.ticket()
    agent, agent_id = await served.person("agent")
    made = await agent.post(f"/emails/tickets/{ticket_id}/notes", {"text": "Called back.\r\nNo answer."})
    assert made.status == 201
    assert (made.body["text"], made.body["userId"]) == ("Called back.\nNo answer.", agent_id)
    event = (await agent.get(f"/emails/tickets/{ticket_id}")).body["events"][-1]
    assert (event["event"], event["detail"]["text"]) == ("note", "Called back.\nNo answer.")
    for wrong in ("", "  ", "a\x1bb", "x" * 20_001):
        refused = await agent.post(f"/emails/tickets/{ticket_id}/notes", {"text": wrong})
        assert (refused.status, refused.field) == (400, "text")


async def test_an_erased_ticket_is_gone_with_its_mail_unless_another_ticket_has_it(served: ServedInstallation) -> None:
    domain_id, integration_id, _ = await served.alias()
    asked = {"domainId": domain_id, "localPart": "sales", "integrationId": integration_id}
    await served.admin.post("/aliases", asked)
    shared = await served.mail(None, "support@example.org", "sales@example.org")
    one, two = (ticket["id"] for ticket in (await served.admin.get("/emails/tickets")).body["tickets"])
    assert (await served.admin.delete(f"/emails/tickets/{one}")).status == 204
    assert (await served.admin.get(f"/emails/messages/{shared}/raw")).status == 200
    assert (await served.admin.delete(f"/emails/tickets/{two}")).status == 204
    assert (await served.admin.get(f"/emails/messages/{shared}/raw")).status == 404

    ticket_id = await served.ticket()
    ticket = (await served.admin.get(f"/emails/tickets/{ticket_id}")).body
    message_id = ticket["messages"][0]["id"]
    delivery_id = ticket["deliveries"][0]["id"]
    assert (await served.admin.delete(f"/emails/tickets/{ticket_id}")).status == 204
    for path in (
        f"/emails/tickets/{ticket_id}",
        f"/emails/messages/{message_id}/raw",
        f"/emails/messages/{message_id}/trace",
        f"/deliveries/{delivery_id}",
    ):
        assert (await served.admin.get(path)).status == 404
    assert await served.database.all("contents_raw_chunk", message_id=message_id, n=0) == []
    assert (await served.admin.delete(f"/emails/tickets/{ticket_id}")).status == 404


async def test_tickets_of_another_workspace_are_not_there(served: ServedInstallation) -> None:
    await served.alias()
    ticket_id = await served.ticket()
    other, _ = await served.other_workspace()
    path = f"/emails/tickets/{ticket_id}"
    assert (await other.get(path)).status == 404
    assert (await other.delete(path)).status == 404
    for step, body in (
        ("claim", None),
        ("unclaim", None),
        ("assign", {"userId": served.login.user_id}),
        ("status", {"status": "resolved"}),
        ("notes", {"text": "Hello"}),
    ):
        assert (await other.post(f"{path}/{step}", body)).status == 404
    assert (await other.get("/emails/tickets")).body == {"tickets": []}
