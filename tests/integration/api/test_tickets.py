"""Tickets over REST."""

import pytest

from api.resources import ROUTES
from api.schema.shape import EmptyBody
from router.admin.tickets import lists
from router.search import scans
from tests.support import mails
from tests.support.corpus import corpus_mail
from tests.support.installation.http import ServedInstallation


async def test_lists_are_newest_first_with_documented_fields(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    first = await served.accept_ticket(mails.plain(subject="First"))
    second = await served.accept_ticket(mails.plain(subject="Second"))
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
    assert (ticket["automatic"], ticket["waitingSince"]) == ("", ticket["receivedAt"])
    await served.admin.post(f"/emails/tickets/{first}/status", {"status": "waiting"})
    for path, expected in (
        ("/emails/tickets?sort=oldest", [first, second]),
        ("/emails/tickets/unassigned?sort=waiting", [second]),
        ("/emails/tickets/unassigned?status=waiting", [first]),
        ("/emails/tickets?automatic=only", []),
    ):
        assert [each["id"] for each in (await served.admin.get(path)).body["tickets"]] == expected, path
    (waiting,) = (await served.admin.get("/emails/tickets?status=waiting")).body["tickets"]
    assert waiting["waitingSince"] is None
    assert (await served.admin.get("/emails/tickets?sort=subject")).status == 400


async def test_a_search_that_ends_early_is_continued_with_its_cursor(
    served: ServedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await served.create_alias()
    wanted = await served.accept_ticket(mails.plain(subject="A kettle"))
    for _ in range(4):
        await served.accept_ticket(mails.plain(subject="A door"))
    await served.core.contents.parse_missing(60)
    monkeypatch.setattr(scans, "FIRST_SCAN_PAGES", 1)
    monkeypatch.setattr(lists, "SEARCH_BUDGET", 1)
    pages = [(await served.admin.get("/emails/tickets?q=kettle&limit=2")).body]
    while "nextCursor" in pages[-1]:
        path = f"/emails/tickets?q=kettle&limit=2&cursor={pages[-1]['nextCursor']}"
        pages.append((await served.admin.get(path)).body)
    assert [page.get("incomplete") for page in pages] == [True, None]
    assert [[ticket["id"] for ticket in page["tickets"]] for page in pages] == [[], [wanted]]


async def test_ticket_detail_is_complete(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, integration_id, alias_id = await served.create_alias()
    ticket_id = await served.accept_ticket(mails.with_attachment(message_id="<first@customer.test>"))
    reply = mails.reply_to("<first@customer.test>", from_="Jürgen Kunde <juergen@customer.test>")
    assert await served.accept_ticket(reply) == ticket_id
    ticket = (await served.admin.get(f"/emails/tickets/{ticket_id}")).body
    assert (ticket["number"], ticket["alias"], ticket["aliasId"]) == (1, "support@example.org", alias_id)
    first, second = ticket["messages"]
    assert first["text"].strip() == "Siehe Anhang: größer als gedacht."
    assert first["attachments"][0]["filename"] == "Tür, Foto.png"
    assert first["attachments"][0]["contentType"] == "image/png"
    assert "Have you tried the key?" in second["quoted"]
    assert [event["event"] for event in ticket["events"]] == ["opened", "replied"]
    assert [delivery["integrationId"] for delivery in ticket["deliveries"]] == [integration_id] * 2
    assert [delivery["event"] for delivery in ticket["deliveries"]] == ["opened", "replied"]
    assert [message["failedRecipients"] for message in ticket["messages"]] == [[], []]
    bounce_id = await served.accept_ticket(corpus_mail("bounce-report"))
    (bounce,) = (await served.admin.get(f"/emails/tickets/{bounce_id}")).body["messages"]
    assert bounce["failedRecipients"] == ["nobody@customer.example"]


async def test_claim_unclaim_and_assign(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket_id = await served.accept_ticket()
    agent, agent_id = await served.add_client("agent")
    rival, rival_id = await served.add_client("agent")
    path = f"/emails/tickets/{ticket_id}"
    claimed = await agent.post(f"{path}/claim")
    assert claimed.status == 200
    assert claimed.body == {
        "id": ticket_id,
        "status": "in_progress",
        "assignedTo": agent_id,
        "claimedAt": "2030-01-01T12:00:00Z",
    }
    late = await rival.post(f"{path}/claim")
    assert (late.status, late.code) == (409, "already_claimed")
    mine = (await agent.get("/emails/tickets/mine?status=in_progress")).body["tickets"]
    assert [ticket["id"] for ticket in mine] == [ticket_id]
    assert (await agent.get("/emails/tickets/mine?status=open")).body == {"tickets": []}
    for step, body in (("unclaim", None), ("assign", {"userId": rival_id})):
        forbidden = await rival.post(f"{path}/{step}", body)
        assert (forbidden.status, forbidden.code) == (403, "forbidden")
    wrong = await agent.post(f"{path}/assign", {"userId": "nonsense"})
    assert (wrong.status, wrong.code, wrong.field) == (400, "invalid_request", "userId")
    reassigned = await agent.post(f"{path}/assign", {"userId": rival_id})
    assert (reassigned.status, reassigned.body) == (200, claimed.body | {"assignedTo": rival_id})
    unassigned = await served.admin.post(f"{path}/unclaim")
    assert unassigned.status == 200
    assert unassigned.body == {"id": ticket_id, "status": "open", "assignedTo": None, "claimedAt": None}


async def test_statuses(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket_id = await served.accept_ticket()
    path = f"/emails/tickets/{ticket_id}"
    resolved = await served.admin.post(f"{path}/status", {"status": "resolved"})
    assert resolved.status == 200
    assert resolved.body == {"id": ticket_id, "status": "resolved", "resolvedAt": "2030-01-01T12:00:00Z"}
    late = await served.admin.post(f"{path}/claim")
    assert (late.status, late.code) == (409, "not_open")
    opened = await served.admin.post(f"{path}/status", {"status": "open"})
    assert opened.body == {"id": ticket_id, "status": "open", "resolvedAt": None}
    for wrong in ("closed", "", 5, None):
        refused = await served.admin.post(f"{path}/status", {"status": wrong})
        assert (refused.status, refused.code, refused.field) == (400, "invalid_status", "status")
    refused = await served.admin.get("/emails/tickets?status=closed")
    assert (refused.status, refused.code) == (400, "invalid_status")


async def test_priorities(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket_id = await served.accept_ticket(mails.plain())
    path = f"/emails/tickets/{ticket_id}"
    assert (await served.admin.get(path)).body["priority"] == "normal"
    agent, agent_id = await served.add_client("agent")
    for given, canonical in (("moderate", "normal"), ("not-urgent", "low"), ("low", "low"), ("urgent", "urgent")):
        changed = await agent.post(f"{path}/priority", {"priority": given})
        assert (changed.status, changed.body) == (200, {"id": ticket_id, "priority": canonical})
    ticket = (await agent.get(path)).body
    assert ticket["priority"] == "urgent"
    changes = [event for event in ticket["events"] if event["type"] == "ticket.priority_changed"]
    assert [(event["event"], event["userId"], event["detail"]) for event in changes] == [
        ("priority", agent_id, {"from": "normal", "to": "low"}),
        ("priority", agent_id, {"from": "low", "to": "urgent"}),
    ]
    for wrong in ("", "Urgent", "lowest"):
        refused = await agent.post(f"{path}/priority", {"priority": wrong})
        assert (refused.status, refused.code, refused.field) == (400, "invalid_request", "priority")
    for wanted, count in (("urgent", 1), ("low", 0), ("not-urgent", 0), ("moderate", 0)):
        for more in ("", "&q=%231", "&status=open"):
            page = await served.admin.get(f"/emails/tickets?priority={wanted}{more}")
            assert len(page.body["tickets"]) == count, (wanted, more)
    refused = await served.admin.get("/emails/tickets?priority=lowest")
    assert (refused.status, refused.code, refused.field) == (400, "invalid_request", "priority")
    assert (await agent.get("/emails/tickets/mine?priority=urgent")).body == {"tickets": []}
    viewer, _ = await served.add_client("viewer")
    assert (await viewer.post(f"{path}/priority", {"priority": "low"})).status == 403


async def test_each_parameter_filters_the_list(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    _, _, alias_id = await served.create_alias()
    await served.accept_ticket(mails.plain(subject="First door"))
    second = await served.accept_ticket(mails.plain(subject="Second door"))
    agent, agent_id = await served.add_client("agent")
    await agent.post(f"/emails/tickets/{second}/claim")
    for query, expected in (
        ("status=open", ["First door"]),
        (f"assignedTo={agent_id}", ["Second door"]),
        (f"aliasId={alias_id}&status=in_progress", ["Second door"]),
        ("aliasId=alias_none", []),
        ("q=%231", ["First door"]),
        ("q=DOO&limit=1", ["Second door"]),
    ):
        page = await served.admin.get(f"/emails/tickets?{query}")
        assert page.status == 200
        assert [ticket["subject"] for ticket in page.body["tickets"]] == expected, query
    next_page = (await served.admin.get(f"/emails/tickets?q=DOO&limit=1&cursor={page.body['nextCursor']}")).body
    assert [ticket["subject"] for ticket in next_page["tickets"]] == ["First door"]
    assert "nextCursor" not in next_page


async def test_messages_in_pages(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    headers = {"Reply-To": "Eve <eve@x.test>", "X-Original-From": "Bob <bob@x.test>"}
    content = mails.plain(message_id="<first@customer.test>", headers=headers)
    path = f"/emails/tickets/{await served.accept_ticket(content)}"
    newest = await served.accept_message(mails.reply_to("<first@customer.test>"))
    ticket = (await served.admin.get(path)).body
    assert (ticket["messageCount"], "nextCursor" in ticket) == (2, False)
    assert ticket["messages"][0]["replyTo"] == [{"address": "eve@x.test", "name": "Eve"}]
    assert ticket["messages"][0]["originalFrom"] == {"address": "bob@x.test", "name": "Bob"}
    assert (ticket["messages"][1]["replyTo"], ticket["messages"][1]["originalFrom"]) == ([], None)
    page = (await served.admin.get(f"{path}/messages?limit=1")).body
    assert [message["id"] for message in page["messages"]] == [newest]
    next_page = (await served.admin.get(f"{path}/messages?cursor={page['nextCursor']}")).body
    assert next_page == {"messages": ticket["messages"][:1]}
    for cursor in ("%00", "AA", "nonsense", "AA" * 300):
        refused = await served.admin.get(f"{path}/messages?cursor={cursor}")
        assert (refused.status, refused.code) == (400, "invalid_request"), cursor


async def test_erased_ticket_is_not_found(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    path = f"/emails/tickets/{await served.accept_ticket()}"
    ticket = (await served.admin.get(path)).body
    message, delivery = (
        f"/emails/messages/{ticket['messages'][0]['id']}",
        f"/deliveries/{ticket['deliveries'][0]['id']}",
    )
    assert (await served.admin.get(f"{message}/raw")).status == 200
    assert (await served.admin.delete(path)).status == 204
    for erased in (path, f"{message}/raw", f"{message}/trace", delivery):
        missing = await served.admin.get(erased)
        assert (missing.status, missing.code) == (404, "not_found")
    assert (await served.admin.delete(path)).status == 404


async def test_tickets_of_another_workspace_are_not_found(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    path = f"/emails/tickets/{await served.accept_ticket()}"
    other, _ = await served.create_workspace()
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


async def test_a_number_works_wherever_an_id_does(served: ServedInstallation) -> None:
    """Every call of one ticket, with its number, which another workspace does not find."""
    await served.create_alias()
    ticket_id = await served.accept_ticket()
    foreign, _ = await served.create_workspace()
    body: dict[str, object] = {
        "assign": {"userId": served.login.user_id},
        "status": {"status": "waiting"},
        "priority": {"priority": "high"},
        "spam": {"spam": True},
        "notes": {"text": "Called back."},
        "tags": {"add": ["vip"]},
        "{note}": {"text": "Called twice."},
        "draft": {"kind": "note", "text": "They say"},
        "replies": {"text": "We call back."},
    }
    await served.execute("UPDATE domains SET sending = 'active', encrypted_smarthost = 'sealed'")
    note = (await served.admin.post("/emails/tickets/1/notes", body["notes"])).body["id"]
    routes = [route for route in ROUTES if route.path.startswith("/emails/tickets/{id}")]
    assert {route.path.rpartition("/")[2] for route in routes} == {"{id}", "messages", "claim", "unclaim", *body}
    for route in sorted(routes, key=lambda route: (route.method == "DELETE", -len(route.path))):
        name = route.path.rpartition("/")[2]
        path = route.path.replace("{id}", "1").replace("{note}", note)
        given = body.get(name) if route.body is not EmptyBody else None
        query = "?kind=note" if "kind" in route.query.model_fields else ""
        assert (await foreign.request(route.method, path + query, given)).status == 404, route
        answer = await served.admin.request(route.method, path + query, given)
        assert answer.status == route.status, (route, answer.body)
        if answer.body is not None and name not in ("messages", "draft") and (route.method, name) != ("GET", "replies"):
            assert answer.body["ticketId" if "/notes" in path or name == "replies" else "id"] == ticket_id, route
    for number in ("1", "0", "999999999999", "9" * 400, "٤", "1.0"):
        assert (await served.admin.get(f"/emails/tickets/{number}")).status == 404, number


async def test_filters_with_a_number_and_with_the_authenticated_user(served: ServedInstallation) -> None:
    await served.create_alias()
    own, other = await served.accept_ticket(), await served.accept_ticket()
    agent, agent_id = await served.add_client("agent")
    await agent.post(f"/emails/tickets/{own}/claim")
    await served.admin.post("/emails/tickets/2/claim")
    for assignee in ("me", agent_id):
        listed = (await agent.get(f"/emails/tickets?assignedTo={assignee}&status=in_progress")).body["tickets"]
        assert [ticket["id"] for ticket in listed] == [own]
    for number, found in (("2", {other}), ("3", set())):
        deliveries = (await agent.get(f"/deliveries?ticketId={number}")).body["deliveries"]
        assert {delivery["ticketId"] for delivery in deliveries} == found
