"""The long run of `make crash`: hundreds of random kills under load, with the result as a table.

    python -m tests.system.crash.long_run --kills 1000 --database sqlite|postgres [--fleet] [--seconds 3600]

One installation survives all kills of its processes and of PostgreSQL, which runs with fsync on. With `--fleet`,
several `smtp` and `deliver` processes run, and deliverers are also stopped until their lease expires. The exit code
is 1 if the audit finds a fault. The run uses loopback only and leaves no files.
"""

import argparse
import asyncio
import contextlib
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.postgres import PostgresServer, private_postgres
from tests.support.process import Program
from tests.system.crash.audit import Findings
from tests.system.crash.mta import QueueingMta
from tests.system.crash.system_under_test import SystemUnderTest, system_under_test

CONNECTIONS = 12
ALIASES = 10
# average number of acknowledgements that the run waits for before each kill
MAILS = 120
FLEET = ("smtp", "smtp", "smtp", "deliver", "deliver", "deliver")
SETTLE_SECONDS = 300
RECOVERY_SECONDS = 60
LEASE_SECONDS = 3  # the value of delivery.lease in `system_under_test`
SETTINGS: dict[str, object] = {
    "delivery.digest_after": 60,
    "database.connect_timeout": "2s",
    "database.statement_timeout": "10s",
}


def print_line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@dataclass(slots=True)
class RunResult:
    """Counts of the run that the findings of the audit do not include."""

    kills: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    lost_connections: int = 0
    deferred: int = 0


class Crasher:
    """Kills and restarts processes. `roles` contains the command of each process, such as `smtp`."""

    def __init__(
        self,
        system: SystemUnderTest,
        mta: QueueingMta,
        server: PostgresServer | None,
        roles: tuple[str, ...],
        seed: int,
    ) -> None:
        self._system = system
        self._mta = mta
        self._server = server
        self._roles = roles
        self._random = random.Random(seed)
        self._fleet: list[Program] = []
        self.run = RunResult()

    async def start(self) -> None:
        self._fleet = [await self._system.launch(role) for role in self._roles]
        for program in self._fleet:
            await self._system.wait_ready(program)

    async def crash(self, n: int) -> None:
        """Kills a process or the database server under load, or pauses a deliverer.

        Args:
            n: The number of this crash, from 1, which selects the action.
        """
        self._queue_messages()
        await self._mta.wait_accepted(
            len(self._mta.acknowledged) + self._random.randrange(1, 2 * MAILS), timeout=RECOVERY_SECONDS
        )
        if n % 10 == 0 and self._server is not None:
            await self._server.kill()
            await self._server.start()
            self.run.kills["PostgreSQL"] += 1
        elif n % 10 == 5 and len(self._roles) > 1:
            await self._pause()
        else:
            await self._kill()

    def _queue_messages(self) -> None:
        missing = 4 * MAILS - self._mta.pending
        if missing > 0:
            self._mta.queue(self._system.new_mails(missing, large=150, replies=11))

    async def _kill(self) -> None:
        place = self._random.randrange(len(self._roles))
        role = self._roles[place]
        await self._fleet[place].kill()
        self.run.kills[role] += 1
        self._fleet[place] = program = await self._system.launch(role)
        if self._random.random() < 0.1:
            with contextlib.suppress(TimeoutError):
                await program.wait_until(lambda: False, "a random moment", timeout=self._random.uniform(0.0, 1.0))
            await program.kill()
            self.run.kills[f"{role} while starting"] += 1
            self._fleet[place] = program = await self._system.launch(role)
        await self._system.wait_ready(program)

    async def _pause(self) -> None:
        """Stops a deliverer until its lease expires and other deliverers take over, then resumes it."""
        place = self._random.choice([n for n, role in enumerate(self._roles) if role == "deliver"])
        program = self._fleet[place]
        program.pause()
        woken = time.monotonic() + LEASE_SECONDS * 1.5
        while time.monotonic() < woken:
            self._queue_messages()
            await self._mta.wait_accepted(len(self._mta.acknowledged) + 10, timeout=RECOVERY_SECONDS)
        program.resume()
        self.run.kills["deliver stopped past its lease"] += 1

    async def finish(self) -> Findings:
        await self._mta.wait_all_accepted(timeout=SETTLE_SECONDS)
        await self._system.wait_delivered(timeout=SETTLE_SECONDS)
        for program in self._fleet:
            assert await program.terminate() == 0
        self.run.lost_connections, self.run.deferred = self._mta.lost_connections, self._mta.deferred_count
        return await self._system.audit(self._mta, paused=bool(self.run.kills["deliver stopped past its lease"]))


