"""A complete installation: database, Slack stand-in, sender, and the program as real processes."""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from router.enumerations import Role
from router.store import migrate
from tests.support.installation import Installation, program_installation
from tests.support.postgres import PostgresServer
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.stores import postgres_database
from tests.support.waiting import poll_until
from tests.system.crash.audit import SUBJECT, DatabaseReader, Findings, audit
from tests.system.crash.mta import MailToSend, QueueingMta

DOMAIN = "crash.test"
# Bytes of a large message, which is stored in two chunks.
_LARGE = 300 * 1024
_MAX_POSTS = 2_000_000

_SETTINGS: dict[str, object] = {
    "smtp.max_connections_per_ip": 1000,
    "smtp.max_mails_per_minute_per_ip": 0,
    "delivery.per_second": 100_000.0,
    "delivery.burst": 1000,
    "delivery.digest_after": 100_000,
    "delivery.timeout": "2s",
    # so short that a test can wait until a lease expires
    "delivery.lease": "3s",
    # Each kill may cost the same delivery a claim.
    "delivery.max_claims": 1000,
}


class SystemUnderTest:
    """An installation, the programs that run on it, and the Slack stand-in.

    `channels` maps the address of each alias to the path of its webhook.
    """

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

    @property
    def addresses(self) -> list[str]:
        return list(self.channels)

    def new_mails(self, count: int, *, to: Sequence[str] = (), large: int = 0, replies: int = 0) -> list[MailToSend]:
        """Creates messages.

        Args:
            to: The recipients of each message. By default each message goes to one or two aliases in turn.
            large: Every `large`-th message is large; 0 for none.
            replies: Every `replies`-th message replies to the previous one; 0 for none.
        """
        return [self._new_mail(next(self._numbers), to, large=large, replies=replies) for _ in range(count)]

    def _new_mail(self, number: int, to: Sequence[str], *, large: int, replies: int) -> MailToSend:
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
        return MailToSend(number, recipients, "ada@mta.test", content)

    def start_mta(self, connections: int = 4, *, timeout: float = 30) -> QueueingMta:
        """Returns a sender that uses all ready servers. It starts when it is entered with `async with`."""
        return QueueingMta(self.smtp_addresses, connections=connections, timeout=timeout)

    def api_addresses(self) -> list[str]:
        return [api for program, api in self._api_addresses.items() if program.running()]

    def smtp_addresses(self) -> list[tuple[str, int]]:
        return [address for program, address in self._smtp_addresses.items() if program.running()]

    def environment(self, **settings: object) -> dict[str, object]:
        """Returns the settings of the program. `section__key=value` adds or replaces a setting."""
        return {**self.installation.settings, **{key.replace("__", "."): value for key, value in settings.items()}}

    async def launch(self, *arguments: str, options: Sequence[str] = (), **settings: object) -> Program:
        """Starts the program and does not wait until it is ready.

        Args:
            options: Options of `tests.system.crash.launcher`. Without options the program is started directly.
        """
        command: tuple[str, ...] = ("-m", "emailrouter")
        if options:
            command = ("-m", "tests.system.crash.launcher", *options, "--")
        program = Program(*arguments, env=self.environment(**settings), cwd=self.folder, command=command)
        await self._stack.enter_async_context(program)
        self.running = [known for known in self.running if known.running()]
        self._smtp_addresses = {known: address for known, address in self._smtp_addresses.items() if known.running()}
        self._api_addresses = {known: api for known, api in self._api_addresses.items() if known.running()}
        self.running.append(program)
        return program

    async def start(self, *arguments: str, options: Sequence[str] = (), **settings: object) -> Program:
        program = await self.launch(*(arguments or ("serve",)), options=options, **settings)
        await self.wait_ready(program)
        return program

    async def wait_ready(self, program: Program) -> None:
        facts = await program.ready()
        if facts.get("api"):
            self._api_addresses[program] = facts["api"]
        for address in facts.get("smtp", ()):
            host, _, port = address.rpartition(":")
            self._smtp_addresses[program] = (host.strip("[]"), int(port))

    @property
    def clock_options(self) -> tuple[str, ...]:
        return ("--clock", str(self.clock_file))

    def set_clock(self, seconds: float) -> None:
        """Sets the clock of programs started with `clock_options` to `seconds` ahead of real time."""
        fresh = self.clock_file.with_suffix(".new")
        fresh.write_text(str(round(seconds * 1_000_000)))
        fresh.replace(self.clock_file)

    async def wait_delivered(self, *, timeout: float = 30) -> None:
        try:
            await poll_until(self._is_everything_delivered, "everything delivered", timeout=timeout)
        except TimeoutError as error:
            error.add_note(await self._describe_undelivered())
            raise

    async def _describe_undelivered(self) -> str:
        undelivered = await self.database.rows(
            "SELECT id, integration_id, state, attempts, claims, next_attempt_at, parked_at, last_error "
            "FROM deliveries WHERE state <> 'delivered' ORDER BY id LIMIT 5"
        )
        integrations = await self.database.rows(
            "SELECT id, status, last_error, probe_at, paced_at, lease_owner, lease_until FROM integrations ORDER BY id"
        )
        return "\n".join(["--- undelivered", *map(str, undelivered), "--- integrations", *map(str, integrations)])

    async def _is_everything_delivered(self) -> bool:
        return await self.database.count_undelivered() == 0

    async def audit(self, mta: QueueingMta, *, paused: bool = False) -> Findings:
        return await audit(
            self.database,
            acknowledged=mta.acknowledged,
            rejected=mta.rejected,
            posts=self.slack.posts,
            channels=self.channels,
            contents=self.contents,
            paused=paused,
        )

    async def assert_no_faults(self, mta: QueueingMta, *, paused: bool = False) -> Findings:
        """Asserts that the audit finds no fault. Returns its findings."""
        found = await self.audit(mta, paused=paused)
        assert not found.faults(), found.faults()
        return found

    async def seed(self, webhooks: Sequence[str]) -> None:
        await self.installation.seed_domain(DOMAIN)
        for name in webhooks:
            integration = await self.installation.add_integration(name, webhook=self.slack.url(name))
            await self.installation.add_alias(name, integration)
            self.channels[f"{name}@{DOMAIN}"] = self.slack.path(name)

    async def add_users(self, count: int, role: Role = "agent") -> dict[str, str]:
        """Creates users. Returns their API keys by user id."""
        async with self.installation.open_database():
            return dict([await self.installation.add_user_with_key(role) for _ in range(count)])

    def recent_warnings(self) -> str:
        """Returns the last warnings and errors of the program that was started last."""
        events = self.running[-1].log_events() if self.running else []
        bad = [str(event)[-3000:] for event in events if event.get("level") in ("warning", "error", "critical")]
        return "\n".join(["--- the last warnings of the last program", *bad[-10:]])

    async def close(self) -> None:
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
    """Yields an installation on which no program runs yet.

    Args:
        kind: `sqlite` (in `folder`) or `postgres` (a new database on `server()`).
        aliases: The number of aliases, each with its own webhook.
        webhooks: The name of each alias and its webhook. If given, `aliases` is ignored.
        slack: An existing stand-in. By default the installation has its own.
    """
    async with AsyncExitStack() as stack:
        if slack is None:
            slack = await stack.enter_async_context(SlackStandIn(keep=_MAX_POSTS))
        if kind == "sqlite":
            url = f"sqlite:///{folder / 'emailrouter.db'}"
        else:
            owner = server()
            url = await owner.create_database(await owner.build_template("schema", build_template))
        system = SystemUnderTest(program_installation(url, folder, {**_SETTINGS, **(settings or {})}), folder, slack)
        stack.push_async_callback(system.close)
        async with system.installation.open_database():
            await migrate.migrate(system.installation.database)
            await system.seed(webhooks or [f"team{n}" for n in range(aliases)])
        try:
            yield system
        except BaseException as error:
            error.add_note(system.recent_warnings())
            raise


async def build_template(url: str) -> None:
    database = postgres_database(url)
    await database.open()
    await migrate.migrate(database)
    await database.close()
