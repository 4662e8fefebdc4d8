"""The guarded client against a real server on loopback that misbehaves in every way a webhook can."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trustme
import uvloop
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given, settings
from hypothesis import strategies as st

from router.outbound.client import AddressRefused, OutboundClient, OutboundError
from tests.support.raw_http import After, RawHttpServer, Script
from tests.support.slack import Answer, Half, Hang, Huge, Redirect, Reset, SlackStandIn, Slow

PAYLOAD = {"text": "Gr\u00fc\u00dfe \U0001f4ec"}


class Names(AbstractResolver):
    """A resolver of the test's own: these names, these addresses."""

    def __init__(self, names: dict[str, list[str]]) -> None:
        self._names = names
        self.asked = 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        self.asked += 1
        if host not in self._names:
            raise OSError(None, "no such name")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address in self._names[host]
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
async def client() -> AsyncIterator[OutboundClient]:
    client = OutboundClient(allow_private=True, timeout=10, answer_excerpt=100)
    yield client
    await client.close()


async def _fault(client: OutboundClient, url: str, timeout: float | None = None) -> str:
    with pytest.raises(OutboundError) as caught:
        await client.post_json(url, PAYLOAD, timeout)
    reason = caught.value.reason
    assert "/services/" not in f"{reason}{caught.value!r}"  # the path is the secret
    assert caught.value.__cause__ is None
    error = caught.value
    assert (
        error.__context__ is None or error.__suppress_context__
    )  # a logged traceback must not show aiohttp's text with the URL
    return reason


async def test_an_answer(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Answer(429, "slow\r\ndown\x1b", {"Retry-After": "30", "Set-Cookie": "a=b"}), Answer())
    answer = await client.post_json(slack.url(), PAYLOAD)
    assert (answer.status, answer.excerpt) == (429, "slow down")
    assert answer.headers["retry-after"] == "30"
    assert answer.latency_us > 0
    await client.post_json(slack.url(), PAYLOAD)
    first, second = slack.posts
    assert first.payload == PAYLOAD
    assert first.raw == '{"text":"Grüße 📬"}'.encode()
    assert first.headers["Content-Type"].startswith("application/json")
    assert "Cookie" not in second.headers


async def test_the_path_goes_out_as_it_is(client: OutboundClient) -> None:
    lines = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await client.post_json(f"http://127.0.0.1:{port}/a/%2f%41/../b?x=%20&y=a+b", PAYLOAD)
    assert lines == [b"POST /a/%2f%41/../b?x=%20&y=a+b HTTP/1.1\r\n"]


async def test_a_redirect_is_an_answer(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Redirect(slack.url("elsewhere")))
    assert (await client.post_json(slack.url(), PAYLOAD)).status == 302
    assert not slack.posts_to("elsewhere")


async def test_a_huge_answer_is_cut_off(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Huge(64 * 1024 * 1024))
    answer = await client.post_json(slack.url(), PAYLOAD)
    assert (answer.status, answer.excerpt) == (200, "x" * 100)
    assert (await client.post_json(slack.url(), PAYLOAD)).excerpt == "ok"


@pytest.mark.parametrize("length", [99, 100, 101])
async def test_around_the_cap(client: OutboundClient, slack: SlackStandIn, length: int) -> None:
    slack.script("general", Answer(200, "y" * length))
    assert (await client.post_json(slack.url(), PAYLOAD)).excerpt == "y" * min(length, 100)


async def test_silence(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Hang())
    assert await _fault(client, slack.url(), 0.1) == "timed out after 0.1 s"


async def test_a_trickle_is_bounded_too(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Slow(0.05, 1, b"z" * 100))
    answer = await client.post_json(slack.url(), PAYLOAD)
    assert answer.status == 200
    assert answer.excerpt in ("z" * n for n in range(100))


async def test_cut_connections(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Half(), Reset())
    assert (await client.post_json(slack.url(), PAYLOAD)).status == 200
    assert await _fault(client, slack.url()) in ("connection reset", "connection closed without an answer")


async def test_nobody_listens(client: OutboundClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/services/secret"
        assert await _fault(client, url) == "connection refused"


async def test_what_is_not_http(client: OutboundClient) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.test ESMTP\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await _fault(client, f"http://127.0.0.1:{port}/services/x") == "the answer is not HTTP"


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/services/x",
        "http:///services/x",
        "services/x",
        "http://[::1/services/x",
        "https://.x.test/a",
        "https://x.test/a b",
        "https://x.test/\r\nX: y",
    ],
)
async def test_what_is_no_url(client: OutboundClient, url: str) -> None:
    assert await _fault(client, url) == "the URL is not valid"


