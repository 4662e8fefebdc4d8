"""An installation that serves the API and the dashboard on a real socket."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import aiohttp

from api.server import ApiServer
from emailrouter.assembly import api
from router.admin.installation.first_workspace import FirstLogin, SetupService
from router.admin.installation.reachability import ReachabilityService
from router.check_result import CheckResult, ok
from router.enumerations import Role
from router.model import Actor
from router.routing.route import Target
from tests.support import mails
from tests.support.clock import FakeClock
from tests.support.dns import DnsStandIn
from tests.support.installation.installation import Installation
from tests.support.installation.settings import DOMAIN, HOST
from tests.support.stores import Store

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class ApiReply:
    """A response. body: the decoded JSON, or None if the response is not JSON."""

    status: int
    headers: Any
    body: Any
    content: bytes

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    @property
    def field(self) -> str | None:
        found: str | None = self.body["error"].get("field")
        return found


class ApiClient:
    """A client of the API with one API key, or without a key."""

    def __init__(self, session: aiohttp.ClientSession, root: str, key: str | None) -> None:
        self._session = session
        self.root = root
        self.key = key

    async def request(self, method: str, path: str, body: Any = None, **options: Any) -> ApiReply:
        """Sends one request.

        path: relative to /api, or to the root if it begins with `//`. body: sent as JSON unless it is None.
        """
        url = self.root + (path[1:] if path.startswith("//") else f"/api{path}")
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= options.pop("headers", {})
        if body is not None:
            options["json"] = body
        async with self._session.request(method, url, headers=headers, allow_redirects=False, **options) as response:
            content = await response.read()
            is_json = response.content_type == "application/json" and content
            return ApiReply(response.status, response.headers, await response.json() if is_json else None, content)

    async def get(self, path: str, **options: Any) -> ApiReply:
        return await self.request("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> ApiReply:
        return await self.request("POST", path, body, **options)

    async def patch(self, path: str, body: Any = None, **options: Any) -> ApiReply:
        return await self.request("PATCH", path, body, **options)

    async def delete(self, path: str, **options: Any) -> ApiReply:
        return await self.request("DELETE", path, **options)


class ReachableHost:
    """Stands in for the checks of the host, whose results depend on the machine that runs the tests."""

    is_loopback_only = False
    receivers = (HOST,)

    async def find_own_addresses(self) -> Collection[IPv4Address | IPv6Address]:
        return ()

    async def run(self) -> Sequence[CheckResult]:
        return [ok("hostname", "mx1.host.test resolves to 93.184.216.34"), ok("smtp port", "0.0.0.0:25 responds")]


class ServedInstallation(Installation):
    """An installation with a workspace whose admin has an API key. `serve_api` creates the workspace and the key."""

    login: FirstLogin
    session: aiohttp.ClientSession
    server: ApiServer

    @property
    def admin(self) -> ApiClient:
        return self.client(self.login.key)

    @property
    def anonymous(self) -> ApiClient:
        return self.client(None)

    @property
    def actor(self) -> Actor:
        return Actor(self.login.workspace_id, "admin", user_id=self.login.user_id)

    @property
    def root(self) -> str:
        host, port = self.server.address
        return f"http://{host}:{port}"

    def client(self, key: str | None) -> ApiClient:
        return ApiClient(self.session, self.root, key)

    async def add_client(
        self, role: Role, email: str | None = None, *, actor: Actor | None = None
    ) -> tuple[ApiClient, str]:
        asker = actor or self.actor
        user = await self.services.users.create(
            asker, email=email or f"{role}-{mails.new_message_id()[1:-1]}", role=role, password=None
        )
        new = await self.services.keys.create(asker, name=role, user_id=user.id)
        return self.client(new.plaintext), user.id

    async def create_workspace(self) -> tuple[ApiClient, Actor]:
        database = self.database
        actor = Actor("ws_" + "1" * 26, "admin")
        await database.execute("workspace_insert", id=actor.workspace_id, name="Other", created_at=self.clock.now())
        user = await self.services.users.create(actor, email="admin@other.test", role="admin")
        new = await self.services.keys.create(actor, name="other", user_id=user.id)
        return self.client(new.plaintext), Actor(actor.workspace_id, "admin", user_id=user.id)

    async def create_domain(self, name: str = DOMAIN, *, actor: Actor | None = None) -> str:
        """Adds a domain, activates it without DNS checks, and returns its id."""
        view = await self.services.domains.create(actor or self.actor, name)
        await self.database.execute(
            "domain_record_check",
            id=view.domain.id,
            token=view.domain.token,
            records="[]",
            checked_at=self.clock.now(),
            status="active",
            verified_at=self.clock.now(),
            misses=0,
            missing_since=None,
            next_check_at=0,
            alert="",
            alert_at=None,
        )
        self.core.routing_cache.invalidate()
        return view.domain.id

    async def create_integration(
        self, url: str = "http://127.0.0.1:9/services/T0/B0/x", *, actor: Actor | None = None
    ) -> str:
        made = await self.services.integrations.create(
            actor or self.actor, type="slack", name="Support", settings={"webhookUrl": url}
        )
        return made.id

    async def create_alias(self, local_part: str = "support", domain: str = DOMAIN) -> tuple[str, str, str]:
        domain_id, integration_id = await self.create_domain(domain), await self.create_integration()
        made = await self.services.aliases.create(
            self.actor, domain_id=domain_id, local_part=local_part, integration_id=integration_id
        )
        return domain_id, integration_id, made.id

    async def accept_message(
        self, content: bytes | None = None, *to: Target | str, reverse_path: str = "ada@customer.test"
    ) -> str:
        """Resolves recipients and accepts a message, as the SMTP server does, and returns its id.

        to: targets or full addresses; by default `support` of `DOMAIN`. Does not advance the clock.
        """
        chosen = to or (f"support@{DOMAIN}",)
        targets = [one if isinstance(one, Target) else await self.resolve(one) for one in chosen]
        content = content or mails.plain(to=", ".join(target.recipient for target in targets))
        return (await self.accept.accept(self.envelope(*targets, reverse_path=reverse_path), content)).message_id


def served_settings(dns: DnsStandIn | None = None, **own: Any) -> dict[str, object]:
    """Returns settings without request limits. own: additional settings of `[api]`, which take precedence."""
    found: dict[str, object] = {
        f"api.{limit}": 0 for limit in ("requests_per_minute", "requests_per_day", "session_requests_per_minute")
    }
    if dns is not None:
        found["dns.nameservers"] = [dns.address]
    return found | {f"api.{key}": value for key, value in own.items()}


@asynccontextmanager
async def serve_api(
    store: Store,
    settings: Mapping[str, object] | None = None,
    *,
    clock: FakeClock | None = None,
    login: FirstLogin | None = None,
    real_time: bool = False,
    checks_host: bool = False,
) -> AsyncIterator[ServedInstallation]:
    """Serves the API and the dashboard in this process.

    login: the first login of an existing workspace, for a second server on the same store; None creates a workspace.
    checks_host: whether pages show real checks of this host instead of those of a reachable one.
    """
    found = ServedInstallation(store, settings or served_settings(), clock=clock, real_time=real_time)
    if not checks_host:
        found.core.reachability = ReachabilityService(store.database, found.core.clock, ReachableHost())
    found.login = login or await SetupService(store.database, found.core.clock).create_first_workspace(
        "admin@example.org"
    )
    found.workspace_id = found.login.workspace_id
    found.server = api.build_server(found.core)
    await found.server.start()
    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            found.session = session
            yield found
    finally:
        await found.server.stop(grace=1)
        await found.services.rate_limits.close()
        await found.services.authentication.close()
        await found.close()
