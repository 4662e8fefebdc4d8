"""An installation for tests: a database, settings, and the `Core` that uses both.

Tasks and servers run only if a test starts them. The product's own `Accept` accepts messages.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Literal, Self

from emailrouter.assembly import smtp
from emailrouter.assembly.core import ACCEPT_CONNECTIONS, AnyDatabase, Core
from router.accept import Accept
from router.accept.incoming import IncomingMail
from router.accept.transaction import Committed
from router.admin.tickets.tickets import TicketService
from router.channels.webhook_url import mask_url
from router.clock import SystemClock
from router.contents.pool import Parser
from router.contents.store import ContentStore
from router.enumerations import Role
from router.filters import TicketFilter
from router.mail.address import parse_mailbox
from router.meter import NULL_METER, Meter
from router.model import Actor
from router.ports import Waker
from router.routing.envelope import Envelope
from router.routing.route import Target
from router.secrets import SecretBox, new_key
from router.services import Services
from router.store.group_commit import WriteGroup
from tests.support import mails, seeds
from tests.support.clock import FakeClock
from tests.support.installation.settings import SETTINGS, make_config
from tests.support.stores import Store

SENDER = "ann@customer.test"
# Sort order of some tables without an id column.
_ORDER = {"raw_chunks": "message_id, n", "ticket_messages": "created_at, recipient"}


class RecordingWake:
    """Records which integrations were woken, and how often the checks, the submissions and the reading of bounces."""

    def __init__(self) -> None:
        self.integration_ids: list[str] = []
        self.checks = 0
        self.submissions = 0
        self.bounces = 0

    def wake(self, integration_ids: Iterable[str]) -> None:
        self.integration_ids += integration_ids

    def wake_checks(self) -> None:
        self.checks += 1

    def wake_submissions(self) -> None:
        self.submissions += 1

    def wake_bounces(self) -> None:
        self.bounces += 1


class Installation:
    """An installation on the database of `store`. `seed()` adds a workspace with a domain, an integration and aliases.

    Args:
        settings: Settings that override `SETTINGS`.
        wake: The core's waker. None selects `recording_wake`; "dispatcher" selects the core's dispatcher.
        real_time: The core uses the machine's clock instead of `clock`.
        write: Replaces the accept transaction.
    """

    def __init__(
        self,
        store: Store,
        settings: Mapping[str, object] | None = None,
        *,
        clock: FakeClock | None = None,
        wake: Waker | Literal["dispatcher"] | None = None,
        meter: Meter = NULL_METER,
        parser: Parser | None = None,
        real_time: bool = False,
        write: WriteGroup[IncomingMail, Committed] | None = None,
    ) -> None:
        self.store = store
        own = {"database.url": store.url, "server.secret_key": new_key()}
        self.settings = {**SETTINGS, **own, **(settings or {})}
        self.secret_key = str(self.settings["server.secret_key"])
        self.clock = clock or FakeClock()
        self.recording_wake = RecordingWake()
        config = make_config(self.settings)
        self.core = Core(
            config,
            store.database,
            SystemClock() if real_time else self.clock,
            SecretBox(self.secret_key),
            wake=None if wake == "dispatcher" else wake or self.recording_wake,
            meter=meter,
        )
        if parser is not None:
            self.core.parser = parser
        if write is not None:
            self.core.accept_writer = self.core.writers.open(write, connections=ACCEPT_CONNECTIONS)
        self.domain_name = ""
        self.workspace_id = ""
        self.domain_id = ""
        self.integration_id = ""
        self.aliases: dict[str, str] = {}

    @property
    def database(self) -> AnyDatabase:
        return self.store.database

    @property
    def accept(self) -> Accept:
        return self.core.accept

    @property
    def contents(self) -> ContentStore:
        return self.core.contents

    @property
    def services(self) -> Services:
        return self.core.services

    @property
    def tickets(self) -> TicketService:
        return self.core.services.tickets

    @property
    def actor(self) -> Actor:
        return Actor(self.workspace_id, "admin")

    async def seed(
        self, domain: str = "example.com", aliases: Iterable[str] = ("support", "billing"), *, webhook: str = ""
    ) -> None:
        await self.seed_domain(domain)
        self.integration_id = await self.add_integration(webhook=webhook)
        for name in aliases:
            await self.add_alias(name)

    async def seed_domain(self, domain: str) -> None:
        self.domain_name = domain
        self.workspace_id = await seeds.insert_workspace(self.database)
        self.domain_id = await seeds.insert_domain(self.database, self.workspace_id, domain)

    def second_process(self, **options: Any) -> Self:
        """Returns an installation that simulates a second process on the same database. The test must close it."""
        found = type(self)(self.store, self.settings, clock=self.clock, **options)
        found.domain_name, found.aliases = self.domain_name, self.aliases
        found.workspace_id, found.domain_id = self.workspace_id, self.domain_id
        found.integration_id = self.integration_id
        return found

    async def add_integration(self, name: str = "general", *, webhook: str = "") -> str:
        """Adds an integration and returns its id. webhook: the URL, needed only for sending."""
        encrypted = (
            self.core.box.encrypt(json.dumps({"webhookUrl": webhook})) if webhook else "encrypted with another key"
        )
        hint = mask_url(webhook) if webhook else ""
        return await seeds.insert_integration(self.database, self.workspace_id, encrypted, name, hint=hint)

    async def add_alias(self, name: str, integration_id: str | None = "") -> Target:
        """Adds an alias and returns its target.

        integration_id: by default the integration that `seed` added; None for no integration.
        """
        chosen = self.integration_id if integration_id == "" else integration_id
        self.aliases[name] = await seeds.insert_alias(self.database, self.workspace_id, self.domain_id, name, chosen)
        return self.target(name, integration_id=chosen)

    def target(self, name: str, *, tag: str = "", integration_id: str | None = "") -> Target:
        alias, address = self.aliases[name], f"{name}@{self.domain_name}"
        recipient = f"{name}+{tag}@{self.domain_name}" if tag else address
        chosen = self.integration_id if integration_id == "" else integration_id
        return Target(recipient, self.workspace_id, alias, alias, address, chosen, tag)

    def envelope(self, *to: Target | str, reverse_path: str = SENDER) -> Envelope:
        """Returns an envelope. to: targets or names of aliases; by default `support`."""
        targets = tuple(self.target(one) if isinstance(one, str) else one for one in to or ("support",))
        return Envelope(reverse_path, targets, "192.0.2.7", "customer.test", "ESMTP")

    async def resolve(self, address: str) -> Target:
        found = await self.core.routing_cache.resolve(parse_mailbox(address))
        assert isinstance(found, Target), found
        return found

    async def accept_message(self, content: bytes | None = None, *to: Target | str, reverse_path: str = SENDER) -> str:
        """Advances the clock by a second, accepts a message and returns its id. to: as for `envelope`."""
        self.clock.advance(1)
        envelope = self.envelope(*to, reverse_path=reverse_path)
        return (await self.accept.accept(envelope, mails.plain() if content is None else content)).message_id

    async def accept_ticket(self, content: bytes | None = None, *to: Target | str) -> str:
        row = await self.database.fetch_one(
            "message_recipients", message_id=await self.accept_message(content, *to), limit=1
        )
        assert row is not None
        return str(row["ticket_id"])

    @asynccontextmanager
    async def run_dispatcher(self) -> AsyncIterator[None]:
        """Runs the core's dispatcher during the block. On exit, stops it and waits for its end."""
        dispatcher = self.core.dispatcher
        running = asyncio.create_task(dispatcher.run())
        try:
            yield
        finally:
            dispatcher.stop()
            await running

    @asynccontextmanager
    async def run_smtp(self) -> AsyncIterator[None]:
        """Runs an SMTP server of the core during the block, on a free port."""
        server = smtp.build_server(self.core)
        await server.start()
        try:
            yield
        finally:
            await server.drain(timedelta())

    async def search(self, q: str) -> list[int]:
        return [ticket.number for ticket in (await self.tickets.list(self.actor, TicketFilter(q=q))).items]

    async def set_status(self, status: str) -> None:
        for ticket in (await self.tickets.list(self.actor)).items:
            await self.tickets.set_status(self.actor, ticket.id, status)

    async def execute(self, statement: str, **values: object) -> list[dict[str, object]]:
        return await seeds.execute(self.database, statement, **values)

    async def all_rows(self, name: str) -> list[dict[str, object]]:
        return await self.execute(f"SELECT * FROM {name} ORDER BY {_ORDER.get(name, 'id')}")

    async def count_rows(self, table: str, where: str = "1 = 1") -> int:
        (row,) = await self.execute(f"SELECT COUNT(*) AS n FROM {table} WHERE {where}")
        assert isinstance(row["n"], int)
        return row["n"]

    async def add_user_with_key(self, role: Role = "agent", email: str = "") -> tuple[str, str]:
        email = email or f"{role}{mails.new_message_id()[1:-1]}"
        user = await self.services.users.create(self.actor, email=email, role=role)
        key = await self.services.keys.create(self.actor, name=role, user_id=user.id)
        return user.id, key.plaintext

    async def add_actor(self, role: Role = "agent", actor: Actor | None = None) -> Actor:
        """Adds a user and returns its actor.

        actor: the creator, whose workspace the user joins; by default `self.actor`.
        """
        creator = actor or self.actor
        email = f"{role}-{mails.new_message_id()[1:-1]}"
        user = await self.services.users.create(creator, email=email, role=role)
        return Actor(user.workspace_id, role, user_id=user.id)

    async def add_workspace(self) -> Actor:
        return Actor(await seeds.insert_workspace(self.database, "Other"), "admin")

    @asynccontextmanager
    async def open_database(self) -> AsyncIterator[None]:
        """Opens the database for the block. Closes the core only if the block raises no exception."""
        await self.database.open()
        try:
            yield
            await self.close()
        finally:
            await self.database.close()

    async def close(self) -> None:
        """Closes the core; the database stays open."""
        await self.core.close()