async def test_a_name_that_does_not_resolve() -> None:
    client = OutboundClient(resolver=Names({}))
    assert await _fault(client, "https://hooks.test/services/x") == "host name hooks.test cannot be resolved"
    await client.close()


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test"])
async def test_a_name_that_is_none(client: OutboundClient, host: str) -> None:
    assert await _fault(client, f"https://{host}/services/x") == f"host name {host} cannot be resolved"


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("127.0.0.1", "address 127.0.0.1 is loopback"),
        ("[::1]", "address ::1 is loopback"),
        ("[::ffff:127.0.0.1]", "address ::ffff:127.0.0.1 is loopback"),
        ("hooks.test", "address 10.0.0.1 is private"),
        ("both.test", "address fd00::1 is private"),
    ],
)
async def test_addresses_are_judged_at_connect(slack: SlackStandIn, host: str, words: str) -> None:
    names = Names({"hooks.test": ["10.0.0.1"], "both.test": ["fd00::1", "169.254.169.254"]})
    client = OutboundClient(resolver=names)
    with pytest.raises(AddressRefused) as caught:
        await client.post_json(f"http://{host}:{slack.port}/services/T/B/x", PAYLOAD)
    assert caught.value.reason == f"{words}: set [delivery] allow_private_networks to allow it"
    await client.close()
    assert not slack.posts


