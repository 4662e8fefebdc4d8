"""Builds the use cases (`Services`) of a core. Starts nothing and waits for nothing."""

from __future__ import annotations

from config.schema import Config
from emailrouter.assembly import replies as reply_parts
from emailrouter.assembly import smtp_servers
from emailrouter.assembly.core import Core
from emailrouter.check.outside_view import OutsideView
from emailrouter.first_login import first_address
from router.admin.access import setup_link
from router.admin.access.authentication import AuthenticationService
from router.admin.access.keys import KeyService
from router.admin.access.link_mail import LinkMailer
from router.admin.access.password_links import PasswordLinkService
from router.admin.access.sessions import SessionService
from router.admin.access.setup_link import SetupLinkService
from router.admin.access.users import UserService
from router.admin.audit import AuditService
from router.admin.display_names import DisplayNameService
from router.admin.domains.domain_checks import DnsPolicy, DomainCheckService
from router.admin.domains.domain_view import DomainViews
from router.admin.domains.domains import DomainService
from router.admin.domains.sending import SendingService
from router.admin.domains.sending_checks import SendingChecks, SendingLookups
from router.admin.idempotency import IdempotencyService
from router.admin.installation.attention import AttentionService
from router.admin.installation.health import HealthService
from router.admin.installation.overview import OverviewService
from router.admin.installation.reachability import ReachabilityService
from router.admin.installation.workspaces import WorkspaceService
from router.admin.routes.aliases import AliasService
from router.admin.routes.allowed_senders import AllowedSenderService
from router.admin.routes.blocked_senders import BlockedSenderService
from router.admin.routes.check_previews import CheckPreviewService
from router.admin.routes.deliveries import DeliveryService
from router.admin.routes.explain import ExplanationService
from router.admin.routes.integrations import IntegrationService
from router.admin.routes.test_mail import TestMailService
from router.admin.templates.canned_responses import CannedResponseService
from router.admin.templates.templates import TemplateService
from router.admin.tickets.conversation import ConversationReader
from router.admin.tickets.messages import MessageService
from router.admin.tickets.sender_checks import SenderCheckService
from router.admin.tickets.senders import SenderService
from router.admin.tickets.spam import SpamService
from router.admin.tickets.tags import TagService
from router.admin.tickets.tickets import TicketService
from router.channels import CHANNELS
from router.clock import to_micros
from router.dns.caching_resolver import CachingResolver
from router.dns.resolver import DnsResolver
from router.ratelimit.request_limiter import DatabaseRateLimiter, ProcessRateLimiter, RateLimiter
from router.routing.route import Refusal
from router.services import Services
from router.store import migrate
from router.store.postgres import PostgresDatabase
from smtp import policy, replies
from smtp.replies import Reply


def build_services(core: Core) -> Services:
    config, database, clock = core.config, core.database, core.clock
    changed, max_age = core.routing_cache.invalidate, to_micros(config.delivery.max_age)
    blocked_senders = BlockedSenderService(database, clock)
    domain_checks = build_domain_checks(core)
    uploads = reply_parts.build_uploads(core)
    templates = TemplateService(database, clock, core.parser.sanitize_template, link_base=core.link_base)
    return Services(
        clock=clock,
        authentication=AuthenticationService(database, clock),
        sessions=SessionService(database, clock, core.box),
        setup_link=SetupLinkService(database, clock, config.server.data_dir / setup_link.FIRST_LOGIN_FILE),
        password_links=PasswordLinkService(database, clock),
        rate_limits=_build_rate_limits(core),
        idempotency=IdempotencyService(database, clock),
        workspaces=WorkspaceService(database, clock, on_routing_change=changed),
        users=UserService(database, clock, base_url=first_address(config), mailer=_build_link_mailer(core)),
        keys=KeyService(database, clock),
        domains=DomainService(database, clock, domain_checks, mx_hosts=mx_hosts(config), on_routing_change=changed),
        sending=_build_sending(core, domain_checks),
        integrations=IntegrationService(database, clock, core.poster, core.wake),
        aliases=AliasService(database, clock, _build_tester(core), on_routing_change=changed),
        replies=reply_parts.build_replies(core, uploads, templates),
        uploads=uploads,
        tickets=TicketService(database, clock, ConversationReader(database, core.contents)),
        messages=MessageService(database, core.contents, authserv_ids=authserv_ids(config)),
        sender_checks=SenderCheckService(database, clock, core.wake, enabled=config.checks.enabled),
        senders=SenderService(database, TagService(database, clock)),
        spam=SpamService(database, clock, core.wake, blocked_senders.block_within, max_age=max_age),
        deliveries=DeliveryService(database, clock, core.wake, max_age=max_age),
        display_names=DisplayNameService(database),
        allowed_senders=AllowedSenderService(database, clock),
        blocked_senders=blocked_senders,
        check_previews=CheckPreviewService(database),
        templates=templates,
        canned_responses=CannedResponseService(database, clock, link_base=core.link_base),
        explanations=ExplanationService(
            database, clock, CHANNELS, _reply_to_recipient, has_checks=config.checks.enabled
        ),
        audit=AuditService(database),
        overview=OverviewService(database, clock),
        health=HealthService(database, clock),
        attention=AttentionService(database, clock),
        reachability=core.reachability,
        ready=lambda: migrate.check_schema(database),
    )