@asynccontextmanager
async def open_server(kind: str) -> AsyncIterator[PostgresServer | None]:
    if kind == "sqlite":
        yield None
    else:
        async with private_postgres(fsync=True) as server:
            yield server


async def crash(kind: str, *, kills: int, seconds: float, fleet: bool, seed: int) -> tuple[RunResult, Findings]:
    own = asyncio.current_task()
    assert own is not None
    # SIGTERM cancels the run, which then removes its files.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, own.cancel)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="er-crash-") as folder:
        async with (
            open_server(kind) as server,
            system_under_test(
                kind, Path(folder), lambda: _require_server(server), aliases=ALIASES, settings=SETTINGS
            ) as system,
            system.start_mta(CONNECTIONS, timeout=RECOVERY_SECONDS) as mta,
        ):
            crasher = Crasher(system, mta, server, FLEET if fleet else ("serve",), seed)
            await crasher.start()
            for n in range(1, kills + 1):
                if time.monotonic() - began > seconds:
                    print_line(f"stopped after {n - 1} kills: the time limit of {seconds:g} s has passed")
                    break
                await crasher.crash(n)
                if n % 50 == 0:
                    print_line(f"{n} kills, {len(mta.acknowledged)} acknowledged, {time.monotonic() - began:.0f} s")
            found = await crasher.finish()
            crasher.run.seconds = time.monotonic() - began
            return crasher.run, found


def _require_server(server: PostgresServer | None) -> PostgresServer:
    assert server is not None
    return server


def format_table(run: RunResult, found: Findings) -> str:
    """Returns the result as rows of a Markdown table."""
    rows: list[tuple[str, object]] = [
        *((f"killed: {what}", count) for what, count in sorted(run.kills.items())),
        ("messages acknowledged (counted once for each alias)", found.acknowledged),
        ("connections failed or lost", run.lost_connections),
        ("rejected with 4yz and retried", run.deferred),
        ("rejected with 5yz", len(found.rejected)),
        ("acknowledged messages lost", len(found.lost)),
        ("duplicate tickets", len(found.duplicated)),
        ("messages not stored byte for byte", len(found.damaged)),
        ("tickets", found.tickets),
        ("deliveries", found.deliveries),
        ("deliveries not delivered at the end", len(found.undelivered) + len(found.mismatched) + len(found.not_posted)),
        ("tickets posted again, outcome or response unknown", found.duplicate_posts),
        ("duplicate Slack messages (a digest lists up to 40 tickets)", found.repeated_messages),
        ("attempts without a recorded outcome", found.lost_attempts),
        ("attempts without a response", found.unanswered_attempts),
        *((f"posted again after: {reason}", n) for reason, n in found.unanswered_reasons.most_common(10)),
        ("tickets posted again for any other reason", len(found.unexplained_posts)),
        ("seconds", round(run.seconds)),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"| {name.ljust(width)} | {value!s:>8} |" for name, value in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill the program at random times under load and verify the result.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--fleet", action="store_true", help="three smtp and three deliver processes (PostgreSQL)")
    parser.add_argument("--seconds", type=float, default=3600, help="stop killing after this many seconds")
    parser.add_argument("--seed", type=int, default=0, help="0: a new random seed each time")
    options = parser.parse_args()
    if options.fleet and options.database != "postgres":
        parser.error("--fleet requires --database postgres")
    seed = options.seed or random.SystemRandom().randrange(1, 10**9)
    print_line(f"{platform.platform()}, {os.cpu_count()} CPUs, Python {platform.python_version()}; seed {seed}")
    run, found = asyncio.run(
        crash(options.database, kills=options.kills, seconds=options.seconds, fleet=options.fleet, seed=seed)
    )
    print_line(format_table(run, found))
    for kind, examples in found.faults().items():
        print_line(f"FAULT: {kind}: {examples}")
    return 1 if found.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
