"""The use cases of the core in one value: what the API and the command line receive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from router.admin.access.authentication import Authentication
from router.admin.access.keys import Keys
from router.admin.access.sessions import Sessions
from router.admin.access.setup_link import Welcome
from router.admin.access.users import Users
from router.admin.audit import Audit
from router.admin.display_names import DisplayNames
from router.admin.domains.domains import Domains
from router.admin.idempotency import Idempotency
from router.admin.installation.attention import Attention
from router.admin.installation.health import HealthReport
from router.admin.installation.overview import Overviews
from router.admin.installation.workspaces import Workspaces
from router.admin.routes.aliases import Aliases
from router.admin.routes.blocked_senders import BlockedSenders
from router.admin.routes.deliveries import Deliveries
from router.admin.routes.explain import Explain
from router.admin.routes.integrations import Integrations
from router.admin.tickets.messages import Messages
from router.admin.tickets.tickets import Tickets
from router.clock import Clock
from router.ratelimit.fixed_counts import RateLimits


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
    display_names: DisplayNames
    blocked_senders: BlockedSenders
    explain: Explain
    audit: Audit
    overview: Overviews
    health: HealthReport
    attention: Attention
    ready: Callable[[], Awaitable[None]]
