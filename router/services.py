"""The use cases of the core in one value: what the API and the command line receive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from router.admin.aliases import Aliases
from router.admin.audit import Audit
from router.admin.authentication import Authentication
from router.admin.blocked_senders import BlockedSenders
from router.admin.deliveries import Deliveries
from router.admin.domains import Domains
from router.admin.explain import Explain
from router.admin.health import HealthReport
from router.admin.idempotency import Idempotency
from router.admin.integrations import Integrations
from router.admin.keys import Keys
from router.admin.messages import Messages
from router.admin.overview import Overviews
from router.admin.rate_limits import RateLimits
from router.admin.sessions import Sessions
from router.admin.tickets import Tickets
from router.admin.users import Users
from router.admin.welcome import Welcome
from router.admin.workspaces import Workspaces
from router.clock import Clock


@dataclass(frozen=True, slots=True)
class Services:
    """ready: raises `Unavailable` or `SchemaMismatch` when requests would fail (`router.store.migrate.check`)."""

    clock: Clock
    authentication: Authentication
    sessions: Sessions
    welcome: Welcome
    rate_limits: RateLimits
    idempotency: Idempotency
    workspaces: Workspaces
    users: Users
    keys: Keys
    domains: Domains
    integrations: Integrations
    aliases: Aliases
    tickets: Tickets
    messages: Messages
    deliveries: Deliveries
    blocked_senders: BlockedSenders
    explain: Explain
    audit: Audit
    overview: Overviews
    health: HealthReport
    ready: Callable[[], Awaitable[None]]
