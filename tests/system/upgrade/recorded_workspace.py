"""Fills the recorded installation with everything that messages need: workspaces, users, domains, integrations."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from emailrouter import use_cases
from router.admin.idempotency import IdempotencyClaim
from router.admin.installation.first_workspace import FirstLogin, SetupService
from router.admin.installation.key_rotation import FINGERPRINT_FACT
from router.admin.installation.workspace_admin import WorkspaceAdminService
from router.clock import SECOND
from router.enumerations import Role
from router.errors import Refused
from router.model import Actor
from router.ratelimit.sliding_window import RateLimit
from router.secrets import fingerprint
from tests.support.discord import DiscordStandIn, DiscordThread
from tests.support.dns import DnsStandIn
from tests.support.installation import DOMAIN, HOST, Installation
from tests.support.installation.http import PASSWORD
from tests.support.manual_delivery import ManualDelivery
from tests.support.slack import SlackStandIn
from tests.support.webhook_stand_in import WebhookStandIn

THREAD_ID = "700"
DAYS = 86_400 * SECOND
CLIENT = "192.0.2.1"


@dataclass
class RecordedInstallation:
    """The installation that is recorded, the stand-ins it uses, and what was created in it.

    Attributes:
        users: The ids of users by their roles.
        outboxes: The deliver processes of the integrations, by their names.
    """

    installation: Installation
    login: FirstLogin
    slack: SlackStandIn
    discord: DiscordStandIn
    dns: DnsStandIn
    users: dict[Role, str] = field(default_factory=dict)
    outboxes: dict[str, ManualDelivery] = field(default_factory=dict)

    @property
    def admin(self) -> Actor:
        return replace(self.installation.actor, user_id=self.login.user_id, address=CLIENT)

    @property
    def agent(self) -> Actor:
        return Actor(self.login.workspace_id, "agent", user_id=self.users["agent"], address=CLIENT)

    async def authenticate_key(self) -> Actor:
        caller = await self.installation.services.authentication.authenticate_key(self.login.key, address=CLIENT)
        return caller.actor

    async def add_integration(
        self, name: str, service: WebhookStandIn, kind: str = "slack", settings: Mapping[str, str] | None = None
    ) -> str:
        integration = await self.installation.services.integrations.create(
            self.admin, type=kind, name=name, settings={"webhookUrl": service.url(name), **(settings or {})}
        )
        self.outboxes[name] = ManualDelivery(self.installation, service, integration.id)
        return integration.id

    async def add_alias(self, local_part: str, integration: str, *, domain_id: str = "") -> str:
        alias = await self.installation.services.aliases.create(
            self.admin,
            domain_id=domain_id or self.installation.domain_id,
            local_part=local_part,
            integration_id=self.outboxes[integration].integration_id,
        )
        return alias.id

    async def add_active_domain(self, name: str) -> str:
        """Adds a domain whose MX record is correct."""
        self.dns.set(name, "MX", f"10 {HOST}.")
        domains = self.installation.services.domains
        view = await domains.create(self.admin, name)
        await domains.verify(self.admin, view.domain.id)
        return view.domain.id

    def publish_token(self, name: str, token: str) -> None:
        self.dns.set(f"_emailrouter.{name}", "TXT", f"emailrouter-verification={token}")


async def create_workspace(
    installation: Installation, slack: SlackStandIn, discord: DiscordStandIn, dns: DnsStandIn
) -> RecordedInstallation:
    """Creates everything except messages, tickets and deliveries."""
    database = installation.database
    await database.execute("installation_insert", name=FINGERPRINT_FACT, value=fingerprint(installation.secret_key))
    setup = SetupService(database, installation.clock)
    login = await setup.create_first_workspace("ann@example.org")
    await setup.record_file_key(login)
    installation.workspace_id = login.workspace_id
    recorded = RecordedInstallation(installation, login, slack, discord, dns)
    await _add_users(recorded)
    await _add_requests(recorded)
    await _add_integrations(recorded)
    await _add_domains(recorded)
    for sender in ("@spam.test", "mallory@customer.test", "198.51.100.0/24"):
        await installation.services.blocked_senders.create(recorded.admin, sender)
    return recorded


async def _add_users(recorded: RecordedInstallation) -> None:
    services, now = recorded.installation.services, recorded.installation.clock.now()
    roles: tuple[Role, ...] = ("admin", "agent", "viewer")
    for role in roles:
        user = await services.users.create(
            recorded.admin,
            email=f"{role}@example.org",
            name=role.title(),
            role=role,
            password=PASSWORD,
            timezone="America/New_York",
        )
        recorded.users[role] = user.id
        key = await services.keys.create(recorded.admin, name=f"of the {role}", user_id=user.id, expires_at=now + DAYS)
        await services.keys.revoke(recorded.admin, key.key.id)
        await services.sessions.sign_in(user.email, PASSWORD, address=CLIENT)
    former = await services.users.create(recorded.admin, email="former@example.org")
    await services.users.change(recorded.admin, former.id, disabled=True)
    await services.users.invite(recorded.admin, email="invited@example.org")
    await recorded.authenticate_key()  # records the last use


async def _add_requests(recorded: RecordedInstallation) -> None:
    """Adds a failed sign-in, a counted request, and idempotent requests in each state."""
    services = recorded.installation.services
    with suppress(Refused):
        await services.sessions.sign_in(recorded.login.email, "wrong password", address=CLIENT)
    scope = f"key:{recorded.login.key_id}"
    await services.rate_limits.count({scope: RateLimit(60, 60)})
    await services.rate_limits.close()
    for key, answer in (("stored", '{"id": "dom_1"}'), ("secret", None)):
        claim = await services.idempotency.claim(f"{scope} POST /domains", key, "digest")
        assert isinstance(claim, IdempotencyClaim)
        await services.idempotency.store_response(claim, 201, answer)
    await services.idempotency.claim(f"{scope} POST /domains", "running", "digest")


async def _add_integrations(recorded: RecordedInstallation) -> None:
    general = await recorded.add_integration("general", recorded.slack)
    for name in ("night", "broken", "removed"):
        await recorded.add_integration(name, recorded.slack)
    recorded.discord.threads[THREAD_ID] = DiscordThread("Tickets")
    settings = {"threadId": THREAD_ID, "username": "Support"}
    await recorded.add_integration("board", recorded.discord, "discord", settings)
    await recorded.installation.services.workspaces.change(
        recorded.admin, name="Acme", default_integration_id=general, timezone="Europe/Berlin", locale="de"
    )


async def _add_domains(recorded: RecordedInstallation) -> None:
    """Adds domains in every state. With a second workspace, an MX record alone no longer verifies a domain."""
    installation, domains = recorded.installation, recorded.installation.services.domains
    installation.domain_name = DOMAIN
    installation.domain_id = await recorded.add_active_domain(DOMAIN)
    aliases = {"support": "general", "night": "night", "broken": "broken", "billing": "board", "removed": "removed"}
    for local_part, integration in aliases.items():
        await recorded.add_alias(local_part, integration)
    unused = await recorded.add_alias("unused", "general")
    await installation.services.aliases.change(
        recorded.admin, unused, status="disabled", forwarded_from="help@elsewhere.example"
    )
    await installation.add_alias("archive", None)  # no service creates an alias without an integration
    missing = await recorded.add_active_domain("missing.test")
    await recorded.add_alias("*", "general", domain_id=missing)
    recorded.dns.remove("missing.test")
    for _ in range(2):
        installation.clock.advance(days=2)
        await use_cases.build_domain_checks(installation.core).recheck_due()
    await recorded.add_alias("*", "general", domain_id=await recorded.add_active_domain("moved.test"))
    relayed = (await domains.create(recorded.admin, "relayed.test")).domain
    recorded.publish_token("relayed.test", relayed.token)
    await domains.set_mx_upstream(recorded.admin, relayed.id, True)
    await domains.verify(recorded.admin, relayed.id)
    await domains.create(recorded.admin, "unchecked.test")
    other = await WorkspaceAdminService(installation.database, installation.clock).create("Other", "bob@other.test")
    owner = Actor(other.workspace_id, "admin", user_id=other.user_id)
    await domains.create(owner, DOMAIN)
    moved = (await domains.create(owner, "moved.test")).domain
    recorded.publish_token("moved.test", moved.token)
    await domains.verify(owner, moved.id)
