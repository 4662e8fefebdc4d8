"""Slack at fault, each webhook in its own way and all at once: what is well goes out, what is not waits and arrives."""

import ssl
from collections.abc import Callable
from pathlib import Path

import trustme

from tests.support.postgres import PostgresServer
from tests.support.process import Program
from tests.support.raw_http import RawHttpServer, Script
from tests.support.slack import Answer, Half, Hang, Huge, Redirect, Reset, SlackStandIn, Slow
from tests.support.slack_behaviours import Behaviour
from tests.system.crash.mta import Mta
from tests.system.crash.rig import Rig, new_rig, until_async

HTML = "<html><body><h1>502 Bad Gateway</h1><script>alert('@channel')</script></body></html>"
# What a person sees in the channel all the same.
ARRIVING = {
    "well": None,
    "slow": Slow(0.1),
    "huge": Huge(50_000_000),
    "half": Half(),
    "too-slow": Slow(0.5, per_chunk=1, body=b"o" * 60),
}
SETTINGS: dict[str, object] = {"delivery.timeout": "2s", "delivery.lease": "5s"}
PEAK_KIB = 300_000


def passing() -> dict[str, tuple[Behaviour, str]]:
    """What passes by waiting, and what the attempt remembers of it."""
    return {
        "hangs": (Hang(), "timed out"),
        "limited-until": (Answer(429, "rate_limited", {"Retry-After": "600"}), "429"),
        "limited": (Answer(429, "rate_limited"), "429"),
        "broken": (Answer(500, "rollup_error"), "500"),
        "html": (Answer(502, HTML), "502"),
        "huge-error": (Answer(503, b"x" * 20_000_000), "503"),
        "reset": (Reset(), "reset"),
    }