def _build_link_mailer(core: Core) -> LinkMailer:
    return LinkMailer(
        core.database,
        core.clock,
        core.sending,
        core.smarthost_client,
        box=core.box,
        settings=core.config.outgoing,
        hostname=core.config.server.hostname,
    )


def _build_tester(core: Core) -> TestMailService:
    config = core.config
    return TestMailService(
        core.database,
        core.clock,
        core.routing_cache,
        smtp_servers.build_client(config),
        lambda: smtp_servers.find_servers(config, core.listening_smtp()),
        box=core.box,
        hostname=config.server.hostname,
    )


def _build_rate_limits(core: Core) -> RateLimiter:
    if isinstance(core.database, PostgresDatabase):
        return DatabaseRateLimiter(core.database, core.clock)
    return ProcessRateLimiter(core.database, core.clock)


def build_domain_checks(core: Core) -> DomainCheckService:
    resolver = build_resolver(core.config)
    dns = core.config.dns
    policy = DnsPolicy(mx_hosts(core.config), dns.verification, to_micros(dns.recheck_interval))
    return DomainCheckService(
        core.database,
        core.clock,
        CachingResolver(resolver, core.clock),
        policy,
        SendingChecks(core.database, core.clock, find_lookups(resolver), core.config.outgoing),
        on_routing_change=core.routing_cache.invalidate,
    )


def find_lookups(resolver: DnsResolver) -> SendingLookups:
    """Returns the lookups of a resolver and of its alternates."""
    return SendingLookups(resolver.query, tuple(alternate.query for alternate in resolver.alternates))


def _build_sending(core: Core, checks: DomainCheckService) -> SendingService:
    config = core.config
    return SendingService(
        core.database,
        core.clock,
        core.box,
        checks=checks.sending,
        views=DomainViews(checks, mx_hosts(config)),
        reader=core.sending,
        settings=config.outgoing,
        client=core.smarthost_client,
        allow_private=config.delivery.allow_private_networks,
    )


def build_reachability(core: Core) -> ReachabilityService:
    config = core.config
    resolver = build_resolver(config)
    checks = OutsideView(config, resolver, core.clock, core.database, lambda: core.listening_smtp())  # noqa: PLW0108 - replaced by a server
    return ReachabilityService(core.database, core.clock, checks)


def build_resolver(config: Config) -> DnsResolver:
    return DnsResolver([(server.host, server.port) for server in config.dns.nameservers])


def mx_hosts(config: Config) -> tuple[tuple[str, int], ...]:
    """Returns (host, priority) of every host that receives mail for this installation."""
    return tuple((mx.host, mx.priority) for mx in config.server.mx_hosts)


def authserv_ids(config: Config) -> tuple[str, ...]:
    """Returns our names in Authentication-Results (RFC 8601): first the one that we use, then others of this host."""
    hosts = [mx.host for mx in config.server.mx_hosts]
    return tuple(dict.fromkeys([config.checks.authserv_id or hosts[0], config.server.hostname, *hosts]))


def _reply_to_recipient(refusal: Refusal | None) -> str:
    return _format_reply(replies.RECIPIENT_OK if refusal is None else policy.refusal_reply(refusal))


def _format_reply(reply: Reply) -> str:
    return f"{reply.code} {reply.enhanced} {reply.text}"
