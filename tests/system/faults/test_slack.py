"""Webhooks that fail in different ways do not delay deliveries to healthy webhooks."""

import ssl
from collections.abc import Callable
from pathlib import Path

import trustme

from tests.support.behaviours import (
    Behaviour,
    FixedResponse,
    Hang,
    LargeResponse,
    PartialResponse,
    RedirectResponse,
    Reset,
    SlowResponse,
)
from tests.support.postgres import PostgresServer
from tests.support.process import Program
from tests.support.raw_http import RawHttpServer, ScriptedResponse
from tests.support.slack import SlackStandIn
from tests.support.waiting import poll_until
from tests.system.crash.mta import QueueingMta
from tests.system.crash.system_under_test import SystemUnderTest, system_under_test

HTML = "<html><body><h1>502 Bad Gateway</h1><script>alert('@channel')</script></body></html>"
# Webhooks that accept each message at the first attempt, some with a slow, huge or incomplete response.
DELIVERED = {
    "well": None,
    "slow": SlowResponse(0.1),
    "huge": LargeResponse(50_000_000),
    "half": PartialResponse(),
    "too-slow": SlowResponse(0.5, per_chunk=1, body=b"o" * 60),
}
SETTINGS: dict[str, object] = {"delivery.timeout": "2s", "delivery.lease": "5s"}
PEAK_KIB = 300_000


def temporary_faults() -> dict[str, tuple[Behaviour, str]]:
    """Maps each webhook to a fault that ends during the test, and to a part of the error recorded for it."""
    return {
        "hangs": (Hang(), "timed out"),
        "limited-until": (FixedResponse(429, "rate_limited", {"Retry-After": "600"}), "429"),
        "limited": (FixedResponse(429, "rate_limited"), "429"),
        "broken": (FixedResponse(500, "rollup_error"), "500"),
        "html": (FixedResponse(502, HTML), "502"),
        "huge-error": (FixedResponse(503, b"x" * 20_000_000), "503"),
        "reset": (Reset(), "reset"),
    }


async def test_each_webhook_fails_differently(kind: str, server: Callable[[], PostgresServer], tmp_path: Path) -> None:
    faults = temporary_faults()
    names = [*DELIVERED, *faults]
    async with (
        system_under_test(kind, tmp_path, server, webhooks=names, settings=SETTINGS) as system,
        system.start_mta() as mta,
    ):
        for name, behaviour in DELIVERED.items():
            system.slack.default(name, behaviour)
        for name, (failing, _) in faults.items():
            system.slack.default(name, failing)
        program = await system.start(options=system.clock_options)
        await queue_one_each(system, mta)
        await program.wait_event("delivery.sent", len(DELIVERED))
        await program.wait_event("delivery.retry_scheduled", len(faults))
        await assert_last_errors(system, {name: reason for name, (_, reason) in faults.items()})
        assert peak_memory(program) < PEAK_KIB, "a huge response is not read completely"
        for name in faults:
            system.slack.default(name, None)
        await assert_all_retried_except(system, program, "limited-until", seconds=60)
        system.set_clock(900)
        await system.wait_delivered()
        for name in faults:
            assert system.slack.accepted_posts(name), name
        for name in DELIVERED:
            assert len(system.slack.posts_to(name)) == 1, name
        assert program.running()


async def queue_one_each(system: SystemUnderTest, mta: QueueingMta) -> None:
    for address in system.addresses:
        mta.queue(system.new_mails(1, to=(address,)))
    await mta.wait_all_accepted()


async def assert_last_errors(system: SystemUnderTest, reasons: dict[str, str]) -> None:
    """Asserts that the deliveries are pending and that no error contains a secret.

    Args:
        reasons: For each webhook, a part of the error that its delivery must have recorded.
    """
    statement = "SELECT t.address, d.state, d.last_error FROM deliveries d JOIN tickets t ON t.id = d.ticket_id"
    found: dict[str, tuple[str, str]] = {}

    async def written() -> bool:
        rows = await system.database.rows(statement)
        found.update({address.partition("@")[0]: (state, error) for address, state, error in rows})
        return all(reason in found[name][1] for name, reason in reasons.items())

    try:
        await poll_until(written, "each delivery has a reason")
    except TimeoutError:
        assert {name: found[name][1] for name in reasons} == reasons
    for name in reasons:
        state, error = found[name]
        assert state == "pending"
        assert "services" not in error, "the webhook's path is a secret"


