"""The status line of a malformed response decides the outcome, and the next call is not affected."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from router.outbound.client import OutboundClient
from tests.integration.outbound.calls import PAYLOAD, STATUS_LINE, VALID_RESPONSE, failure_reason, post_json
from tests.support.raw_http import After, RawHttpServer, ScriptedResponse

MALFORMED = {
    "wrong length": ScriptedResponse((STATUS_LINE + b"Content-Length: 3\r\n\r\nok\xe2\x9c\x93",)),
    "a body of length 0": ScriptedResponse((STATUS_LINE + b"Content-Length: 0\r\n\r\nok",)),
    "a body of length 0, later": ScriptedResponse((STATUS_LINE + b"Content-Length: 0\r\n\r\n", b"ok")),
    "a body with 204": ScriptedResponse((b"HTTP/1.1 204 No Content\r\n\r\nok",)),
    "two responses": ScriptedResponse(
        (STATUS_LINE + b"Content-Length: 2\r\n\r\nok" + STATUS_LINE + b"Content-Length: 0\r\n\r\n",)
    ),
    "malformed header fields": ScriptedResponse(
        (STATUS_LINE + b"X Y: \xff\x00\r\n\xfc: 1\r\nno colon\r\nContent-Length: 2\r\n\r\nok",)
    ),
    "a long header": ScriptedResponse((STATUS_LINE + b"X: " + b"x" * 30_000 + b"\r\nContent-Length: 2\r\n\r\nok",)),
    "a header field without end": ScriptedResponse((STATUS_LINE + b"X: " + b"x" * 200_000,)),
    "many headers": ScriptedResponse((STATUS_LINE + b"X: y\r\n" * 1000 + b"Content-Length: 2\r\n\r\nok",)),
    "two lengths": ScriptedResponse((STATUS_LINE + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",), "close"),
    "broken chunks": ScriptedResponse((STATUS_LINE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nok",)),
    "truncated chunks": ScriptedResponse((STATUS_LINE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nok",), "close"),
    "an unknown coding": ScriptedResponse(
        (STATUS_LINE + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\n\xff\xfe",)
    ),
    "invalid gzip": ScriptedResponse((STATUS_LINE + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",)),
    "closed in the headers": ScriptedResponse((STATUS_LINE + b"Content-Le",), "close"),
    "reset in the headers": ScriptedResponse((STATUS_LINE + b"Content-Le",), "reset"),
    "reset in the body": ScriptedResponse((STATUS_LINE + b"Content-Length: 9\r\n\r\nok",), "reset"),
    "closed after the status line": ScriptedResponse((STATUS_LINE,), "close"),
    "closed in the reason phrase": ScriptedResponse((b"HTTP/1.1 200 O",), "close"),
    "interim responses": ScriptedResponse(
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", VALID_RESPONSE.pieces[0])
    ),
    "interim responses before a malformed field": ScriptedResponse(
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + STATUS_LINE, b"no colon\r\n\r\nok")
    ),
    "HTTP/1.0": ScriptedResponse((b"HTTP/1.0 200 OK\r\n\r\nok",), "close"),
    "bare line feeds": ScriptedResponse((b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",)),
    "no reason phrase": ScriptedResponse((b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",)),
    "byte by byte": ScriptedResponse(tuple(bytes([byte]) for byte in VALID_RESPONSE.pieces[0])),
}


@pytest.mark.parametrize("script", MALFORMED.values(), ids=MALFORMED)
async def test_status_line_decides_and_next_call_is_not_affected(
    client: OutboundClient, script: ScriptedResponse
) -> None:
    removed = ScriptedResponse((b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nno_service",))
    async with RawHttpServer(script, removed, script, VALID_RESPONSE) as server:
        for _ in range(2):
            assert (await post_json(client, server.url, PAYLOAD)).status in (200, 204)
            second = await post_json(client, server.url, PAYLOAD)
            assert (second.status, second.excerpt) in ((404, "no_service"), (200, "ok"))
        assert second.status == 200
        assert len(server.requests) == 4


async def test_body_of_a_success_is_not_awaited(client: OutboundClient) -> None:
    async with RawHttpServer(ScriptedResponse((STATUS_LINE + b"Content-Length: 9\r\n\r\nok",))) as server:
        answer = await post_json(client, server.url, PAYLOAD, 3600)
        assert (answer.status, answer.excerpt) == (200, "ok")


@pytest.mark.parametrize("start", [STATUS_LINE, STATUS_LINE + b"Content-Le"])
async def test_success_with_incomplete_header_section(client: OutboundClient, start: bytes) -> None:
    async with RawHttpServer(ScriptedResponse((start,))) as server:
        assert (await post_json(client, server.url, PAYLOAD, 0.5)).status == 200


@pytest.mark.parametrize("after", ["keep", "close", "reset"])
async def test_incomplete_body_of_an_error(client: OutboundClient, after: After) -> None:
    answer = b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 99\r\n\r\nrate_limited"
    async with RawHttpServer(ScriptedResponse((answer,), after)) as server:
        response = await post_json(client, server.url, PAYLOAD, 0.5)
        assert (response.status, response.headers["retry-after"], response.excerpt) == (429, "7", "rate_limited")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (ScriptedResponse((), "close"), "connection closed without a response"),
        (ScriptedResponse((), "reset"), "connection reset"),
        (ScriptedResponse((b"HTTP/1.1 100 Continue\r\n\r\n",), "close"), "connection closed without a response"),
        (ScriptedResponse((b"HTTP/1.1 20",), "close"), "connection closed without a response"),
        (ScriptedResponse((b"http/1.1 200 OK\r\n\r\n",)), "the response is not valid HTTP"),
        (ScriptedResponse((b"<html>\r\n\r\n",), "close"), "the response is not valid HTTP"),
        (ScriptedResponse((b"x" * 200_000,)), "the response is not valid HTTP"),
        (ScriptedResponse((b"HTTP/1.1 100 Continue\r\n\r\n",)), "timed out after 0.5 s"),
    ],
)
async def test_response_without_status_line(client: OutboundClient, script: ScriptedResponse, reason: str) -> None:
    async with RawHttpServer(script, VALID_RESPONSE) as server:
        assert await failure_reason(client, server.url, 0.5 if "timed out" in reason else None) == reason
        assert (await post_json(client, server.url, PAYLOAD)).excerpt == "ok"


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@given(
    status=st.integers(200, 299),
    rest=st.binary(max_size=200),
    after=st.sampled_from(["keep", "close", "reset"]),
)
@settings(max_examples=30)
def test_any_bytes_after_a_success_are_a_success(
    loop_factory: Callable[[], asyncio.AbstractEventLoop], status: int, rest: bytes, after: After
) -> None:
    async def post() -> int:
        client = OutboundClient(allow_private=True)
        # Without the empty line, the client could wait for more fields until its timeout.
        answer = b"HTTP/1.1 %d \r\n" % status + rest + b"\r\n\r\n" + b"x" * 2000
        async with RawHttpServer(ScriptedResponse((answer,), after)) as server:
            try:
                return (await post_json(client, server.url, PAYLOAD)).status
            finally:
                await client.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(post()) == status
