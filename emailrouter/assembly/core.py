"""The core of a process over an open database, assembled in one place for processes, commands and tests.

Each part is built at its first use, so that a process only loads the modules that it needs. Building a part does not
wait for I/O.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from config.schema import Config
from router.accept import Accept
from router.accept.incoming import CheckWaits, IncomingMail
from router.accept.transaction import Committed, commit_group
from router.clock import SECOND, Clock, to_micros
from router.contents.pool import Parser
from router.contents.store import ContentStore
from router.meter import NULL_METER, Meter
from router.ports import Waker
from router.routing.routing_cache import RoutingCache
from router.routing.sender_hits import SenderHits
from router.secrets import SecretBox
from router.side_tasks import SideTasks
from router.store import catalog
from router.store.disk_space import FreeSpaceCheck
from router.store.group_commit import GroupLimits, GroupWriter
from router.store.group_writers import GroupWriters
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from router.admin.installation.reachability import ReachabilityService
    from router.channels.poster import Poster
    from router.checks.dns_cache import DnsCache
    from router.checks.rspamd import RspamdClient
    from router.dispatch.bounce_runner import BounceRunner
    from router.dispatch.check_runner import CheckRunner
    from router.dispatch.dispatcher import Dispatcher
    from router.dispatch.submission_runner import SubmissionRunner
    from router.outbound.client import OutboundClient
    from router.outbound.smarthost.client import SmarthostClient
    from router.replies.build import ReplyBuilder
    from router.replies.sending import SendingReader
    from router.services import Services

AnyDatabase = SqliteDatabase | PostgresDatabase
# Connections to PostgreSQL for accepting messages: two, so that the next group is written during a commit.
ACCEPT_CONNECTIONS = 2
# How long the results of the checks may take to be stored, before the posts that can be held are sent without them.
STORE_MARGIN = SECOND


class Core:
    """The parts that roles share. Before its first use, a part can be replaced by assigning another object.

    `wake` is notified of integrations with due deliveries; None selects the dispatcher of this core. `link_base` is
    the base URL of links to tickets in messages; None for no links. `listening_smtp` returns the addresses of the SMTP
    server of this process, as `127.0.0.1:25`.
    """

    def __init__(
        self,
        config: Config,
        database: AnyDatabase,
        clock: Clock,
        box: SecretBox,
        *,
        wake: Waker | None = None,
        link_base: str | None = None,
        meter: Meter = NULL_METER,
        side_tasks: SideTasks | None = None,
    ) -> None:
        self.config = config
        self.database = database
        self.clock = clock
        self.box = box
        self.side_tasks = side_tasks or SideTasks()
        self.meter = self.side_tasks.wrap_meter(meter)
        self.link_base = link_base
        self.listening_smtp: Callable[[], Sequence[str]] = tuple
        self._wake = wake
        settings = config.database
        self.writers = GroupWriters(
            database,
            catalog.load_catalog(),
            GroupLimits(settings.group_mails, settings.group_bytes),
            busy_timeout=settings.busy_timeout.total_seconds(),
        )

    @cached_property
    def sender_hits(self) -> SenderHits:
        return SenderHits(self.database, self.clock, self.side_tasks.run_async)

    @cached_property
    def routing_cache(self) -> RoutingCache:
        server = self.config.server
        return RoutingCache(
            self.database,
            self.clock,
            self.sender_hits,
            size=self.config.smtp.recipient_cache,
            hosts=[server.hostname, *(mx.host for mx in server.mx_hosts)],
            has_checks=self.config.checks.enabled,
        )

    @cached_property
    def parser(self) -> Parser:
        return Parser()

    @cached_property
    def contents(self) -> ContentStore:
        return ContentStore(self.database, self.writers, self.clock, self.meter, self.parser)

    @cached_property
    def client(self) -> OutboundClient:
        from router.outbound.client import OutboundClient  # noqa: PLC0415 - see the module docstring

        delivery = self.config.delivery
        return OutboundClient(
            allow_private=delivery.allow_private_networks,
            timeout=delivery.timeout.total_seconds(),
            answer_excerpt=delivery.answer_excerpt,
        )

    @cached_property
    def poster(self) -> Poster:
        from router.channels import CHANNELS  # noqa: PLC0415 - see the module docstring
        from router.channels.poster import Poster  # noqa: PLC0415

        delivery = self.config.delivery
        return Poster(
            CHANNELS,
            self.client,
            self.box,
            allow_private=delivery.allow_private_networks,
            timeout=delivery.timeout.total_seconds(),
        )

    @cached_property
    def dispatcher(self) -> Dispatcher:
        from emailrouter.assembly import deliver  # noqa: PLC0415 - see the module docstring

        return deliver.build_dispatcher(self)

    @cached_property
    def dns_cache(self) -> DnsCache:
        """Answers the questions about senders: those of the SMTP server in advance, and those of the checks."""
        from router.checks.dns_cache import open_dns_cache  # noqa: PLC0415 - see the module docstring

        servers = [(server.host, server.port) for server in self.config.dns.nameservers]
        return open_dns_cache(servers, self.clock, self.meter)

    @cached_property
    def spam_filter(self) -> RspamdClient | None:
        from emailrouter.assembly.spam_filter import build_spam_filter  # noqa: PLC0415 - see the module docstring

        return build_spam_filter(self.config, self.meter, self.side_tasks)

    @cached_property
    def check_runner(self) -> CheckRunner | None:
        """Checks the senders of messages. None if the checks are disabled."""
        if not self.config.checks.enabled:
            return None
        from emailrouter.assembly import deliver  # noqa: PLC0415 - see the module docstring

        return deliver.build_check_runner(self)

    @cached_property
    def sending(self) -> SendingReader:
        from router.replies.sending import SendingReader  # noqa: PLC0415 - see the module docstring

        return SendingReader(self.database, self.box, self.config.outgoing)

    @cached_property
    def smarthost_client(self) -> SmarthostClient:
        from router.outbound.smarthost.client import SmarthostClient  # noqa: PLC0415 - see the module docstring

        return SmarthostClient(
            helo=self.config.server.hostname,
            timeout=self.config.outgoing.timeout.total_seconds(),
            allow_private=self.config.delivery.allow_private_networks,
        )

    @cached_property
    def submissions(self) -> SubmissionRunner:
        """Submits replies to their smarthosts."""
        from emailrouter.assembly import deliver  # noqa: PLC0415 - see the module docstring

        return deliver.build_submission_runner(self)

    @cached_property
    def bounce_runner(self) -> BounceRunner:
        """Reads the bounces of replies."""
        from emailrouter.assembly import deliver  # noqa: PLC0415 - see the module docstring

        return deliver.build_bounce_runner(self)

    @cached_property
    def local_waker(self) -> Waker:
        """Notifies the dispatcher and the runners of checks, submissions and bounces of this core."""
        from router.dispatch.check_runner import LocalWaker  # noqa: PLC0415 - see the module docstring

        return LocalWaker(self.dispatcher.wake, self.check_runner, self.submissions.wake, self.bounce_runner.wake)

    @cached_property
    def wake(self) -> Waker:
        return self.side_tasks.wrap_waker(self._wake or self.local_waker)

    @cached_property
    def accept_writer(self) -> GroupWriter[IncomingMail, Committed]:
        return self.writers.open(commit_group, connections=ACCEPT_CONNECTIONS)

    @cached_property
    def free_space(self) -> FreeSpaceCheck | None:
        """Checks the free space on the disk of the SQLite file. None on PostgreSQL, whose disk may be remote."""
        if isinstance(self.database, SqliteDatabase):
            return FreeSpaceCheck(self.database.path, self.config.smtp.min_free_bytes, self.clock)
        return None

    @cached_property
    def accept(self) -> Accept:
        config = self.config
        return Accept(
            self.accept_writer,
            self.wake,
            self.clock,
            self.box,
            hostname=config.server.hostname,
            max_age=to_micros(config.delivery.max_age),
            duplicate_window=to_micros(config.smtp.duplicate_window),
            max_header_bytes=config.smtp.max_header_bytes,
            routing=self.routing_cache,
            check_waits=self.check_waits,
            meter=self.meter,
            free_space=self.free_space,
            side_tasks=self.side_tasks,
        )

    @property
    def check_waits(self) -> CheckWaits | None:
        checks = self.config.checks
        if not checks.enabled:
            return None
        return CheckWaits(
            to_micros(checks.effective_post_wait),
            # Longer than the checks themselves, whose results are stored after their deadline.
            to_micros(checks.deadline) + STORE_MARGIN,
            has_spam_filter=checks.rspamd_url is not None,
        )

    @cached_property
    def reply_builder(self) -> ReplyBuilder:
        """Composes the replies of people, and acknowledgements."""
        from emailrouter.assembly import replies  # noqa: PLC0415 - see the module docstring

        return replies.build_builder(self)

    @cached_property
    def reachability(self) -> ReachabilityService:
        from emailrouter import use_cases  # noqa: PLC0415 - see the module docstring

        return use_cases.build_reachability(self)

    @cached_property
    def services(self) -> Services:
        from emailrouter import use_cases  # noqa: PLC0415 - see the module docstring

        return use_cases.build_services(self)

    def open_parts(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        """Returns the parts that must be closed, in the order of closing.

        Each item is the name of a part and its `close` method.
        """
        built = vars(self)
        names = ("reachability", "client", "spam_filter", "contents", "sender_hits")
        opened = [(name, built[name].close) for name in names if built.get(name) is not None]
        return [*opened, ("commit queue", self.writers.close)]

    async def close(self) -> None:
        for _, close in self.open_parts():
            await close()
