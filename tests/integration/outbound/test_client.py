"""The HTTP client against a real server on loopback, which can misbehave."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from router.outbound.client import MAX_BODY_BYTES, ForbiddenAddressError, OutboundClient
from tests.integration.outbound.calls import PAYLOAD, VALID_RESPONSE, StaticResolver, failure_reason, post_json
from tests.support.behaviours import (
    FixedResponse,
    Hang,
    LargeResponse,
    PartialResponse,
    RedirectResponse,
    Reset,
    SlowResponse,
)
from tests.support.raw_http import RawHttpServer
from tests.support.slack import SlackStandIn


async def test_response(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script(
        "general", FixedResponse(429, "slow\r\ndown\x1b", {"Retry-After": "30", "Set-Cookie": "a=b"}), FixedResponse()
    )
    answer = await post_json(client, slack.url(), PAYLOAD)
    assert (answer.status, answer.excerpt) == (429, "slow down")
    assert answer.headers["retry-after"] == "30"
    assert answer.latency_us > 0
    await post_json(client, slack.url(), PAYLOAD)
    first, second = slack.posts
    assert first.payload == PAYLOAD
    assert first.raw == '{"text":"Grüße 📬"}'.encode()
    assert first.headers["Content-Type"].startswith("application/json")
    assert "Cookie" not in second.headers


async def test_path_is_sent_unchanged(client: OutboundClient) -> None:
    lines = []

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await post_json(client, f"http://127.0.0.1:{port}/a/%2f%41/../b?x=%20&y=a+b", PAYLOAD)
    assert lines == [b"POST /a/%2f%41/../b?x=%20&y=a+b HTTP/1.1\r\n"]


async def test_redirect_is_not_followed(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", RedirectResponse(slack.url("elsewhere")))
    assert (await post_json(client, slack.url(), PAYLOAD)).status == 302
    assert not slack.posts_to("elsewhere")


async def test_large_body_is_truncated(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", LargeResponse(64 * 1024 * 1024))
    answer = await post_json(client, slack.url(), PAYLOAD)
    assert (answer.status, answer.excerpt) == (200, "x" * 100)
    assert (await post_json(client, slack.url(), PAYLOAD)).excerpt == "ok"


async def test_body_is_limited(client: OutboundClient, slack: SlackStandIn) -> None:
    for length in (MAX_BODY_BYTES - 1, MAX_BODY_BYTES, MAX_BODY_BYTES + 1):
        slack.script("general", FixedResponse(404, b"\xff" * length))
        answer = await post_json(client, slack.url(), PAYLOAD)
        assert (answer.status, answer.body) == (404, b"\xff" * min(length, MAX_BODY_BYTES))
    assert "xff" not in repr(answer)


async def test_method_and_headers(client: OutboundClient, slack: SlackStandIn) -> None:
    await client.request("PATCH", slack.url(), headers={"X-Mark": "a"}, body=b"text")
    (request,) = slack.posts
    assert (request.method, request.raw, request.headers["X-Mark"]) == ("PATCH", b"text", "a")


@pytest.mark.parametrize("length", [99, 100, 101])
async def test_bodies_around_the_limit(client: OutboundClient, slack: SlackStandIn, length: int) -> None:
    slack.script("general", FixedResponse(200, "y" * length))
    assert (await post_json(client, slack.url(), PAYLOAD)).excerpt == "y" * min(length, 100)


async def test_no_response(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Hang())
    assert await failure_reason(client, slack.url(), 0.1) == "timed out after 0.1 s"


async def test_slow_body_is_limited(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", SlowResponse(0.05, 1, b"z" * 100))
    answer = await post_json(client, slack.url(), PAYLOAD)
    assert answer.status == 200
    assert answer.excerpt in ("z" * n for n in range(100))


async def test_lost_connections(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", PartialResponse(), Reset())
    assert (await post_json(client, slack.url(), PAYLOAD)).status == 200
    assert await failure_reason(client, slack.url()) in ("connection reset", "connection closed without a response")


async def test_connection_refused(client: OutboundClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/services/secret"
        assert await failure_reason(client, url) == "connection refused"


async def test_response_that_is_not_http(client: OutboundClient) -> None:
    async def respond(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.test ESMTP\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await failure_reason(client, f"http://127.0.0.1:{port}/services/x") == "the response is not valid HTTP"


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
async def test_invalid_urls(client: OutboundClient, url: str) -> None:
    assert await failure_reason(client, url) == "invalid URL"


async def test_unknown_host_name() -> None:
    client = OutboundClient(resolver=StaticResolver({}))
    assert await failure_reason(client, "https://hooks.test/services/x") == "cannot resolve host name hooks.test"
    await client.close()


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test"])
async def test_invalid_host_name(client: OutboundClient, host: str) -> None:
    assert await failure_reason(client, f"https://{host}/services/x") == f"cannot resolve host name {host}"


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", "address 127.0.0.1 is loopback"),
        ("[::1]", "address ::1 is loopback"),
        ("[::ffff:127.0.0.1]", "address ::ffff:127.0.0.1 is loopback"),
        ("hooks.test", "address 10.0.0.1 is private"),
        ("both.test", "address fd00::1 is private"),
    ],
)
async def test_addresses_are_checked_at_connect(slack: SlackStandIn, host: str, reason: str) -> None:
    resolver = StaticResolver({"hooks.test": ["10.0.0.1"], "both.test": ["fd00::1", "169.254.169.254"]})
    client = OutboundClient(resolver=resolver)
    with pytest.raises(ForbiddenAddressError) as caught:
        await post_json(client, f"http://{host}:{slack.port}/services/T/B/x", PAYLOAD)
    assert caught.value.reason == f"{reason}; set [delivery] allow_private_networks to allow it"
    await client.close()
    assert not slack.posts


async def test_forbidden_and_allowed_address_of_one_host(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure of the allowed address is reported, because it is temporary."""
    monkeypatch.setattr("router.outbound.client.non_public_reason", {"127.0.0.2": "refused"}.get)
    client = OutboundClient(timeout=0.5, resolver=StaticResolver({"hooks.test": ["127.0.0.2", "127.0.0.1"]}))
    slack.script("general", Hang())
    assert await failure_reason(client, slack.url(host="hooks.test")) == "timed out after 0.5 s"
    assert (await post_json(client, slack.url(host="hooks.test"), PAYLOAD)).status == 200
    await client.close()


