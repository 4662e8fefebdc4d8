"""A whole installation for one test: database, seeds, Slack stand-in, sender, and the program, started and killed.

`async with new_rig(kind, folder, ...) as system` yields it with nothing running. Programs started by `system.start` are
real processes; the sender finds those that are ready. In the end `system.settle()` waits until all is delivered and
`system.audit()` counts.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from router.model import Role
from router.store import migrate
from tests.support.installation import Installation, installation_at
from tests.support.postgres import PostgresServer
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.stores import postgres_database
from tests.system.crash.audit import SUBJECT, DatabaseReader, Findings, audit
from tests.system.crash.mta import Mta, OutgoingMail

DOMAIN = "crash.test"
# Larger than one piece of the store, so that a kill can fall between two.
_LARGE = 300 * 1024
_MAX_POSTS = 2_000_000


# Pace, digest and limits by address out of the way; leases so short that a test can wait for their end.
_SETTINGS: dict[str, object] = {
    "smtp.max_connections_per_ip": 1000,
    "smtp.max_mails_per_minute_per_ip": 0,
    "delivery.per_second": 100_000.0,
    "delivery.burst": 1000,
    "delivery.digest_after": 100_000,
    "delivery.timeout": "2s",
    "delivery.lease": "3s",
    # A chain of kills takes one delivery again and again, which is not that delivery's fault.
    "delivery.max_claims": 1000,
}


class SystemUnderTest:
    """Made by `new_rig`. `channels` maps each alias's address to its webhook's path."""

    def __init__(self, installation: Installation, folder: Path, slack: SlackStandIn) -> None:
        self.installation = installation
        self.folder = folder
        self.slack = slack
        self.database = DatabaseReader(self.url)
        self.clock_file = folder / "clock"
        self.running: list[Program] = []
        self.channels: dict[str, str] = {}
        self.contents: dict[int, bytes] = {}
        self._smtp_addresses: dict[Program, tuple[str, int]] = {}
        self._api_addresses: dict[Program, str] = {}
        self._numbers = itertools.count(1)
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        return self.installation.store.url

    # --- mails

    @property
    def addresses(self) -> list[str]:
        return list(self.channels)

    def new_mails(self, count: int, *, to: Sequence[str] = (), large: int = 0, replies: int = 0) -> list[OutgoingMail]:
        """New mails to one alias after the other, every fifth to two; every `large`-th is large, every
        `replies`-th answers the one before it."""
        return [self._new_mail(next(self._numbers), to, large=large, replies=replies) for _ in range(count)]

    def _new_mail(self, number: int, to: Sequence[str], *, large: int, replies: int) -> OutgoingMail:
        known = self.addresses
        recipients = tuple(to) or tuple(
            dict.fromkeys(known[(number + n) % len(known)] for n in range(2 if number % 5 == 0 else 1))
        )
        size = _LARGE if large and number % large == 0 else 200
        answers = replies and number % replies == 0 and number > 1
        parent = f"In-Reply-To: <{number - 1}@mta.test>\r\n" if answers else ""
        head = (
            f"From: Ada <ada@mta.test>\r\nTo: {', '.join(recipients)}\r\nSubject: {SUBJECT.format(number)}\r\n"
            f"Message-ID: <{number}@mta.test>\r\n{parent}Date: Tue, 01 Jan 2030 12:00:00 +0000\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n\r\n.A dot first, and T\u00fcr.\r\n"
        )
        content = head.encode() + b"0123456789abcdef\r\n" * (size // 18)
        self.contents[number] = content
        return OutgoingMail(number, recipients, "ada@mta.test", content)

    def start_mta(self, connections: int = 4, *, timeout: float = 30) -> Mta:
        """A sender to all doors that are open."""
        return Mta(self.smtp_addresses, connections=connections, timeout=timeout)

    def api_addresses(self) -> list[str]:
        """Where the API of those programs is that are ready and have one: `host:port`."""
        return [api for program, api in self._api_addresses.items() if program.running()]

    def smtp_addresses(self) -> list[tuple[str, int]]:
        """Where the programs that are ready listen."""
        return [door for program, door in self._smtp_addresses.items() if program.running()]

    # --- programs

    def environment(self, **settings: object) -> dict[str, object]:
        """The program's settings; a keyword `section__key` sets one more, another one an environment variable."""
        return {**self.installation.settings, **{key.replace("__", "."): value for key, value in settings.items()}}

    async def launch(self, *arguments: str, options: Sequence[str] = (), **settings: object) -> Program:
        """The program as a process that was just started; with options it is started by the launcher."""
        command: tuple[str, ...] = ("-m", "emailrouter")
        if options:
            command = ("-m", "tests.system.crash.launcher", *options, "--")
        program = Program(*arguments, env=self.environment(**settings), cwd=self.folder, command=command)
        await self._stack.enter_async_context(program)
        self.running = [known for known in self.running if known.running()]
        self._smtp_addresses = {known: door for known, door in self._smtp_addresses.items() if known.running()}
        self._api_addresses = {known: api for known, api in self._api_addresses.items() if known.running()}
        self.running.append(program)
        return program

    async def start(self, *arguments: str, options: Sequence[str] = (), **settings: object) -> Program:
        """The same, ready; mail for it comes as soon as it is."""
        program = await self.launch(*(arguments or ("serve",)), options=options, **settings)
        await self.wait_ready(program)
        return program

    async def wait_ready(self, program: Program) -> None:
        """Waits until it is; the sender learns its address."""
        facts = await program.ready()
        if facts.get("api"):
            self._api_addresses[program] = facts["api"]
        for address in facts.get("smtp", ()):
            host, _, port = address.rpartition(":")
            self._smtp_addresses[program] = (host.strip("[]"), int(port))

    @property
    def clock_options(self) -> tuple[str, ...]:
        """Options of the launcher for a clock that `set_clock` shifts."""
        return ("--clock", str(self.clock_file))

    def set_clock(self, seconds: float) -> None:
        """The clock of programs started with `clock_options` is off by this from now on."""
        fresh = self.clock_file.with_suffix(".new")
        fresh.write_text(str(round(seconds * 1_000_000)))
        fresh.replace(self.clock_file)

    # --- the end

    async def wait_delivered(self, *, timeout: float = 30) -> None:
        """Returns when everything that is owed was delivered."""
        try:
            await poll_until(self._is_everything_delivered, "everything delivered", timeout=timeout)
        except TimeoutError as error:
            error.add_note(await self._describe_undelivered())
            raise

    async def _describe_undelivered(self) -> str:
        """What is owed and why it may not go out, for a failure's message."""
        owed = await self.database.rows(
            "SELECT id, integration_id, state, attempts, claims, next_attempt_at, parked_at, last_error "
            "FROM deliveries WHERE state <> 'delivered' ORDER BY id LIMIT 5"
        )
        lanes = await self.database.rows(
            "SELECT id, status, last_error, probe_at, paced_at, lease_owner, lease_until FROM integrations ORDER BY id"
        )
        return "\n".join(["--- owed", *map(str, owed), "--- integrations", *map(str, lanes)])

    async def _is_everything_delivered(self) -> bool:
        return await self.database.count_undelivered() == 0

    async def audit(self, mta: Mta, *, paused: bool = False) -> Findings:
        """Counts; see `tests.system.crash.audit`."""
        return await audit(
            self.database,
            acknowledged=mta.acknowledged,
            rejected=mta.rejected,
            posts=self.slack.posts,
            channels=self.channels,
            contents=self.contents,
            paused=paused,
        )

    async def assert_no_faults(self, mta: Mta, *, paused: bool = False) -> Findings:
        """The audit's findings, which must be without fault."""
        found = await self.audit(mta, paused=paused)
        assert not found.faults(), found.faults()
        return found

    async def seed(self, webhooks: Sequence[str]) -> None:
        """A workspace with a verified domain, and for each webhook an alias of the same name."""
        await self.installation.seed_domain(DOMAIN)
        for name in webhooks:
            integration = await self.installation.add_integration(name, webhook=self.slack.url(name))
            await self.installation.add_alias(name, integration)
            self.channels[f"{name}@{DOMAIN}"] = self.slack.path(name)

    async def add_users(self, count: int, role: Role = "agent") -> dict[str, str]:
        """Users of the workspace: the id of each, and a key for the API."""
        async with self.installation.opened():
            return dict([await self.installation.add_user(role) for _ in range(count)])

    def recent_warnings(self) -> str:
        """The last warnings of the last program, for a failure's message."""
        events = self.running[-1].log_events() if self.running else []
        bad = [str(event)[-3000:] for event in events if event.get("level") in ("warning", "error", "critical")]
        return "\n".join(["--- the last warnings of the last program", *bad[-10:]])

    async def close(self) -> None:
        """Ends every program."""
        await self._stack.aclose()