async def assert_all_retried_except(system: SystemUnderTest, program: Program, name: str, *, seconds: float) -> None:
    """Asserts that `seconds` later only the delivery to `name` is pending, because its Retry-After is later."""
    system.set_clock(seconds)

    async def left() -> bool:
        return await system.database.count_undelivered() == 1

    await poll_until(left, f"all deliveries except {name}")
    assert len(system.slack.posts_to(name)) == 1, "Retry-After was not obeyed"


def peak_memory(program: Program) -> int:
    """The peak resident memory in KiB."""
    status = Path(f"/proc/{program.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


class RedirectedSlack(SlackStandIn):
    """A stand-in for Slack whose webhook URLs lead to another server."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def url(self, name: str = "general", *, host: str = "127.0.0.1") -> str:
        return self._url


async def test_a_malformed_success_is_delivered_once(tmp_path: Path, server: Callable[[], PostgresServer]) -> None:
    ok = b"HTTP/1.1 200 OK\r\n"
    async with (
        RawHttpServer(
            ScriptedResponse((ok + b"Content-Length: 0\r\n\r\nok",)),
            ScriptedResponse((b"HTTP/1.1 204 No Content\r\n\r\nok",)),
            ScriptedResponse((ok + b"\xff\x00: x\r\n" + b"x" * 100_000,)),
            ScriptedResponse((ok + b"Content-Length: 99\r\n\r\nok",), "reset"),
            ScriptedResponse((ok,)),
        ) as raw,
        system_under_test("sqlite", tmp_path, server, webhooks=["flawed"], slack=RedirectedSlack(raw.url)) as system,
        system.start_mta() as mta,
    ):
        program = await system.start(options=system.clock_options)
        mta.queue(system.new_mails(5, to=system.addresses))
        await mta.wait_all_accepted()
        await program.wait_event("delivery.sent", 5)
        system.set_clock(900)
        await system.wait_delivered()
        assert len(raw.requests) == 5


async def test_refused_connections(tmp_path: Path, server: Callable[[], PostgresServer]) -> None:
    async with system_under_test("sqlite", tmp_path, server) as system, system.start_mta() as mta:
        program = await system.start(options=system.clock_options)
        await system.slack.stop()
        await queue_one_each(system, mta)
        await program.wait_event("delivery.retry_scheduled", len(system.addresses))
        await assert_last_errors(
            system, {address.partition("@")[0]: "connection refused" for address in system.addresses}
        )
        await system.slack.start(system.slack.port)
        system.set_clock(60)
        await system.wait_delivered()
        assert (await system.assert_no_faults(mta)).duplicate_posts == 0


async def test_an_invalid_certificate(tmp_path: Path, server: Callable[[], PostgresServer]) -> None:
    """Nothing is sent before the certificate is valid."""
    authority, stranger = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("slack.test").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "trusted.pem"))
    async with (
        SlackStandIn(ssl_context=context) as secure,
        system_under_test("sqlite", tmp_path, server, webhooks=["secure"], slack=secure) as system,
        system.start_mta() as mta,
    ):
        program = await system.start(options=system.clock_options, SSL_CERT_FILE=str(tmp_path / "trusted.pem"))
        await queue_one_each(system, mta)
        await program.wait_event("delivery.retry_scheduled")
        await assert_last_errors(system, {"secure": "the certificate is not valid for 127.0.0.1"})
        stranger.issue_cert("127.0.0.1").configure_cert(context)
        system.set_clock(60)
        await program.wait_event("delivery.retry_scheduled", 2)
        await assert_last_errors(system, {"secure": "certificate verification failed"})
        assert not secure.posts
        authority.issue_cert("127.0.0.1").configure_cert(context)
        system.set_clock(600)
        await system.wait_delivered()
        assert (await system.assert_no_faults(mta)).duplicate_posts == 0


async def test_a_redirect_is_not_followed(tmp_path: Path, server: Callable[[], PostgresServer]) -> None:
    """A redirect is a permanent failure, and nothing is sent to its target."""
    async with system_under_test("sqlite", tmp_path, server, webhooks=["moved"]) as system, system.start_mta() as mta:
        system.slack.default("moved", RedirectResponse(system.slack.url("elsewhere")))
        program = await system.start()
        await queue_one_each(system, mta)
        await program.wait_event("delivery.failed")

        async def dead() -> bool:
            return await system.database.fetch_number("SELECT count(*) FROM deliveries WHERE state = 'dead'") == 1

        await poll_until(dead, "the delivery is dead")
        assert not system.slack.posts_to("elsewhere")
