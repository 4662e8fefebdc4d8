"""One valid request for each route of the API.

Random requests must not use the ids in these requests, so that they do not make valid requests fail.
"""

import asyncio
import smtplib
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from api.resources import ROUTES
from tests.support import mails

DOMAIN = "kept.example"


@dataclass
class ValidRequests:
    """Valid requests, and the ids that random requests must not use.

    requests: `{"path": {...}, "query": {...}, "body": ...}` for each `METHOD /path`, with the parameters by name.
    """

    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    reserved_ids: list[str] = field(default_factory=list)

    def add(self, call: str, body: Any = None, *, query: dict[str, str] | None = None, **path: str) -> None:
        self.requests[call] = {"path": path, "query": query or {}, "body": body}


class RequestBuilder:
    """Sends requests as an admin. Raises RuntimeError on an error response."""

    def __init__(self, http: aiohttp.ClientSession, url: str, good: ValidRequests) -> None:
        self._http = http
        self._url = url
        self._good = good

    async def request(self, method: str, path: str, body: Any = None) -> Any:
        async with self._http.request(method, self._url + path, json=body) as response:
            if response.status >= 300:
                raise RuntimeError(f"{method} {path}: {response.status} {await response.text()}")
            return await response.json() if response.content_type == "application/json" else None

    async def create(self, path: str, **body: str) -> str:
        created: str = (await self.request("POST", path, body))["id"]
        self._good.reserved_ids.append(created)
        return created

    async def create_tickets(self, smtp: tuple[str, int], address: str, count: int) -> list[dict[str, Any]]:
        """Creates `count` tickets by mail, each with one message and one delivery.

        Adds the ids of the tickets, messages and deliveries, and the ticket numbers, to `reserved_ids`.
        """
        await asyncio.to_thread(_send, *smtp, address, count)
        listed = (await self.request("GET", "/emails/tickets?limit=200"))["tickets"]
        details = [
            await self.request("GET", f"/emails/tickets/{one['id']}") for one in listed if one["alias"] == address
        ]
        for one in details:
            parts = (one, *one["messages"], *one["deliveries"])
            self._good.reserved_ids += [str(one["number"]), *(part["id"] for part in parts)]
        return details


def _send(host: str, port: int, address: str, count: int) -> None:
    with smtplib.SMTP(host, port) as client:
        for number in range(count):
            mail = mails.with_attachment(to=address, subject=f"Kept {number}")
            client.sendmail("kept@customer.test", [address], mail)


async def valid_requests(
    url: str, key: str, *, login: dict[str, str], domain: str, webhooks: dict[str, str], smtp: tuple[str, int]
) -> ValidRequests:
    """Builds a valid request for every route.

    Args:
        domain: The id of `DOMAIN`, which is active.
        webhooks: The webhook URLs under the names `alive` and `gone`.
        smtp: Host and port of the SMTP server.
    """
    good = ValidRequests(reserved_ids=[domain])
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
        builder = RequestBuilder(http, url, good)
        for route in ROUTES:  # a GET without path parameters needs no objects
            if route.method == "GET" and "{" not in route.path:
                good.add(f"GET {route.path}")
        await _add_accounts(builder, good, login)
        await _add_routing(builder, good, domain, webhooks)
        await _add_tickets(builder, good, domain, webhooks, smtp)
    missing = {f"{route.method} {route.path}" for route in ROUTES} ^ good.requests.keys()
    if missing:
        raise RuntimeError(f"tests.system.api.fuzz_good and the API differ: {', '.join(sorted(missing))}")
    return good


async def _add_accounts(builder: RequestBuilder, good: ValidRequests, login: dict[str, str]) -> None:
    good.add("POST /auth/login", login)
    good.add("POST /auth/logout")
    good.add("POST /auth/password", {"currentPassword": login["password"], "password": login["password"]})
    async with aiohttp.ClientSession() as browser, browser.post(f"{builder._url}/auth/login", json=login) as response:
        response.raise_for_status()
    (session,) = (await builder.request("GET", "/auth/sessions"))["sessions"]
    good.add("DELETE /auth/sessions/{id}", id=session["id"])
    good.add("PATCH /workspace", {"name": "Kept"})
    good.add("POST /users", {"email": "new@kept.example", "name": "New", "role": "agent"})
    for call in ("GET /users/{id}", "PATCH /users/{id}", "DELETE /users/{id}", "POST /users/{id}/password-link"):
        user = await builder.create("/users", email=f"{call[:3].lower()}@kept.example", name="Kept", role="agent")
        good.add(call, {"name": "Kept"} if "PATCH" in call else None, id=user)
    good.add("POST /keys", {"name": "Kept"})
    good.add("DELETE /keys/{id}", id=await builder.create("/keys", name="Kept"))
    good.add("POST /allowed-senders", {"senders": ["@kept.example"], "requireAuth": False, "note": "n"})
    await builder.request("POST", "/allowed-senders", {"sender": "@unwanted.example"})
    good.add("DELETE /allowed-senders/{sender}", sender="@unwanted.example")
    good.add("POST /blocked-senders", {"sender": "@kept.example"})
    await builder.request("POST", "/blocked-senders", {"sender": "@unwanted.example"})
    good.add("DELETE /blocked-senders/{sender}", sender="@unwanted.example")