async def test_a_refused_address_beside_one_that_connects(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure is the one of the connection that was made: it passes by waiting."""
    monkeypatch.setattr("router.outbound.client.refusal", {"127.0.0.2": "refused"}.get)
    client = OutboundClient(timeout=0.5, resolver=Names({"hooks.test": ["127.0.0.2", "127.0.0.1"]}))
    slack.script("general", Hang())
    assert await _fault(client, slack.url(host="hooks.test")) == "timed out after 0.5 s"
    assert (await client.post_json(slack.url(host="hooks.test"), PAYLOAD)).status == 200
    await client.close()


async def test_a_name_of_loopback_is_refused_by_the_system_resolver_too(slack: SlackStandIn) -> None:
    client = OutboundClient()
    with pytest.raises(AddressRefused):
        await client.post_json(slack.url(host="localhost"), PAYLOAD)
    await client.close()
    assert not slack.posts


async def test_no_proxy_from_the_environment(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = OutboundClient(allow_private=True)
    assert (await client.post_json(slack.url(), PAYLOAD)).status == 200
    await client.close()


async def test_after_close(client: OutboundClient, slack: SlackStandIn) -> None:
    await client.close()
    assert await _fault(client, slack.url()) == "the program is stopping"
    await client.close()


async def test_close_ends_calls_under_way(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Hang())
    call = asyncio.create_task(_fault(client, slack.url()))
    await slack.wait_for(1)
    await client.close()
    assert await call


async def test_cancelling_is_not_an_error_of_the_net(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Hang())
    call = asyncio.create_task(client.post_json(slack.url(), PAYLOAD))
    await slack.wait_for(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_calls_at_once_keep_their_refusals_apart(slack: SlackStandIn) -> None:
    client = OutboundClient(resolver=Names({"a.test": ["10.0.0.1"], "b.test": ["192.168.0.1"]}))
    results: list[Any] = await asyncio.gather(
        *(client.post_json(f"http://{host}:{slack.port}/x", PAYLOAD) for host in ("a.test", "b.test") * 5),
        return_exceptions=True,
    )
    assert [result.reason[:19] for result in results] == ["address 10.0.0.1 is", "address 192.168.0.1"] * 5
    await client.close()


class TestTls:
    """Certificates of an authority of the test's own."""

    authority = trustme.CA()

    def _server(self, certificate: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context

    def _trusting(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    async def _try(self, certificate: trustme.LeafCert, trust: ssl.SSLContext | None) -> str:
        client = OutboundClient(allow_private=True, ssl_context=trust, resolver=Names({"hooks.test": ["127.0.0.1"]}))
        async with SlackStandIn(ssl_context=self._server(certificate)) as slack:
            try:
                answer = await client.post_json(slack.url(host="hooks.test"), PAYLOAD)
            except OutboundError as error:
                assert not slack.posts
                return error.reason
            finally:
                await client.close()
            return answer.excerpt

    async def test_good(self) -> None:
        assert await self._try(self.authority.issue_cert("hooks.test"), self._trusting()) == "ok"

    async def test_another_host(self) -> None:
        reason = await self._try(self.authority.issue_cert("other.test"), self._trusting())
        assert reason == "certificate is not valid for hooks.test"

    async def test_nobody_we_trust(self) -> None:
        reason = await self._try(self.authority.issue_cert("hooks.test"), None)
        assert reason == "certificate of hooks.test is not accepted: its authority is not trusted"

    async def test_no_tls_at_all(self, slack: SlackStandIn) -> None:
        client = OutboundClient(allow_private=True)
        url = slack.url().replace("http:", "https:")
        assert await _fault(client, url) == "TLS with 127.0.0.1 failed"
        await client.close()


# --- flaws after the status line

OK = b"HTTP/1.1 200 OK\r\n"
CLEAN = Script((OK + b"Content-Length: 2\r\n\r\nok",))
FLAWED = {
    "wrong length": Script((OK + b"Content-Length: 3\r\n\r\nok\xe2\x9c\x93",)),
    "a body of length 0": Script((OK + b"Content-Length: 0\r\n\r\nok",)),
    "a body of length 0, later": Script((OK + b"Content-Length: 0\r\n\r\n", b"ok")),
    "a body with 204": Script((b"HTTP/1.1 204 No Content\r\n\r\nok",)),
    "two responses": Script((OK + b"Content-Length: 2\r\n\r\nok" + OK + b"Content-Length: 0\r\n\r\n",)),
    "an odd header": Script((OK + b"X Y: \xff\x00\r\n\xfc: 1\r\nno colon\r\nContent-Length: 2\r\n\r\nok",)),
    "a long header": Script((OK + b"X: " + b"x" * 30_000 + b"\r\nContent-Length: 2\r\n\r\nok",)),
    "a header without end": Script((OK + b"X: " + b"x" * 200_000,)),
    "many headers": Script((OK + b"X: y\r\n" * 1000 + b"Content-Length: 2\r\n\r\nok",)),
    "two lengths": Script((OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",), "close"),
    "broken chunks": Script((OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nok",)),
    "chunks cut off": Script((OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nok",), "close"),
    "an unknown coding": Script((OK + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n\xff\xfe",)),
    "no gzip after all": Script((OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",)),
    "closed in the headers": Script((OK + b"Content-Le",), "close"),
    "reset in the headers": Script((OK + b"Content-Le",), "reset"),
    "reset in the body": Script((OK + b"Content-Length: 9\r\n\r\nok",), "reset"),
    "closed after the status line": Script((OK,), "close"),
    "closed in the reason": Script((b"HTTP/1.1 200 O",), "close"),
    "interim responses": Script(
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", CLEAN.pieces[0])
    ),
    "interim responses before a flaw": Script(
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"no colon\r\n\r\nok")
    ),
    "HTTP/1.0": Script((b"HTTP/1.0 200 OK\r\n\r\nok",), "close"),
    "line feeds alone": Script((b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",)),
    "no reason": Script((b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",)),
    "byte by byte": Script(tuple(bytes([byte]) for byte in CLEAN.pieces[0])),
}


@pytest.mark.parametrize("script", FLAWED.values(), ids=FLAWED)
async def test_the_status_line_decides_and_the_next_call_is_unharmed(client: OutboundClient, script: Script) -> None:
    gone = Script((b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nno_service",))
    async with RawHttpServer(script, gone, script, CLEAN) as server:
        for _ in range(2):
            assert (await client.post_json(server.url, PAYLOAD)).status in (200, 204)
            second = await client.post_json(server.url, PAYLOAD)
            assert (second.status, second.excerpt) in ((404, "no_service"), (200, "ok"))
        assert second.status == 200
        assert len(server.requests) == 4


async def test_the_body_of_a_success_is_not_waited_for(client: OutboundClient) -> None:
    async with RawHttpServer(Script((OK + b"Content-Length: 9\r\n\r\nok",))) as server:
        answer = await client.post_json(server.url, PAYLOAD, 3600)
        assert (answer.status, answer.excerpt) == (200, "ok")


@pytest.mark.parametrize("start", [OK, OK + b"Content-Le"])
async def test_a_success_whose_head_does_not_end(client: OutboundClient, start: bytes) -> None:
    async with RawHttpServer(Script((start,))) as server:
        assert (await client.post_json(server.url, PAYLOAD, 1)).status == 200


@pytest.mark.parametrize("after", ["keep", "close", "reset"])
async def test_other_answers_are_read_as_far_as_they_come(client: OutboundClient, after: After) -> None:
    answer = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 99\r\n\r\nrate_limited"
    async with RawHttpServer(Script((answer,), after)) as server:
        got = await client.post_json(server.url, PAYLOAD, 2)
        assert (got.status, got.headers["retry-after"], got.excerpt) == (429, "7", "rate_limited")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (Script((), "close"), "connection closed without an answer"),
        (Script((), "reset"), "connection reset"),
        (Script((b"HTTP/1.1 100 Continue\r\n\r\n",), "close"), "connection closed without an answer"),
        (Script((b"HTTP/1.1 20",), "close"), "connection closed without an answer"),
        (Script((b"http/1.1 200 OK\r\n\r\n",)), "the answer is not HTTP"),
        (Script((b"<html>\r\n\r\n",), "close"), "the answer is not HTTP"),
        (Script((b"x" * 200_000,)), "the answer is not HTTP"),
        (Script((b"HTTP/1.1 100 Continue\r\n\r\n",)), "timed out after 0.5 s"),
    ],
)
async def test_no_status_line_is_no_answer(client: OutboundClient, script: Script, reason: str) -> None:
    async with RawHttpServer(script, CLEAN) as server:
        assert await _fault(client, server.url, 0.5 if "timed out" in reason else None) == reason
        assert (await client.post_json(server.url, PAYLOAD)).excerpt == "ok"


async def test_each_call_has_a_connection_of_its_own(client: OutboundClient) -> None:
    """What a server sends after a response is never read as the response to the next request."""
    async with RawHttpServer(CLEAN) as server:
        for expected in (1, 2, 3):
            assert (await client.post_json(server.url, PAYLOAD)).excerpt == "ok"
            assert server.connections == expected
        assert b"\r\nConnection: close\r\n" in server.requests[0]


async def test_calls_to_one_host_share_a_lookup(slack: SlackStandIn) -> None:
    names = Names({"hooks.test": ["127.0.0.1"]})
    client = OutboundClient(allow_private=True, resolver=names)
    url = slack.url(host="hooks.test")
    answers = await asyncio.gather(*(client.post_json(url, PAYLOAD) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert names.asked == 1
    await client.close()


async def test_lookups_without_an_answer_hold_nothing_else_up(
    slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the threads of the event loop, nor calls that need no lookup, nor the end of the loop."""
    answered = threading.Event()

    def silent(host: str, *args: object, **options: object) -> list[object]:
        answered.wait()
        raise socket.gaierror(socket.EAI_AGAIN, host)

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    client = OutboundClient(allow_private=True)
    calls = [asyncio.create_task(_fault(client, f"https://h{n}.test/x", 0.5)) for n in range(40)]
    try:
        assert set(await asyncio.gather(*calls)) == {"timed out after 0.5 s"}
        assert await asyncio.to_thread(len, "abc") == 3
        assert (await client.post_json(slack.url(), PAYLOAD)).status == 200
        await asyncio.get_running_loop().shutdown_default_executor()
    finally:
        answered.set()
        await client.close()


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@given(
    status=st.integers(200, 299),
    rest=st.binary(max_size=200),
    after=st.sampled_from(["keep", "close", "reset"]),
)
@settings(max_examples=30, deadline=None)
def test_any_bytes_after_a_success_are_a_success(
    loop_factory: Callable[[], asyncio.AbstractEventLoop], status: int, rest: bytes, after: After
) -> None:
    async def post() -> int:
        client = OutboundClient(allow_private=True)
        # The empty lines end a header that is read on and on, so that no example waits for its body.
        answer = b"HTTP/1.1 %d \r\n" % status + rest + b"\r\n\r\n" + b"x" * 2000
        async with RawHttpServer(Script((answer,), after)) as server:
            try:
                return (await client.post_json(server.url, PAYLOAD)).status
            finally:
                await client.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(post()) == status
