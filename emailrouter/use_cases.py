"""The use cases over a core: `Services`, and what some of them are built of. Nothing here waits or starts."""

from __future__ import annotations

from config.schema import Config
from emailrouter.assembly.core import Core
from router.admin.access import setup_link
from router.admin.access.authentication import Authentication
from router.admin.access.keys import Keys
from router.admin.access.sessions import Sessions
from router.admin.access.setup_link import Welcome
from router.admin.access.users import Users
from router.admin.audit import Audit
from router.admin.display_names import DisplayNames
from router.admin.domains.domain_checks import DnsPolicy, DomainChecks
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
from router.admin.routes.test_mail import TestMailer
from router.admin.tickets.conversation import Conversation
from router.admin.tickets.messages import Messages
from router.admin.tickets.tickets import Tickets
from router.channels import CHANNELS
from router.clock import micros
from router.dns.resolver import DnsResolver
from router.dns.shared import SharedResolver
from router.ports import Accepted
from router.ratelimit.fixed_counts import ProcessCounts, RateLimits, SharedCounts
from router.routing.envelope import Envelope
from router.routing.route import Refusal
from router.services import Services
from router.store import migrate
from router.store.postgres import PostgresDatabase
from smtp import policy, replies
from smtp.replies import Reply


def build(core: Core) -> Services:
    """Every use case over one core."""
    config, opened, clock = core.config, core.database, core.clock
    changed = core.directory.forget
    tester = TestMailer(opened, clock, core.directory, _LazyAcceptor(core), hostname=config.server.hostname)
    return Services(
        clock=clock,
        authentication=Authentication(opened, clock),
        sessions=Sessions(opened, clock, core.box),
        welcome=Welcome(opened, clock, config.server.data_dir / setup_link.FILE),
        rate_limits=_rate_limits(core),
        idempotency=Idempotency(opened, clock),
        workspaces=Workspaces(opened, clock),
        users=Users(opened, clock),
        keys=Keys(opened, clock),
        domains=Domains(opened, clock, domain_checks(core), mx_hosts=mx_hosts(config), changed=changed),
        integrations=Integrations(opened, clock, core.poster, core.wake),
        aliases=Aliases(opened, clock, tester, changed=changed),
        tickets=Tickets(opened, clock, Conversation(opened, core.contents)),
        messages=Messages(opened, core.contents),
        deliveries=Deliveries(opened, clock, core.wake, max_age=micros(config.delivery.max_age)),
        display_names=DisplayNames(opened),
        blocked_senders=BlockedSenders(opened, clock),
        explain=Explain(opened, clock, CHANNELS, _reply_to_recipient),
        audit=Audit(opened),
        overview=Overviews(opened, clock),
        health=HealthReport(opened, clock),
        attention=Attention(opened, clock),
        ready=lambda: migrate.check(opened),
    )


class _LazyAcceptor:
    """Starts the group commit with the first mail: few processes that have the use cases accept one through them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def accept(self, envelope: Envelope, content: bytes) -> Accepted:
        """See `router.ports.Acceptor.accept`."""
        return await self._core.accept.accept(envelope, content)


def _rate_limits(core: Core) -> RateLimits:
    if isinstance(core.database, PostgresDatabase):
        return SharedCounts(core.database, core.clock)
    return ProcessCounts(core.database, core.clock)


def domain_checks(core: Core) -> DomainChecks:
    """Checks domains in the DNS with a resolver of its own."""
    resolver = SharedResolver(dns_resolver(core.config), core.clock)
    dns = core.config.dns
    policy = DnsPolicy(mx_hosts(core.config), dns.verification, micros(dns.recheck_interval))
    return DomainChecks(core.database, core.clock, resolver, policy, changed=core.directory.forget)


def dns_resolver(config: Config) -> DnsResolver:
    """Asks `[dns] nameservers`."""
    return DnsResolver([(server.host, server.port) for server in config.dns.nameservers])


def mx_hosts(config: Config) -> tuple[tuple[str, int], ...]:
    """(host, priority) of every host that receives mail for this installation."""
    return tuple((mx.host, mx.priority) for mx in config.server.mx_hosts)


def _reply_to_recipient(refusal: Refusal | None) -> str:
    return _said(replies.RECIPIENT_OK if refusal is None else policy.for_refusal(refusal))


def _said(reply: Reply) -> str:
    """A reply as its peer reads it."""
    return f"{reply.code} {reply.enhanced} {reply.text}"
