"""The API as tests use it: served on a real socket over a real database, with people, keys and mails at hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from api.app import build_app
from api.server import ApiServer
from config.schema import Api, Config, Delivery, Dns, Server, Smtp
from emailrouter.assembly.core import Core
from router.accept import Accept
from router.admin.access.users import Users
from router.admin.installation.first_workspace import FirstLogin, Setup
from router.mail.address import parse_mailbox
from router.model import Actor, Role
from router.routing.directory import Directory
from router.routing.envelope import Envelope
from router.routing.route import Target
from router.secrets import SecretBox, new_key
from router.services import Services
from tests.support import mails
from tests.support.clock import FakeClock
from tests.support.dns import DnsStandIn
from tests.support.installation import Woken
from tests.support.stores import Store

MX_HOST = "mx1.router.test"
PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Reply:
    """An answer: status, headers, and the body as JSON (None when it is empty or no JSON)."""

    status: int
    headers: Any
    body: Any
    octets: bytes

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def field(self) -> str | None:
        found: str | None = self.body["error"].get("field")
        return found


class Client:
    """Asks the API with one key (or none)."""

    def __init__(self, session: aiohttp.ClientSession, root: str, key: str | None) -> None:
        self._session = session
        self.root = root
        self.key = key

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        """One request; `path` below /api unless it begins with `//`. body: sent as JSON."""
        url = self.root + (path[1:] if path.startswith("//") else f"/api{path}")
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= options.pop("headers", {})
        if body is not None:
            options["json"] = body
        async with self._session.request(method, url, headers=headers, allow_redirects=False, **options) as response:
            octets = await response.read()
            is_json = response.content_type == "application/json" and octets
            return Reply(response.status, response.headers, await response.json() if is_json else None, octets)

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self.ask("POST", path, body, **options)

    async def patch(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self.ask("PATCH", path, body, **options)

    async def delete(self, path: str, **options: Any) -> Reply:
        return await self.ask("DELETE", path, **options)


@dataclass(frozen=True)
class Desk:
    """One API process over a store, with a workspace, its admin and whatever a test adds."""

    store: Store
    clock: FakeClock
    services: Services
    accept: Accept
    directory: Directory
    woken: Woken
    login: FirstLogin
    session: aiohttp.ClientSession
    server: ApiServer

    @property
    def admin(self) -> Client:
        return self.client(self.login.key)

    @property
    def nobody(self) -> Client:
        return self.client(None)

    @property
    def actor(self) -> Actor:
        return Actor(self.login.workspace_id, "admin", user_id=self.login.user_id)

    @property
    def root(self) -> str:
        host, port = self.server.address
        return f"http://{host}:{port}"

    def client(self, key: str | None) -> Client:
        return Client(self.session, self.root, key)

    async def person(self, role: Role, email: str | None = None, *, actor: Actor | None = None) -> tuple[Client, str]:
        """A new user with a key of that role; the client and the user's id."""
        asker = actor or self.actor
        user = await self.services.users.create(
            asker, email=email or f"{role}-{mails.new_message_id()[1:-1]}", role=role, password=None
        )
        new = await self.services.keys.create(asker, name=role, user_id=user.id)
        return self.client(new.clear), user.id

    async def other_workspace(self) -> tuple[Client, Actor]:
        """Another tenant on the same installation, its admin's client and actor."""
        database = self.store.database
        actor = Actor("ws_" + "1" * 26, "admin")
        await database.run("workspace_insert", id=actor.workspace_id, name="Other", created_at=self.clock.now())
        user = await Users(database, self.clock).create(actor, email="admin@other.test", role="admin")
        new = await self.services.keys.create(actor, name="other", user_id=user.id)
        return self.client(new.clear), Actor(actor.workspace_id, "admin", user_id=user.id)

    async def domain(self, name: str = "example.org", *, actor: Actor | None = None) -> str:
        """A domain that is active without any DNS; its id."""
        view = await self.services.domains.create(actor or self.actor, name)
        await self.store.database.run(
            "domain_checked",
            id=view.domain.id,
            token=view.domain.token,
            records="[]",
            checked_at=self.clock.now(),
            status="active",
            verified_at=self.clock.now(),
            misses=0,
            missing_since=None,
            next_check_at=0,
            notice="",
            notice_at=None,
        )
        self.directory.forget()
        return view.domain.id

    async def integration(self, url: str = "http://127.0.0.1:9/services/T0/B0/x", *, actor: Actor | None = None) -> str:
        """An integration; its id."""
        made = await self.services.integrations.create(
            actor or self.actor, type="slack", name="Support", settings={"webhookUrl": url}
        )
        return made.id

    async def alias(self, local_part: str = "support", domain: str = "example.org") -> tuple[str, str, str]:
        """A domain, an integration and an alias between them; their ids."""
        domain_id, integration_id = await self.domain(domain), await self.integration()
        made = await self.services.aliases.create(
            self.actor, domain_id=domain_id, local_part=local_part, integration_id=integration_id
        )
        return domain_id, integration_id, made.id

    async def mail(self, content: bytes | None = None, *, to: str = "support@example.org") -> str:
        """A mail accepted as the SMTP door would; its message id. to: one address or several with commas between."""
        targets = [await self.directory.resolve(parse_mailbox(address)) for address in to.split(",")]
        accepted = tuple(target for target in targets if isinstance(target, Target))
        assert len(accepted) == len(targets), targets
        envelope = Envelope("ada@customer.test", accepted, "192.0.2.7", "customer.test", "ESMTP")
        return (await self.accept.accept(envelope, content or mails.plain(to=to))).message_id

    async def ticket(self, content: bytes | None = None, *, to: str = "support@example.org") -> str:
        """A mail, and the id of the ticket it is in."""
        row = await self.store.database.one("message_links", message_id=await self.mail(content, to=to), most=1)
        assert row is not None
        return str(row["ticket_id"])


def config(dns: DnsStandIn | None = None, **api: Any) -> Config:
    """Webhooks may be local; without limits unless a test sets them."""
    settings = {"requests_per_minute": 0, "requests_per_day": 0, "listen": "127.0.0.1:0"} | api
    return Config(
        server=Server(hostname=MX_HOST),
        smtp=Smtp(min_free_bytes=0),
        dns=Dns(nameservers=(dns.address,)) if dns is not None else Dns(nameservers=("127.0.0.1:9",)),  # type: ignore[arg-type]  # validated from text
        delivery=Delivery(allow_private_networks=True),
        api=Api.model_validate(settings),
    )


@asynccontextmanager
async def served(
    store: Store, settings: Config | None = None, *, clock: FakeClock | None = None, login: FirstLogin | None = None
) -> AsyncIterator[Desk]:
    """An API process. login: of a workspace that is there already, for a second process over the same store."""
    settings = settings or config()
    clock = clock or FakeClock()
    database = store.database
    woken = Woken()
    core = Core(settings, database, clock, SecretBox(new_key()), wake=woken)
    services = core.services
    login = login or await Setup(database, clock).first("admin@example.org")
    server = ApiServer(
        build_app(services, settings.api, public_url=settings.server.public_url),
        host="127.0.0.1",
        port=0,
        keepalive_timeout=settings.api.keepalive_timeout.total_seconds(),
    )
    await server.start()
    jar = aiohttp.DummyCookieJar()
    try:
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            yield Desk(store, clock, services, core.accept, core.directory, woken, login, session, server)
    finally:
        await server.stop(grace=1)
        await services.rate_limits.close()
        await services.authentication.close()
        await core.close()
