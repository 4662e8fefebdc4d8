"""The Slack stand-in: valid requests, rejections, and scripted behaviours."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import trustme

from tests.support.behaviours import (
    FixedResponse,
    Hang,
    LargeResponse,
    PartialResponse,
    RedirectResponse,
    Reset,
    SlowResponse,
)
from tests.support.payloads import assert_slack_accepts
from tests.support.slack import SlackStandIn


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
        yield session


async def post(http: aiohttp.ClientSession, url: str, payload: Any) -> tuple[int, str]:
    async with http.post(url, json=payload, allow_redirects=False) as response:
        return response.status, await response.text()


async def test_message_is_recorded_and_answered(slack: SlackStandIn, http: aiohttp.ClientSession) -> None:
    before = asyncio.get_running_loop().time()
    assert await post(http, slack.url("support"), {"text": "héllo"}) == (200, "ok")
    (seen,) = await slack.wait_for(1, path="support")
    assert (seen.path, seen.payload, seen.text) == ("/services/T000/B000/support", {"text": "héllo"}, "héllo")
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.raw == b'{"text": "h\\u00e9llo"}'
    assert before <= seen.at <= asyncio.get_running_loop().time()
    assert slack.accepted_posts("support") == [seen]
    assert slack.posts_to("general") == []


HEADER = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
LONG = {"type": "section", "text": {"type": "plain_text", "text": "x" * 3001}}
EMPTY = {"type": "section", "text": {"type": "plain_text", "text": ""}}
FINE = {"type": "section", "text": {"type": "plain_text", "text": "x" * 3000}}


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        ({"blocks": [FINE] * 50}, (200, "ok")),
        ({"blocks": [FINE] * 51}, (400, "invalid_blocks")),
        ({"blocks": [HEADER]}, (400, "invalid_blocks")),
        ({"blocks": [LONG]}, (400, "invalid_blocks")),
        ({"blocks": [EMPTY]}, (400, "invalid_blocks")),
        ({"blocks": [{"type": "mystery"}]}, (400, "invalid_blocks")),
        ({"blocks": [{"type": "divider", "block_id": "a"}] * 2}, (400, "invalid_blocks")),
        ({"blocks": [{"type": "context", "elements": []}]}, (400, "invalid_blocks")),
        ({"blocks": "none"}, (400, "invalid_blocks")),
        ({}, (400, "no_text")),
        ({"text": ""}, (400, "no_text")),
        ([], (400, "invalid_payload")),
    ],
)
async def test_payloads_are_validated_like_slack(
    slack: SlackStandIn, http: aiohttp.ClientSession, payload: Any, answer: tuple[int, str]
) -> None:
    assert await post(http, slack.url(), payload) == answer


async def test_body_that_is_not_json_is_an_invalid_payload(slack: SlackStandIn, http: aiohttp.ClientSession) -> None:
    async with http.post(slack.url(), data=b"\xff{") as response:
        assert (response.status, await response.text()) == (400, "invalid_payload")
    assert slack.posts[0].payload is None


async def test_removed_webhook_has_no_service(slack: SlackStandIn, http: aiohttp.ClientSession) -> None:
    slack.remove_webhook("general")
    assert await post(http, slack.url(), {"text": "a"}) == (404, "no_service")
    slack.restore_webhook("general")
    assert await post(http, slack.url(), {"text": "a"}) == (200, "ok")
    assert await post(http, f"http://127.0.0.1:{slack.port}/elsewhere", {"text": "a"}) == (404, "no_service")


async def test_script_is_followed_by_the_default(slack: SlackStandIn, http: aiohttp.ClientSession) -> None:
    slack.default("general", FixedResponse(503, "down"))
    slack.script("general", FixedResponse(429, "rate_limited", {"Retry-After": "7"}), FixedResponse(200, "ok"))
    async with http.post(slack.url(), json={"text": "a"}) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "7")
    assert await post(http, slack.url(), {"text": "b"}) == (200, "ok")
    assert await post(http, slack.url(), {"text": "c"}) == (503, "down")
    slack.default("general", None)
    assert await post(http, slack.url(), {"text": "d"}) == (200, "ok")
    assert [seen.status for seen in slack.posts] == [429, 200, 503, 200]


@pytest.mark.parametrize("behaviour", [Reset(), PartialResponse()])
async def test_broken_responses(slack: SlackStandIn, behaviour: Reset | PartialResponse) -> None:
    slack.script("general", behaviour)
    async with aiohttp.ClientSession() as http:  # a session without open connections
        with pytest.raises(aiohttp.ClientError):
            await post(http, slack.url(), {"text": "a"})
    assert [seen.status for seen in slack.posts] == [None]


async def test_hanging_request_is_answered_when_released(slack: SlackStandIn, http: aiohttp.ClientSession) -> None:
    first, second = Hang(), Hang()
    slack.script("general", first, second)
    posts = [asyncio.create_task(post(http, slack.url(), {"text": name})) for name in "ab"]
    await slack.wait_for(2)
    assert slack.accepted_posts() == []
    assert slack.peak[slack.path()] == 2
    first.release()
    second.release()
    assert await asyncio.gather(*posts) == [(200, "ok")] * 2
    await slack.wait_for(2, accepted=True)


async def test_stop_aborts_hanging_requests_and_restarts_on_the_same_port(
    slack: SlackStandIn, http: aiohttp.ClientSession
) -> None:
    slack.script("general", Hang())
    hanging = asyncio.create_task(post(http, slack.url(), {"text": "a"}))
    await slack.wait_for(1)
    url, port = slack.url(), slack.port
    await slack.stop()
    with pytest.raises(aiohttp.ClientError):
        await hanging
    with pytest.raises(aiohttp.ClientError):
        await post(http, url, {"text": "b"})
    await slack.start(port)
    assert await post(http, url, {"text": "c"}) == (200, "ok")


async def test_slow_large_and_redirect_responses(slack: SlackStandIn, http: aiohttp.ClientSession) -> None:
    slack.script("general", SlowResponse(0.01), LargeResponse(200_001), RedirectResponse("http://127.0.0.1:1/"))
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert await post(http, slack.url(), {"text": "a"}) == (200, "ok")
    assert loop.time() - before >= 0.02
    status, body = await post(http, slack.url(), {"text": "a"})
    assert (status, len(body)) == (200, 200_001)
    async with http.post(slack.url(), json={"text": "a"}, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "http://127.0.0.1:1/")


async def test_request_ends_when_the_client_disconnects(slack: SlackStandIn) -> None:
    slack.script("general", Hang())
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(0.05)) as http:
        with pytest.raises(TimeoutError):
            await post(http, slack.url(), {"text": "a"})
    await slack.wait_for(1)
    assert slack.accepted_posts() == []


async def test_wait_timeout_lists_the_received_posts(slack: SlackStandIn, http: aiohttp.ClientSession) -> None:
    await post(http, slack.url(), {"text": "only this"})
    with pytest.raises(TimeoutError, match=r"2 posts to other, received 0; all posts: .*only this"):
        await slack.wait_for(2, path="other", timeout=0.01)


async def test_over_tls(tmp_path: object) -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with SlackStandIn(ssl_context=server) as slack, aiohttp.ClientSession() as http:
        assert slack.url().startswith("https://")
        async with http.post(slack.url(), json={"text": "a"}, ssl=client) as response:
            assert response.status == 200


async def test_request_over_the_limit_is_rejected(http: aiohttp.ClientSession) -> None:
    async with SlackStandIn(max_body=100) as slack:
        async with http.post(slack.url(), json={"text": "a" * 200}) as response:
            assert response.status == 413
        assert not slack.posts


def test_slack_sdk_agrees_with_the_rules() -> None:
    assert_slack_accepts({"blocks": [FINE, {"type": "divider"}]})
    with pytest.raises(AssertionError, match="151 characters, 150 allowed"):
        assert_slack_accepts({"blocks": [HEADER]})
