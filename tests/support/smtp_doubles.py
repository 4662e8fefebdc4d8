"""In-memory doubles of the two interfaces in `router.ports` that the SMTP server calls.

Tests set `failure` and `gate` to inject failures and delays.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from config.smtp import SmtpSettings
from router.clock import Clock, SystemClock
from router.mail.address import Mailbox
from router.meter import NULL_METER, Meter
from router.ports import AcceptResult
from router.routing.envelope import Envelope
from router.routing.route import Refusal, RefusalReason, Target
from smtp.bounds import Bounds
from smtp.connection import Connection
from smtp.dnsbl import BlockListResolver
from smtp.memory import MemoryQuota
from smtp.reception import Reception
from smtp.server import Server

HOSTNAME = "mx1.example.net"
DOMAIN = "example.com"


@dataclass
class KnownRecipients:
    """Accepts some recipients, and refuses all others with reasons that routing uses."""

    failure: Exception | None = None
    gate: asyncio.Event | None = None
    queries: list[str] = field(default_factory=list)

    async def resolve(self, mailbox: Mailbox, *, reverse_path: str = "", peer: str = "") -> Target | Refusal:
        self.queries.append(str(mailbox))
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        key, domain = mailbox.local_key, mailbox.domain_key
        base = key.partition("+")[0]
        if base == "postmaster" and domain in ("", DOMAIN, HOSTNAME):
            return _target(mailbox, "postmaster")
        if domain == "pending.example":
            return Refusal("pending")
        if domain not in (DOMAIN, "xn--bcher-kva.example"):
            return Refusal("relay")
        if base in ("support", "sales", "büro") or base.startswith("user"):
            return _target(mailbox, base)
        reason: RefusalReason = "disabled" if key == "disabled" else "unknown"
        return Refusal(reason)


def _target(mailbox: Mailbox, alias: str) -> Target:
    address = f"{alias}@{DOMAIN}"
    return Target(str(mailbox), "ws_1", f"alias_{alias}", f"alias_{alias}", address, "int_1")


@dataclass
class AcceptedMails:
    """Keeps accepted messages in memory.

    Attributes:
        failure: Raised instead of accepting a message.
        gate: Awaited before a message is accepted.
    """

    failure: Exception | None = None
    gate: asyncio.Event | None = None
    accept_started: asyncio.Event = field(default_factory=asyncio.Event)
    accept_finished: asyncio.Event = field(default_factory=asyncio.Event)
    mails: list[tuple[Envelope, bytes]] = field(default_factory=list)

    async def accept(self, envelope: Envelope, content: bytes) -> AcceptResult:
        self.accept_started.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.mails.append((envelope, content))
        self.accept_finished.set()
        return AcceptResult(f"msg_{len(self.mails)}", is_duplicate=False)

    @property
    def contents(self) -> list[bytes]:
        return [content for _, content in self.mails]


@dataclass
class RunningSmtpServer:
    """An SMTP server on loopback, and the doubles that it calls."""

    server: Server
    recipients: KnownRecipients
    mails: AcceptedMails

    @property
    def host(self) -> str:
        return self.server.addresses[0].rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.server.addresses[0].rpartition(":")[2])

    @property
    def memory(self) -> MemoryQuota[Reception]:
        return self.server._context.memory

    @property
    def connection(self) -> Connection:
        return next(iter(self.server._connections))


def make_bounds(**changes: Any) -> Bounds:
    return replace(Bounds.from_settings(SmtpSettings()), **changes)


@asynccontextmanager
async def running_server(
    *,
    clock: Clock | None = None,
    resolver: BlockListResolver | None = None,
    reuse_port: bool = False,
    meter: Meter = NULL_METER,
    bounds: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[RunningSmtpServer]:
    """Runs an SMTP server.

    Args:
        bounds: Fields to replace in the `Bounds` that are derived from the settings.
        settings: Settings of the section `[smtp]`.
    """
    recipients, mails = KnownRecipients(), AcceptedMails()
    smtp = SmtpSettings(**{"listen": ["127.0.0.1:0"], **settings})
    server = Server(
        smtp,
        HOSTNAME,
        recipients,
        mails,
        clock or SystemClock(),
        resolver=resolver,
        reuse_port=reuse_port,
        meter=meter,
        bounds=replace(Bounds.from_settings(smtp), **(bounds or {})),
    )
    await server.start()
    try:
        yield RunningSmtpServer(server, recipients, mails)
    finally:
        for gate in (mails.gate, recipients.gate):
            if gate is not None:
                gate.set()
        await server.drain(smtp.shutdown_grace * 0)