async def test_each_webhook_fails_in_its_own_way(
    kind: str, server: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    faults = passing()
    names = [*ARRIVING, *faults]
    async with new_rig(kind, tmp_path, server, webhooks=names, settings=SETTINGS) as rig, rig.mta() as mta:
        for name, behaviour in ARRIVING.items():
            rig.slack.default(name, behaviour)
        for name, (failing, _) in faults.items():
            rig.slack.default(name, failing)
        program = await rig.start(options=rig.clock_options)
        await one_each(rig, mta)
        await program.wait_event("delivery.sent", len(ARRIVING))
        await program.wait_event("delivery.retry_scheduled", len(faults))
        await remembered(rig, {name: reason for name, (_, reason) in faults.items()})
        assert peak_memory(program) < PEAK_KIB, "a huge answer is not read"
        for name in faults:
            rig.slack.default(name, None)
        await retried_but(rig, program, "limited-until", seconds=60)
        rig.set_clock(900)
        await rig.settle()
        for name in faults:
            assert rig.slack.delivered(name), name
        for name in ARRIVING:
            assert len(rig.slack.posts_to(name)) == 1, name
        assert program.running()


async def one_each(rig: Rig, mta: Mta) -> None:
    """A mail to each alias."""
    for address in rig.addresses:
        mta.offer(rig.mails(1, to=(address,)))
    await mta.all_taken()


async def remembered(rig: Rig, reasons: dict[str, str]) -> None:
    """Every delivery waits and says why, in words without secrets."""
    statement = "SELECT t.address, d.state, d.last_error FROM deliveries d JOIN tickets t ON t.id = d.ticket_id"
    found: dict[str, tuple[str, str]] = {}

    async def written() -> bool:
        rows = await rig.ledger.rows(statement)
        found.update({address.partition("@")[0]: (state, error) for address, state, error in rows})
        return all(reason in found[name][1] for name, reason in reasons.items())

    try:
        await until_async(written, "a reason for each")
    except TimeoutError:
        assert {name: found[name][1] for name in reasons} == reasons
    for name in reasons:
        state, error = found[name]
        assert state == "pending"
        assert "services" not in error, "the webhook's path is a secret"


async def retried_but(rig: Rig, program: Program, name: str, *, seconds: float) -> None:
    """After `seconds` everything has arrived but what was asked to come later."""
    rig.set_clock(seconds)

    async def left() -> bool:
        return await rig.ledger.owed() == 1

    await until_async(left, f"all but {name}")
    assert len(rig.slack.posts_to(name)) == 1, "Retry-After was not obeyed"


def peak_memory(program: Program) -> int:
    """The most memory the process ever had, in KiB."""
    status = Path(f"/proc/{program.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


class Elsewhere(SlackStandIn):
    """Every webhook leads to another server."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def url(self, name: str = "general", *, host: str = "127.0.0.1") -> str:
        return self._url


async def test_a_success_with_a_flaw_is_delivered_once(tmp_path: Path, server: Callable[[], PostgresServer]) -> None:
    """Whatever follows the status line of a 2xx: the ticket is delivered, and not posted again on the schedule."""
    ok = b"HTTP/1.1 200 OK\r\n"
    async with (
        RawHttpServer(
            Script((ok + b"Content-Length: 0\r\n\r\nok",)),
            Script((b"HTTP/1.1 204 No Content\r\n\r\nok",)),
            Script((ok + b"\xff\x00: x\r\n" + b"x" * 100_000,)),
            Script((ok + b"Content-Length: 99\r\n\r\nok",), "reset"),
            Script((ok,)),
        ) as raw,
        new_rig("sqlite", tmp_path, server, webhooks=["flawed"], slack=Elsewhere(raw.url)) as rig,
        rig.mta() as mta,
    ):
        program = await rig.start(options=rig.clock_options)
        mta.offer(rig.mails(5, to=rig.addresses))
        await mta.all_taken()
        await program.wait_event("delivery.sent", 5)
        rig.set_clock(900)
        await rig.settle()
        assert len(raw.requests) == 5


async def test_slack_is_not_there(tmp_path: Path, server: Callable[[], PostgresServer]) -> None:
    """Nobody listens: connections are refused; mail is taken, tickets wait, and go out when somebody does."""
    async with new_rig("sqlite", tmp_path, server) as rig, rig.mta() as mta:
        program = await rig.start(options=rig.clock_options)
        await rig.slack.stop()
        await one_each(rig, mta)
        await program.wait_event("delivery.retry_scheduled", len(rig.addresses))
        await remembered(rig, {address.partition("@")[0]: "connection refused" for address in rig.addresses})
        await rig.slack.start(rig.slack.port)
        rig.set_clock(60)
        await rig.settle()
        assert (await rig.sound(mta)).second_posts == 0


async def test_its_certificate_is_wrong(tmp_path: Path, server: Callable[[], PostgresServer]) -> None:
    """Another host's, then one of nobody we trust, then the right one: nothing is said before that."""
    authority, stranger = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("slack.test").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "trusted.pem"))
    async with (
        SlackStandIn(ssl_context=context) as secure,
        new_rig("sqlite", tmp_path, server, webhooks=["secure"], slack=secure) as rig,
        rig.mta() as mta,
    ):
        program = await rig.start(options=rig.clock_options, SSL_CERT_FILE=str(tmp_path / "trusted.pem"))
        await one_each(rig, mta)
        await program.wait_event("delivery.retry_scheduled")
        await remembered(rig, {"secure": "the certificate is not valid for 127.0.0.1"})
        stranger.issue_cert("127.0.0.1").configure_cert(context)
        rig.set_clock(60)
        await program.wait_event("delivery.retry_scheduled", 2)
        await remembered(rig, {"secure": "certificate verification failed"})
        assert not secure.posts
        authority.issue_cert("127.0.0.1").configure_cert(context)
        rig.set_clock(600)
        await rig.settle()
        assert (await rig.sound(mta)).second_posts == 0


async def test_a_redirect_is_not_followed(tmp_path: Path, server: Callable[[], PostgresServer]) -> None:
    """It cannot heal by waiting: dead at once, kept with its reason, and nothing is sent to where it points."""
    async with new_rig("sqlite", tmp_path, server, webhooks=["moved"]) as rig, rig.mta() as mta:
        rig.slack.default("moved", Redirect(rig.slack.url("elsewhere")))
        program = await rig.start()
        await one_each(rig, mta)
        await program.wait_event("delivery.failed")

        async def dead() -> bool:
            return await rig.ledger.number("SELECT count(*) FROM deliveries WHERE state = 'dead'") == 1

        await until_async(dead, "the delivery is dead")
        assert not rig.slack.posts_to("elsewhere")
