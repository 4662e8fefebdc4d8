"""Answers with flaws: the status line decides, and the next call is unharmed."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from router.outbound.client import OutboundClient
from tests.integration.outbound.calls import CLEAN, OK, PAYLOAD, fault
from tests.support.raw_http import After, RawHttpServer, Script

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
        (Script((), "close"), "connection closed without a response"),
        (Script((), "reset"), "connection reset"),
        (Script((b"HTTP/1.1 100 Continue\r\n\r\n",), "close"), "connection closed without a response"),
        (Script((b"HTTP/1.1 20",), "close"), "connection closed without a response"),
        (Script((b"http/1.1 200 OK\r\n\r\n",)), "the response is not valid HTTP"),
        (Script((b"<html>\r\n\r\n",), "close"), "the response is not valid HTTP"),
        (Script((b"x" * 200_000,)), "the response is not valid HTTP"),
        (Script((b"HTTP/1.1 100 Continue\r\n\r\n",)), "timed out after 0.5 s"),
    ],
)
async def test_no_status_line_is_no_answer(client: OutboundClient, script: Script, reason: str) -> None:
    async with RawHttpServer(script, CLEAN) as server:
        assert await fault(client, server.url, 0.5 if "timed out" in reason else None) == reason
        assert (await client.post_json(server.url, PAYLOAD)).excerpt == "ok"


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