@asynccontextmanager
async def system_under_test(
    kind: str,
    folder: Path,
    server: Callable[[], PostgresServer],
    *,
    aliases: int = 3,
    webhooks: Sequence[str] = (),
    settings: dict[str, object] | None = None,
    slack: SlackStandIn | None = None,
) -> AsyncIterator[SystemUnderTest]:
    """kind: `sqlite`, in `folder`, or `postgres`, a new database on `server()`.

    aliases: how many there are, each with a webhook of its own; or `webhooks`, their names. slack: the caller's own.
    """
    async with AsyncExitStack() as stack:
        if slack is None:
            slack = await stack.enter_async_context(SlackStandIn(keep=_MAX_POSTS))
        if kind == "sqlite":
            url = f"sqlite:///{folder / 'emailrouter.db'}"
        else:
            owner = server()
            url = await owner.create_database(await owner.template("schema", build_template))
        system = SystemUnderTest(installation_at(url, folder, {**_SETTINGS, **(settings or {})}), folder, slack)
        stack.push_async_callback(system.close)
        async with system.installation.opened():
            await migrate.migrate(system.installation.database)
            await system.seed(webhooks or [f"team{n}" for n in range(aliases)])
        try:
            yield system
        except BaseException as error:
            error.add_note(system.recent_warnings())
            raise


async def build_template(url: str) -> None:
    """Builds the template of PostgreSQL's schema."""
    database = postgres_database(url)
    await database.open()
    await migrate.migrate(database)
    await database.close()


async def poll_until(condition: Callable[[], Awaitable[bool]], what: str, *, timeout: float = 30) -> None:
    """Polls `await true()` until it holds."""
    last: Any = None
    try:
        async with asyncio.timeout(timeout):
            while not (last := await condition()):  # noqa: ASYNC110 - another process tells nobody when it has changed
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise TimeoutError(f"{what}: not within {timeout} s, last seen {last!r}") from None