async def _add_routing(builder: RequestBuilder, good: ValidRequests, domain: str, webhooks: dict[str, str]) -> None:
    good.add("POST /domains", {"domain": "new.example.com"})
    good.add("GET /domains/preview", query={"domain": "new.example.com"})
    body: Any
    for number, call in enumerate(("GET", "PATCH", "POST verify", "DELETE")):
        method, _, verb = call.partition(" ")
        kept = await builder.create("/domains", domain=f"kept{number}.example.com")
        body = {"mxManagedUpstream": True} if method == "PATCH" else None
        good.add(f"{method} /domains/{{id}}{'/' if verb else ''}{verb}", body, id=kept)
    sending = await builder.create("/domains", domain="sending.example.com")
    good.add("POST /domains/{id}/sending", {"enabled": True}, id=sending)
    await builder.request("POST", f"/domains/{sending}/sending", {"enabled": True})
    await builder.request("PATCH", f"/domains/{sending}", {"smarthost": {"url": "smtps://127.0.0.1:9"}})
    good.add("POST /domains/{id}/sending/rotate", id=sending)
    good.add("POST /domains/{id}/sending/test", id=sending)
    slack = {"type": "slack", "name": "Kept", "webhookUrl": webhooks["alive"]}
    good.add("POST /integrations", slack)
    integration = await builder.create("/integrations", **slack)
    for call in ("GET", "PATCH", "POST test", "DELETE"):
        method, _, verb = call.partition(" ")
        kept = await builder.create("/integrations", **slack)
        body = {"name": "Kept too"} if method == "PATCH" else None
        good.add(f"{method} /integrations/{{id}}{'/' if verb else ''}{verb}", body, id=kept)
    good.add("POST /aliases", {"domainId": domain, "localPart": "new", "integrationId": integration})
    for call in ("GET", "PATCH", "POST test", "DELETE"):
        method, _, verb = call.partition(" ")
        name = f"{method}{verb}".lower()
        kept = await builder.create("/aliases", domainId=domain, localPart=name, integrationId=integration)
        body = {"status": "active"} if method == "PATCH" else None
        good.add(f"{method} /aliases/{{id}}{'/' if verb else ''}{verb}", body, id=kept)
    good.add("POST /explain", {"recipient": f"get@{DOMAIN}"})


async def _add_texts(builder: RequestBuilder, good: ValidRequests, ticket_id: str) -> None:
    good.add("POST /templates", {"name": "Kept", "body": "Hello {name}"})
    good.add("POST /canned-responses", {"title": "Kept", "body": "Hello {name}"})
    for call in ("GET", "PATCH", "POST render", "DELETE"):
        method, _, verb = call.partition(" ")
        kept = await builder.create("/templates", name=f"Kept {call}", body="<p>Hello</p>", mode="static_html")
        body = {"PATCH": {"mode": "text"}, "POST render": {"ticketId": ticket_id}}.get(call)
        good.add(f"{method} /templates/{{id}}{'/' if verb else ''}{verb}", body, id=kept)
    for method in ("GET", "PATCH", "DELETE"):
        kept = await builder.create("/canned-responses", title=f"Kept {method}", body="Hello")
        good.add(f"{method} /canned-responses/{{id}}", {"aliasId": None} if method == "PATCH" else None, id=kept)


async def _add_tickets(
    builder: RequestBuilder, good: ValidRequests, domain: str, webhooks: dict[str, str], smtp: tuple[str, int]
) -> None:
    gone = await builder.create("/integrations", type="slack", name="Kept", webhookUrl=webhooks["gone"])
    await builder.create("/aliases", domainId=domain, localPart="desk", integrationId=gone)
    worker = await builder.create("/users", email="worker@kept.example", name="Worker", role="agent")
    actions = {
        "GET": None,
        "GET messages": None,
        "DELETE": None,
        "POST claim": None,
        "POST unclaim": None,
        "POST assign": {"userId": worker},
        "POST status": {"status": "waiting"},
        "POST priority": {"priority": "not-urgent"},
        "POST tags": {"add": ["kept"]},
        "POST notes": {"text": "Kept."},
        "POST spam": {"spam": True},
        "PUT draft": {"kind": "note", "text": "Kept."},
        "GET draft": None,
        "DELETE draft": None,
    }
    *tickets, last = await builder.create_tickets(smtp, f"desk@{DOMAIN}", len(actions) + 1)
    for (action, body), ticket in zip(actions.items(), tickets, strict=True):
        method, _, verb = action.partition(" ")
        query = {"kind": "note"} if verb == "draft" and body is None else None
        good.add(f"{method} /emails/tickets/{{id}}{'/' if verb else ''}{verb}", body, query=query, id=ticket["id"])
    for method, note_body in (("PATCH", {"text": "Kept too."}), ("DELETE", None)):
        note = await builder.create(f"/emails/tickets/{last['id']}/notes", text="Kept.")
        good.add(f"{method} /emails/tickets/{{id}}/notes/{{note}}", note_body, id=last["id"], note=note)
    good.add("GET /senders/{address}", address="kept@customer.test")
    await builder.request("POST", f"/emails/tickets/{last['id']}/tags", {"add": ["kept to change", "kept to delete"]})
    tags = {tag["name"]: tag["id"] for tag in (await builder.request("GET", "/tags"))["tags"]}
    good.reserved_ids += tags.values()
    good.add("PATCH /tags/{id}", {"color": "#0000ff"}, id=tags["kept to change"])
    good.add("DELETE /tags/{id}", id=tags["kept to delete"])
    await _add_texts(builder, good, last["id"])
    message, delivery = last["messages"][0]["id"], last["deliveries"][0]["id"]
    good.add("GET /emails/messages/{id}/raw", id=message)
    good.add("GET /emails/messages/{id}/attachments/{n}", id=message, n="1")
    good.add("GET /emails/messages/{id}/trace", id=message)
    good.add("POST /emails/messages/{id}/recheck", id=message)
    good.add("GET /deliveries/{id}", id=delivery)
    good.add("POST /deliveries/{id}/replay", id=delivery)
    good.add("POST /deliveries/replay", {})
