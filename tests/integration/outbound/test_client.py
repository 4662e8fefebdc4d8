"""The guarded client against a real server on loopback that misbehaves in every way a webhook can."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from router.outbound.client import ForbiddenAddressError, OutboundClient
from tests.integration.outbound.calls import CLEAN, PAYLOAD, Names, fault
from tests.support.raw_http import RawHttpServer
from tests.support.slack import Answer, Half, Hang, Huge, Redirect, Reset, SlackStandIn, Slow


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
    assert await fault(client, slack.url(), 0.1) == "timed out after 0.1 s"


async def test_a_trickle_is_bounded_too(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Slow(0.05, 1, b"z" * 100))
    answer = await client.post_json(slack.url(), PAYLOAD)
    assert answer.status == 200
    assert answer.excerpt in ("z" * n for n in range(100))


async def test_cut_connections(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Half(), Reset())
    assert (await client.post_json(slack.url(), PAYLOAD)).status == 200
    assert await fault(client, slack.url()) in ("connection reset", "connection closed without a response")


async def test_nobody_listens(client: OutboundClient) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/services/secret"
        assert await fault(client, url) == "connection refused"


async def test_what_is_not_http(client: OutboundClient) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.test ESMTP\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await fault(client, f"http://127.0.0.1:{port}/services/x") == "the response is not valid HTTP"


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
    assert await fault(client, url) == "invalid URL"


async def test_a_name_that_does_not_resolve() -> None:
    client = OutboundClient(resolver=Names({}))
    assert await fault(client, "https://hooks.test/services/x") == "cannot resolve host name hooks.test"
    await client.close()


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test"])
async def test_a_name_that_is_none(client: OutboundClient, host: str) -> None:
    assert await fault(client, f"https://{host}/services/x") == f"cannot resolve host name {host}"


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
    with pytest.raises(ForbiddenAddressError) as caught:
        await client.post_json(f"http://{host}:{slack.port}/services/T/B/x", PAYLOAD)
    assert caught.value.reason == f"{words}; set [delivery] allow_private_networks to allow it"
    await client.close()
    assert not slack.posts


async def test_a_refused_address_beside_one_that_connects(slack: SlackStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The failure is the one of the connection that was made: it passes by waiting."""
    monkeypatch.setattr("router.outbound.client.non_public_reason", {"127.0.0.2": "refused"}.get)
    client = OutboundClient(timeout=0.5, resolver=Names({"hooks.test": ["127.0.0.2", "127.0.0.1"]}))
    slack.script("general", Hang())
    assert await fault(client, slack.url(host="hooks.test")) == "timed out after 0.5 s"
    assert (await client.post_json(slack.url(host="hooks.test"), PAYLOAD)).status == 200
    await client.close()


async def test_a_name_of_loopback_is_refused_by_the_system_resolver_too(slack: SlackStandIn) -> None:
    client = OutboundClient()
    with pytest.raises(ForbiddenAddressError):
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
    assert await fault(client, slack.url()) == "the server is shutting down"
    await client.close()


async def test_close_ends_calls_under_way(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", Hang())
    call = asyncio.create_task(fault(client, slack.url()))
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
    calls = [asyncio.create_task(fault(client, f"https://h{n}.test/x", 0.5)) for n in range(40)]
    try:
        assert set(await asyncio.gather(*calls)) == {"timed out after 0.5 s"}
        assert await asyncio.to_thread(len, "abc") == 3
        assert (await client.post_json(slack.url(), PAYLOAD)).status == 200
        await asyncio.get_running_loop().shutdown_default_executor()
    finally:
        answered.set()
        await client.close()
