"""The use cases over an open database, for whoever asks: the API's process and the command line build them here.

What differs between the two comes as arguments: who accepts a test mail, who is woken, which cache hears of a change.
Nothing here waits or starts.
"""

from __future__ import annotations

from collections.abc import Callable

from config.schema import Config
from router.admin.aliases import Aliases
from router.admin.audit import Audit
from router.admin.authentication import Authentication
from router.admin.blocked_senders import BlockedSenders
from router.admin.conversation import Conversation
from router.admin.deliveries import Deliveries
from router.admin.domain_checks import DnsPolicy, DomainChecks
from router.admin.domains import Domains
from router.admin.explain import Explain
from router.admin.health import HealthReport
from router.admin.idempotency import Idempotency
from router.admin.integrations import Integrations
from router.admin.keys import Keys
from router.admin.messages import Messages
from router.admin.overview import Overviews
from router.admin.rate_limits import ProcessCounts, RateLimits, SharedCounts
from router.admin.sessions import Sessions
from router.admin.testmail import TestMailer
from router.admin.tickets import Tickets
from router.admin.users import Users
from router.admin.welcome import Welcome
from router.admin.workspaces import Workspaces
from router.channels import CHANNELS
from router.channels.contract import Client
from router.clock import Clock, micros
from router.contents import ContentStore
from router.dns.resolver import DnsResolver
from router.dns.shared import SharedResolver
from router.outbound.client import OutboundClient
from router.ports import Acceptor, Recipients, Wake
from router.routing.route import Refusal
from router.secrets import SecretBox
from router.services import Services
from router.store import migrate
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase
from smtp import policy, replies
from smtp.replies import Reply


def build(
    config: Config,
    opened: SqliteDatabase | PostgresDatabase,
    clock: Clock,
    *,
    box: SecretBox,
    client: Client,
    contents: ContentStore,
    recipients: Recipients,
    acceptor: Acceptor,
    wake: Wake,
    changed: Callable[[], None],
) -> Services:
    """changed: called after the commit of what changes how mail is routed (`Directory.forget`)."""
    counts: RateLimits = (
        SharedCounts(opened, clock) if isinstance(opened, PostgresDatabase) else ProcessCounts(opened, clock)
    )
    blocked = BlockedSenders(opened, clock)
    tester = TestMailer(opened, clock, recipients, acceptor, hostname=config.server.hostname)
    return Services(
        clock=clock,
        authentication=Authentication(opened, clock),
        sessions=Sessions(opened, clock),
        welcome=Welcome(opened, clock),
        rate_limits=counts,
        idempotency=Idempotency(opened, clock),
        workspaces=Workspaces(opened, clock),
        users=Users(opened, clock),
        keys=Keys(opened, clock),
        domains=Domains(
            opened,
            clock,
            domain_checks(config, opened, clock, changed=changed),
            mx_hosts=mx_hosts(config),
            changed=changed,
        ),
        integrations=Integrations(
            opened,
            clock,
            CHANNELS,
            client=client,
            box=box,
            wake=wake,
            allow_private=config.delivery.allow_private_networks,
            timeout=config.delivery.timeout.total_seconds(),
        ),
        aliases=Aliases(opened, clock, tester, changed=changed),
        tickets=Tickets(opened, clock, Conversation(opened, contents)),
        messages=Messages(opened, contents),
        deliveries=Deliveries(opened, clock, wake, max_age=micros(config.delivery.max_age)),
        blocked_senders=blocked,
        explain=Explain(
            opened, clock, blocked, CHANNELS, _reply_to_recipient, blocked_reply=_said(replies.SENDER_BLOCKED)
        ),
        audit=Audit(opened),
        overview=Overviews(opened, clock),
        health=HealthReport(opened, clock),
        ready=lambda: migrate.check(opened),
    )


def domain_checks(
    config: Config, opened: SqliteDatabase | PostgresDatabase, clock: Clock, *, changed: Callable[[], None]
) -> DomainChecks:
    """What looks at domains in the DNS: for a person by the use cases, from time to time by the janitor."""
    resolver = SharedResolver(dns_resolver(config), clock)
    policy = DnsPolicy(mx_hosts(config), config.dns.verification, micros(config.dns.recheck_interval))
    return DomainChecks(opened, clock, resolver, policy, changed=changed)


def outbound_client(config: Config) -> OutboundClient:
    """The guarded HTTP client, as the configuration wants it."""
    return OutboundClient(
        allow_private=config.delivery.allow_private_networks,
        timeout=config.delivery.timeout.total_seconds(),
        answer_excerpt=config.delivery.answer_excerpt,
    )


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
