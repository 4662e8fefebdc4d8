"""Calls of agents for a ticket: taking it over, notes, tags, drafts and the customer's other tickets."""

from tests.support import mails
from tests.support.installation.http import ServedInstallation


async def test_a_claimed_ticket_is_taken_over(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    path = f"/emails/tickets/{await served.accept_ticket()}"
    agent, agent_id = await served.add_client("agent")
    rival, rival_id = await served.add_client("agent")
    for body in (None, {}, {"takeOver": False}):
        assert (await agent.post(f"{path}/claim", body)).status == 200
        late = await rival.post(f"{path}/claim", body)
        assert (late.status, late.code) == (409, "already_claimed")
    wrong = await rival.post(f"{path}/claim", {"takeOver": "yes"})
    assert (wrong.status, wrong.code, wrong.field) == (400, "invalid_request", "takeOver")
    taken = await rival.post(f"{path}/claim", {"takeOver": True})
    assert (taken.status, taken.body["assignedTo"], taken.body["status"]) == (200, rival_id, "in_progress")
    event = (await agent.get(path)).body["events"][-1]
    assert (event["type"], event["event"], event["detail"]) == ("ticket.claimed", "claimed", {"from": agent_id})


async def test_notes(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    path = f"/emails/tickets/{await served.accept_ticket()}"
    agent, agent_id = await served.add_client("agent")
    created = await agent.post(f"{path}/notes", {"text": "Called unassigned.\r\nNo answer."})
    assert created.status == 201
    assert (created.body["text"], created.body["userId"]) == ("Called unassigned.\nNo answer.", agent_id)
    event = (await agent.get(path)).body["events"][-1]
    assert (event["event"], event["detail"]["text"]) == ("note", "Called unassigned.\nNo answer.")
    refused = await agent.post(f"{path}/notes", {"text": ""})
    assert (refused.status, refused.code, refused.field) == (400, "invalid_request", "text")


async def test_notes_are_edited_and_removed(served: ServedInstallation) -> None:
    await served.create_alias()
    path = f"/emails/tickets/{await served.accept_ticket()}"
    agent, _ = await served.add_client("agent")
    colleague, _ = await served.add_client("agent")
    key = {"Idempotency-Key": "once"}
    added = await agent.request("POST", f"{path}/notes", {"text": "Called bakc."}, headers=key)
    assert (added.status, added.body["editedAt"]) == (201, None)
    assert (await agent.request("POST", f"{path}/notes", {"text": "Called bakc."}, headers=key)).body == added.body
    note = f"{path}/notes/{added.body['id']}"
    served.clock.advance(60)
    edited = await agent.patch(note, {"text": "Called back."})
    assert (edited.status, edited.body) == (
        200,
        added.body | {"text": "Called back.", "editedAt": "2030-01-01T12:01:00Z"},
    )
    # The response to the first request had the erased text.
    repeated = await agent.request("POST", f"{path}/notes", {"text": "Called bakc."}, headers=key)
    assert (repeated.status, repeated.code) == (409, "conflict")
    assert await served.count_rows("idempotent_requests", "answer LIKE '%bakc%'") == 0
    for method, body in (("PATCH", {"text": "Mine"}), ("DELETE", None)):
        forbidden = await colleague.request(method, note, body)
        assert (forbidden.status, forbidden.code) == (403, "forbidden")
    events = (await agent.get(path)).body["events"]
    assert events[1]["detail"] == {"text": "Called back.", "editedAt": "2030-01-01T12:01:00Z"}
    assert (events[2]["type"], events[2]["event"], events[2]["detail"]) == (
        "ticket.note_changed",
        "note",
        {"noteId": added.body["id"]},
    )
    assert (await served.admin.delete(note)).status == 204
    for missing in (await agent.patch(note, {"text": "Again"}), await agent.delete(note)):
        assert (missing.status, missing.code) == (404, "not_found")
    events = (await agent.get(path)).body["events"]
    assert events[1]["detail"] == {"removedAt": "2030-01-01T12:01:00Z"}


async def test_drafts(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    path = f"/emails/tickets/{await served.accept_ticket()}"
    agent, _ = await served.add_client("agent")
    no_lists: dict[str, object] = {name: [] for name in ("to", "cc", "bcc", "attachments")}
    none = {"kind": "note", "text": "", "html": "", **no_lists, "savedAt": None}
    assert (await agent.get(f"{path}/draft?kind=note")).body == none
    saved = await agent.request("PUT", f"{path}/draft", {"kind": "note", "text": "They say"})
    assert (saved.status, saved.body) == (200, none | {"text": "They say", "savedAt": "2030-01-01T12:00:00Z"})
    assert (await agent.get(f"{path}/draft?kind=note")).body == saved.body
    assert (await served.admin.get(f"{path}/draft?kind=note")).body == none
    for refused in (
        await agent.get(f"{path}/draft?kind=memo"),
        await agent.request("PUT", f"{path}/draft", {"kind": "memo", "text": "They say"}),
        await agent.delete(f"{path}/draft?kind=memo"),
    ):
        assert (refused.status, refused.code, refused.field) == (400, "invalid_request", "kind")
        assert refused.body["error"]["message"] == "kind must be one of: note, reply"
    assert (await agent.request("PUT", f"{path}/draft", {"kind": "note", "text": ""})).body == none
    await agent.request("PUT", f"{path}/draft", {"kind": "note", "text": "They say"})
    assert (await agent.delete(f"{path}/draft?kind=note")).status == 204
    assert (await agent.get(f"{path}/draft?kind=note")).body == none


async def test_a_sender(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket_id = await served.accept_ticket(mails.plain(from_="Ada <Ada/x@Customer.test>"))
    known = await served.admin.get("/senders/ada%2Fx@customer.test")
    assert (known.status, known.body["tickets"]) == (200, {"open": 1, "in_progress": 0, "waiting": 0, "resolved": 0})
    listed = (await served.admin.get("/emails/tickets")).body["tickets"]
    assert (known.body["recent"], listed[0]["id"]) == (listed, ticket_id)
    assert known.body["firstSeenAt"] == known.body["lastSeenAt"] == "2030-01-01T12:00:00Z"
    foreign, _ = await served.create_workspace()
    unknown = await foreign.get("/senders/ada%2Fx@customer.test")
    assert (unknown.status, unknown.body["recent"], unknown.body["lastSeenAt"]) == (200, [], None)
    wrong = await served.admin.get("/senders/ada")
    assert (wrong.status, wrong.code, wrong.field) == (400, "invalid_request", "address")


async def test_a_ticket_is_marked_as_spam(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket_id = await served.accept_ticket()
    path = f"/emails/tickets/{ticket_id}"
    agent, _ = await served.add_client("agent")
    marked = await agent.post(f"{path}/spam", {"spam": True, "learn": False})
    assert (marked.status, marked.body["id"], marked.body["spam"]) == (200, ticket_id, True)
    reason = marked.body["spamReason"]
    assert reason.startswith("Marked as spam by ")
    for body, problem in (
        ({"spam": True, "learn": True}, (400, "invalid_request", "learn")),
        ({"spam": True, "block": "network"}, (400, "invalid_request", "block")),
        ({"spam": False, "block": "address"}, (400, "invalid_request", "block")),
        ({"spam": True, "block": "address"}, (403, "forbidden", None)),
        ({}, (400, "invalid_request", "spam")),
    ):
        refused = await agent.post(f"{path}/spam", body)
        assert (refused.status, refused.code, refused.field) == problem
    assert (await agent.get("/emails/tickets")).body["tickets"] == []
    assert (await agent.get("/emails/tickets?q=1")).body["tickets"] == []
    for spam in ("true", "all"):
        (listed,) = (await agent.get(f"/emails/tickets?spam={spam}")).body["tickets"]
        assert (listed["id"], listed["spam"], listed["spamReason"]) == (ticket_id, True, reason)
    ticket = (await agent.get(path)).body
    assert (ticket["spam"], ticket["spamReason"], ticket["deliveries"][0]["state"]) == (True, reason, "spam")
    event = ticket["events"][-1]
    assert (event["type"], event["event"]) == ("ticket.spam_changed", "spam")
    assert event["detail"] == {"spam": True, "reason": reason}
    assert (await served.admin.post(f"{path}/spam", {"spam": True, "block": "address"})).status == 200
    released = await agent.post(f"{path}/spam", {"spam": False})
    assert released.body == {"id": ticket_id, "spam": False, "spamReason": None}


async def test_tags(sqlite_served: ServedInstallation) -> None:
    served = sqlite_served
    await served.create_alias()
    ticket_id, _ = await served.accept_ticket(), await served.accept_ticket()
    path = f"/emails/tickets/{ticket_id}"
    agent, _ = await served.add_client("agent")
    tagged = await agent.post(f"{path}/tags", {"add": ["VIP", "Billing"]})
    assert (tagged.status, tagged.body) == (200, {"id": ticket_id, "tags": ["Billing", "VIP"]})
    for unchanged in ({}, {"add": ["vip"]}, {"remove": ["other"]}):
        assert (await agent.post(f"{path}/tags", unchanged)).body == tagged.body
    ticket = (await agent.get(path)).body
    event = ticket["events"][-1]
    assert ticket["tags"] == ["Billing", "VIP"]
    assert (event["type"], event["event"], event["sequence"]) == ("ticket.tags_changed", "tags", 2)
    assert event["detail"] == {"added": ["Billing", "VIP"]}
    for query, count in (("tag=BILLING", 1), ("tag=other", 0), ("tag=billing&q=door", 1), ("tag=vip&status=open", 1)):
        assert len((await agent.get(f"/emails/tickets?{query}")).body["tickets"]) == count, query
    for add, message in (
        ("VIP", "add must be a list of strings"),
        (["a", 1], "add[1] must be a string"),
        (["a", ""], "add[1] must not be empty"),
        ([""], "add must not be empty"),
    ):
        refused = await agent.post(f"{path}/tags", {"add": add})
        assert (refused.field, refused.body["error"]["message"]) == ("add", message)
    wrong: tuple[tuple[dict[str, object], str], ...] = (
        ({"add": [""]}, "add"),
        ({"remove": ["a\u0001"]}, "remove"),
        ({"add": "VIP"}, "add"),
        ({"add": [1]}, "add"),
        ({"add": [f"tag {n}" for n in range(19)]}, "add"),
    )
    for body, field in wrong:
        refused = await agent.post(f"{path}/tags", body)
        assert (refused.status, refused.code, refused.field) == (400, "invalid_request", field), body

    listed = (await agent.get("/tags")).body["tags"]
    assert [(tag["name"], tag["color"], tag["ticketCount"]) for tag in listed] == [("Billing", "", 1), ("VIP", "", 1)]
    billing, vip = [f"/tags/{tag['id']}" for tag in listed]
    colored = await served.admin.patch(vip, {"color": "#1D76DB"})
    assert (colored.status, colored.body) == (200, listed[1] | {"color": "#1d76db"})
    refused = await served.admin.patch(vip, {"color": "blue"})
    assert (refused.status, refused.code, refused.field) == (400, "invalid_request", "color")
    merged = await served.admin.patch(billing, {"name": "vip"})
    assert (merged.status, merged.body) == (200, colored.body)
    assert (await agent.get(path)).body["tags"] == ["VIP"]
    assert (await served.admin.delete(vip)).status == 204
    assert [(await agent.get(path)).body["tags"], (await agent.get("/tags")).body["tags"]] == [[], []]
