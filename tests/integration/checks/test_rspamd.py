"""Messages are checked by rspamd over HTTP. Whatever it answers, no check raises or takes longer than its limit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog

from router.checks import rspamd
from router.checks.rspamd import RspamdClient, SessionFacts
from router.checks.spam_verdict import SpamSymbol, SpamVerdict
from router.meter import NULL_METER, Meter, NullMeter
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
from tests.support.failing import FailingMeter
from tests.support.rspamd import GTUBE, PATH, RspamdStandIn, make_body

MAIL = b"From: a@example.org\r\nSubject: hello\r\n\r\nHello\r\n"
FACTS = SessionFacts(
    peer="192.0.2.7",
    helo="mx\r\nPassword: wrong",
    hostname="mx.example.org",
    reverse_path="a@example.org",
    recipients=("b@example.com", "c@example.com"),
    message_id="msg_1",
    tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
)


@dataclass
class SpamCheckMeter(NullMeter):
    outcomes: list[str] = field(default_factory=list)

    def record_spam_check(self, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.outcomes.append(outcome)


@pytest.fixture
async def server() -> AsyncIterator[RspamdStandIn]:
    async with RspamdStandIn(password="secret") as found:
        yield found


@asynccontextmanager
async def open_client(
    url: str, meter: Meter = NULL_METER, *, password: str | None = "secret", timeout: float = 10, max_bytes: int = 10**7
) -> AsyncIterator[RspamdClient]:
    client = RspamdClient(url, password, meter, timeout=timeout, max_bytes=max_bytes, mta_name="mx1.example.com")
    try:
        yield client
    finally:
        await client.close()


async def test_message_and_session_are_sent(server: RspamdStandIn) -> None:
    mail = MAIL + b"\x00\xff" * 1_000_000  # larger than what aiohttp sends in one piece
    meter = SpamCheckMeter()
    async with open_client(server.base_url, meter) as client:
        verdict = await client.check(mail, FACTS)
        assert await client.check(MAIL + GTUBE, FACTS) == SpamVerdict(
            "rspamd", 15.0, 15.0, "reject", (SpamSymbol("GTUBE", 0.0, "about GTUBE"),)
        )
    assert verdict is not None
    assert (verdict.action, verdict.score, verdict.required) == ("no action", 0.9, 15.0)
    post = server.posts[0]
    assert (post.method, post.path, post.raw == mail) == ("POST", PATH, True)
    assert post.headers.getall("Rcpt") == ["<b@example.com>", "<c@example.com>"]
    assert post.headers.getall("Password") == ["secret"], "HELO cannot add a field"
    assert post.headers["Helo"] == "mx??Password: wrong"
    assert (post.headers["IP"], post.headers["From"]) == ("192.0.2.7", "<a@example.org>")
    assert (post.headers["Hostname"], post.headers["Queue-ID"]) == ("mx.example.org", "msg_1")
    assert (post.headers["MTA-Name"], post.headers["TLS-Version"]) == ("mx1.example.com", "TLSv1.3")
    assert len(server.connections) == 1, "the connection is used again"
    assert meter.outcomes == ["checked", "checked"]


BAD: dict[str, tuple[Behaviour, str]] = {
    "error status": (FixedResponse(500, "{}"), "failed"),
    "wrong password": (FixedResponse(401, '{"error":"Unauthorized"}'), "refused"),
    "redirect": (RedirectResponse("/elsewhere"), "failed"),
    "no JSON": (FixedResponse(200, "<html>rspamd</html>"), "malformed"),
    "wrong type": (FixedResponse(200, make_body("high", "reject")), "malformed"),
    "skipped": (FixedResponse(200, make_body(0, "no action", is_skipped=True)), "skipped"),
    "too large": (LargeResponse(rspamd.MAX_RESPONSE_BYTES + 1), "malformed"),
    "half a response": (PartialResponse(), "malformed"),
    "reset": (Reset(), "unreachable"),
}


@pytest.mark.parametrize("case", BAD)
async def test_unusable_answer_is_no_verdict(server: RspamdStandIn, case: str) -> None:
    behaviour, outcome = BAD[case]
    meter = SpamCheckMeter()
    server.default(PATH, behaviour)
    async with open_client(server.base_url, meter) as client:
        assert await client.check(MAIL, FACTS) is None
        server.default(PATH, None)
        assert await client.check(MAIL, FACTS) is not None
    assert meter.outcomes == [outcome, "checked"]
    assert {post.path for post in server.posts} == {PATH}, "redirects are not followed"


@pytest.mark.parametrize("reply", [b"", b"rspamd\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
async def test_server_that_is_not_rspamd(reply: bytes) -> None:

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()

    meter = SpamCheckMeter()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, open_client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", meter) as client:
        assert await client.check(MAIL, FACTS) is None
    assert meter.outcomes == ["unreachable" if not reply else "malformed"]


@pytest.mark.parametrize("behaviour", [Hang(), SlowResponse(0.02, body=make_body(1, "reject").encode())])
async def test_slow_server_takes_no_longer_than_the_limit(server: RspamdStandIn, behaviour: Behaviour) -> None:
    meter = SpamCheckMeter()
    server.default(PATH, behaviour)
    async with open_client(server.base_url, meter, timeout=0.05) as client, asyncio.timeout(10):
        checks = [client.check(MAIL, FACTS) for _ in range(rspamd.MAX_CONNECTIONS + 4)]
        assert await asyncio.gather(*checks) == [None] * len(checks)
    assert set(meter.outcomes) == {"timeout"}
    assert server.peak[PATH] <= rspamd.MAX_CONNECTIONS


async def test_large_message_is_not_sent(server: RspamdStandIn) -> None:
    meter = SpamCheckMeter()
    async with open_client(server.base_url, meter, max_bytes=len(MAIL)) as client:
        assert await client.check(MAIL + b"x", FACTS) is None
        assert await client.check(MAIL, FACTS) is not None
    assert meter.outcomes == ["too_large", "checked"]
    assert len(server.posts) == 1


async def test_wrong_password(server: RspamdStandIn) -> None:
    for password in (None, "other"):
        meter = SpamCheckMeter()
        async with open_client(server.base_url, meter, password=password) as client:
            assert await client.check(MAIL, FACTS) is None
        assert meter.outcomes == ["refused"]


async def test_outage_is_logged_once(server: RspamdStandIn) -> None:
    port = server.port
    with structlog.testing.capture_logs() as logs:
        async with open_client(server.base_url, FailingMeter()) as client:
            await server.stop()
            for _ in range(3):
                assert await client.check(MAIL, FACTS) is None
            await server.start(port)
            for _ in range(2):
                assert await client.check(MAIL, FACTS) is not None
    events: list[Any] = [(log["event"], log.get("reason")) for log in logs if log["event"].startswith("rspamd.")]
    assert events == [("rspamd.unavailable", "connection refused"), ("rspamd.available", None)]