async def test_localhost_is_refused_with_the_system_resolver(slack: SlackStandIn) -> None:
    client = OutboundClient()
    with pytest.raises(ForbiddenAddressError):
        await post_json(client, slack.url(host="localhost"), PAYLOAD)
    await client.close()
    assert not slack.posts


async def test_proxy_of_the_environment_is_ignored(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = OutboundClient(allow_private=True)
    assert (await post_json(client, slack.url(), PAYLOAD)).status == 200
    await client.close()


async def test_after_close(client: OutboundClient, slack: SlackStandIn) -> None:
    await client.close()
    assert await failure_reason(client, slack.url()) == "the server is shutting down"
    await client.close()


async def test_close_ends_running_calls(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Hang())
    call = asyncio.create_task(failure_reason(client, slack.url()))
    await slack.wait_for(1)
    await client.close()
    assert await call


async def test_cancellation_is_not_a_network_error(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Hang())
    call = asyncio.create_task(post_json(client, slack.url(), PAYLOAD))
    await slack.wait_for(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_concurrent_calls_have_separate_errors(slack: SlackStandIn) -> None:
    client = OutboundClient(resolver=StaticResolver({"a.test": ["10.0.0.1"], "b.test": ["192.168.0.1"]}))
    results: list[Any] = await asyncio.gather(
        *(post_json(client, f"http://{host}:{slack.port}/x", PAYLOAD) for host in ("a.test", "b.test") * 5),
        return_exceptions=True,
    )
    assert [result.reason[:19] for result in results] == ["address 10.0.0.1 is", "address 192.168.0.1"] * 5
    await client.close()


async def test_each_call_has_its_own_connection(client: OutboundClient) -> None:
    async with RawHttpServer(VALID_RESPONSE) as server:
        for expected in (1, 2, 3):
            assert (await post_json(client, server.url, PAYLOAD)).excerpt == "ok"
            assert server.connections == expected
        assert b"\r\nConnection: close\r\n" in server.requests[0]


async def test_concurrent_calls_to_a_host_share_a_lookup(slack: SlackStandIn) -> None:
    resolver = StaticResolver({"hooks.test": ["127.0.0.1"]})
    client = OutboundClient(allow_private=True, resolver=resolver)
    url = slack.url(host="hooks.test")
    answers = await asyncio.gather(*(post_json(client, url, PAYLOAD) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert resolver.lookups == 1
    await client.close()


async def test_blocked_lookups_do_not_delay_other_work(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def block(host: str, *args: object, **options: object) -> list[object]:
        released.wait()
        raise socket.gaierror(socket.EAI_AGAIN, host)

    monkeypatch.setattr(socket, "getaddrinfo", block)
    client = OutboundClient(allow_private=True)
    calls = [asyncio.create_task(failure_reason(client, f"https://h{n}.test/x", 0.5)) for n in range(40)]
    try:
        assert set(await asyncio.gather(*calls)) == {"timed out after 0.5 s"}
        assert await asyncio.to_thread(len, "abc") == 3
        assert (await post_json(client, slack.url(), PAYLOAD)).status == 200
        await asyncio.get_running_loop().shutdown_default_executor()
    finally:
        released.set()
        await client.close()
