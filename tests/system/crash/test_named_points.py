"""A kill at a named point, followed by a restart, neither loses an acknowledged message nor duplicates its tickets.

The exit by SIGKILL proves that the process reached the point.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.support.behaviours import FixedResponse
from tests.support.dns import DnsStandIn
from tests.support.postgres import PostgresServer
from tests.support.process import Program, run_cli
from tests.support.stores import KINDS
from tests.system.crash.mta import QueueingMta
from tests.system.crash.points import POINTS
from tests.system.crash.system_under_test import SystemUnderTest, system_under_test

ACCEPT = (
    "recipient-found",
    "message-received",
    "fingerprint-claimed",
    "message-written",
    "content-written",
    "number-reserved",
    "ticket-written",
    "delivery-written",
    "accept-commit",
    "accept-commit:3",
    "accept-committed",
    "accept-committed:2",
    "woken",
    "reply-ready",
    "reply-written",
)
DELIVER = (
    "claim-begins",
    "lease-taken",
    "attempt-written",
    "claim-commit",
    "claim-committed:2",
    "claimed",
    "claimed:3",
    "parsing",
    "contents-written",
    "words-written",
    "parsed",
    "post-begins",
    "posted",
    "posted:4",
    "outcome-begins",
    "delivery-closed",
    "releasing-leases",  # needs a lease that the process killed at the previous point has left
    "outcome-written",
    "leases-released",
    "outcome-commit",
    "outcome-commit:3",
    "outcome-committed",
)
CHECKS = ("checks-claimed", "checks-evaluated", "checks-written", "delivery-freed", "checks-committed")
LIFE = ("key-stored", "server-starting", "server-started", "draining", "drained", "dispatcher-stops")
MIGRATION = ("migration-statement", "migration-statement:9", "migration-statement:33")
RETENTION = ("retention-begins", "ticket-erased", "raw-erased", "retention-ended")  # test_retention visits these
REPLIES = (  # test_replies visits these
    "reply-due",
    "reply-claim-written",
    "reply-claimed",
    "final-dot-begins",
    "final-dot-written",
    "final-dot-committed",
    "reply-submitted",
    "reply-closed",
    "reply-recorded",
)
SPECIAL = {"retry-written", "digest-begins", "digest-posted", "parking", "parked", "probe-claimed", "probe-healed"}
MAILS = 6


# Every run visits these points on both databases.
ON_BOTH = frozenset({"accept-commit", "accept-committed", "posted", "final-dot-committed", "reply-submitted"})


def select_points(kind: str, chain: tuple[str, ...]) -> list[str]:
    """Returns the points of `chain` to visit on a database: all with CRASH_POINTS=all, otherwise about half of them.

    To save time, by default most points are visited on only one database.
    """
    if os.environ.get("CRASH_POINTS") == "all":
        return list(chain)
    half = KINDS.index(kind)
    return [place for n, place in enumerate(chain) if place in ON_BOTH or n % len(KINDS) == half]


async def run_until_killed(
    system: SystemUnderTest, mta: QueueingMta, point: str, *, mails: int = MAILS, stop: bool = False, **settings: object
) -> None:
    """Starts the program, sends it messages and asserts that it is killed at the point.

    Args:
        stop: Whether to terminate the program when it is ready, to reach a point of the shutdown.
    """
    mta.queue(system.new_mails(mails, large=5, replies=4))
    program = await system.launch("serve", options=("--kill-at", point, *system.clock_options), **settings)
    try:
        await system.wait_ready(program)
    except AssertionError:
        pass  # some points precede readiness
    else:
        if stop:
            await program.terminate()
    await assert_killed(program, point)


async def assert_killed(program: Program, point: str) -> None:
    code = await program.wait()
    assert code == -signal.SIGKILL, f"{point}: ended with {code}\n{program.stderr_text}"


async def assert_recovers(system: SystemUnderTest, mta: QueueingMta, *, late: float = 600) -> None:
    """Starts the program and asserts that everything is delivered without faults.

    Args:
        late: Seconds by which the clock is ahead, so that pending retries are due.
    """
    system.set_clock(late)
    program = await system.start(options=system.clock_options)
    await mta.wait_all_accepted()
    await system.wait_delivered()
    assert await program.terminate() == 0
    await system.assert_no_faults(mta)


def test_every_point_is_visited() -> None:
    visited = {
        place.partition(":")[0] for place in (*ACCEPT, *DELIVER, *CHECKS, *LIFE, *MIGRATION, *RETENTION, *REPLIES)
    } | SPECIAL
    # `migration-statement` has the suffix `-pg` on PostgreSQL, and test_processes visits `notifying`.
    assert visited == POINTS.keys() - {"migration-statement-pg", "notifying"}
    assert len(visited) >= 20


async def test_killed_while_accepting(kind: str, server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    async with system_under_test(kind, tmp_path, server) as system, system.start_mta() as mta:
        for point in select_points(kind, ACCEPT):
            await run_until_killed(system, mta, point)
        await assert_recovers(system, mta)


async def test_killed_while_delivering(kind: str, server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    async with system_under_test(kind, tmp_path, server) as system, system.start_mta() as mta:
        for point in select_points(kind, DELIVER):
            await run_until_killed(system, mta, point)
        await assert_recovers(system, mta)


async def test_killed_while_checking_senders(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path, dns_server: DnsStandIn
) -> None:
    settings = {"checks.enabled": True, "dns.nameservers": [dns_server.address]}
    async with system_under_test(kind, tmp_path, server, settings=settings) as system, system.start_mta() as mta:
        for point in select_points(kind, CHECKS):
            await run_until_killed(system, mta, point)
        await assert_recovers(system, mta)
        checked = await system.database.fetch_number("SELECT count(*) FROM message_checks")
        assert checked == await system.database.fetch_number("SELECT count(*) FROM messages")


async def test_killed_around_retries_digests_and_probes(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    async with system_under_test(kind, tmp_path, server, aliases=1) as system, system.start_mta() as mta:
        system.slack.script("team0", FixedResponse(503, "later"))
        await run_until_killed(system, mta, "retry-written")
        system.set_clock(60)
        for point in ("digest-begins", "digest-posted"):
            await run_until_killed(
                system, mta, point, mails=12, delivery__digest_after=2, delivery__burst=1, delivery__per_second=2.0
            )
        system.set_clock(120)
        system.slack.remove_webhook("team0")
        await run_until_killed(system, mta, "parking")
        await run_until_killed(system, mta, "parked")
        system.slack.restore_webhook("team0")
        system.set_clock(600)
        await run_until_killed(system, mta, "probe-claimed")
        system.set_clock(1200)
        await run_until_killed(system, mta, "probe-healed")
        await assert_recovers(system, mta, late=3600)


async def test_killed_while_starting_and_stopping(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    async with system_under_test(kind, tmp_path, server) as system, system.start_mta() as mta:
        for point in select_points(kind, LIFE):
            await run_until_killed(system, mta, point, stop=point in LIFE[3:])
        await assert_recovers(system, mta)


async def test_killed_inside_a_migration(kind: str, server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'emailrouter.db'}" if kind == "sqlite" else await server().create_database()
    env: dict[str, object] = {"database.url": url, "server.data_dir": str(tmp_path)}
    suffix = "-pg" if kind == "postgres" else ""
    for point in MIGRATION:
        name, colon, nth = point.partition(":")
        options = ("--kill-at", f"{name}{suffix}{colon}{nth}", "--")
        command = ("-m", "tests.system.crash.launcher", *options)
        async with Program("migrate", env=env, cwd=tmp_path, command=command) as program:
            await assert_killed(program, point)
    first = (await run_cli("migrate", "--json", env=env, cwd=tmp_path)).ok().json()
    assert first["applied"][0] == "0001_initial.sql"
    again = (await run_cli("migrate", "--json", env=env, cwd=tmp_path)).ok().json()
    assert again == {"applied": [], "schema": first["schema"]}
