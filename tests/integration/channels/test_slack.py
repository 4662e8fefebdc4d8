"""The Slack channel: valid webhook URLs, and the outcome of each response."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.channels import CHANNELS
from router.channels.contract import SendFailure, SendOutcome, SendRetry, SendSuccess, TestMessage
from router.channels.responses import MAX_RETRY_AFTER_SECONDS
from router.channels.slack import CHANNEL
from router.errors import Refused
from router.outbound.client import HttpResponse, OutboundClient
from tests.support.behaviours import FixedResponse as Reply
from tests.support.behaviours import Hang, PartialResponse, RedirectResponse, Reset
from tests.support.outcomes import outbound_client, outcome_kind
from tests.support.raw_http import RawHttpServer, ScriptedResponse
from tests.support.slack import SlackStandIn

NOW = datetime(2025, 11, 22, 12, 0, tzinfo=UTC)
WEBHOOK_URL = "https://hooks.slack.com/services/T0123/B0123/abcdefghijklmnop"


def test_channel_is_listed() -> None:
    assert CHANNELS[CHANNEL.kind] is CHANNEL


# --- settings


@pytest.mark.parametrize(
    ("url_input", "normalised"),
    [
        (WEBHOOK_URL, WEBHOOK_URL),
        (f"  {WEBHOOK_URL}\n", WEBHOOK_URL),
        ("HTTPS://Hooks.Slack.com/services/T/B/X", "https://hooks.slack.com/services/T/B/X"),
        ("https://hooks.slack.com:8443/x?token=a%20b", "https://hooks.slack.com:8443/x?token=a%20b"),
        ("https://b\u00fccher.example/hook", "https://xn--bcher-kva.example/hook"),
        ("https://8.8.8.8/hook", "https://8.8.8.8/hook"),
        ("https://[2606:4700::1111]:444/hook", "https://[2606:4700::1111]:444/hook"),
    ],
)
def test_valid_urls(url_input: str, normalised: str) -> None:
    settings = CHANNEL.parse_settings({"webhookUrl": url_input})
    assert settings == {"webhookUrl": normalised}
    assert CHANNEL.parse_settings(settings) == settings


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "required"),
        ("", "required"),
        (42, "must be a string"),
        (["https://x.test/a"], "must be a string"),
        ("hooks.slack.com/services/T/B/X", "https://"),
        ("ftp://hooks.slack.com/x", "https://"),
        ("javascript:alert(1)", "https://"),
        ("http://hooks.slack.com/x", "allow_private_networks"),
        ("https:///services/x", "no host"),
        ("https://", "no host"),
        ("https://hooks.slack.com", "no path"),
        ("https://hooks.slack.com/", "no path"),
        ("https://user:pass@hooks.slack.com/x", "user name"),
        ("https://hooks.slack.com@evil.example/x", "user name"),
        ("https://hooks.slack.com/x#part", "fragment"),
        ("https://hooks.slack.com/x#", "fragment"),
        ("https://hooks.slack.com:99999/x", "port"),
        ("https://hooks.slack.com:0/x", "port"),
        ("https://hooks.slack.com:abc/x", "port"),
        ("https://[::1/x", "port"),
        ("https://hooks.slack.com/a b", "spaces"),
        ("https://hooks.slack.com/\u00fc", "ASCII"),
        ("https://hooks.slack.com\\evil/x", "host"),
        ("https://-hooks-.test/x", "host"),
        ("https://a..b.test/x", "host"),
        ("https://\u2488com/x", "host"),
        ("https://10.0.0.1/x", "private"),
        ("https://[::1]/x", "loopback"),
        ("https://169.254.169.254/latest", "link-local"),
        ("https://hooks.slack.com/" + "a" * 1000, "at most"),
        ("https://hooks.slack.com/a\x00b", "control"),
    ],
)
def test_invalid_urls(value: object, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as caught:
        CHANNEL.parse_settings({"webhookUrl": value})
    assert (caught.value.code, caught.value.field) == ("invalid_webhook_url", "webhookUrl")


@given(st.text())
def test_any_url_is_accepted_or_refused(text: str) -> None:
    for value in (text, f"https://{text}", f"https://x.test/{text}"):
        try:
            settings = CHANNEL.parse_settings({"webhookUrl": value})
        except Refused:
            continue
        assert settings["webhookUrl"].isascii()
        assert CHANNEL.parse_settings(settings) == settings


def test_private_networks_if_allowed() -> None:
    for url in ("http://127.0.0.1:8065/hooks/x", "http://mattermost.internal/hooks/x", "https://10.0.0.1/x"):
        assert CHANNEL.parse_settings({"webhookUrl": url}, allow_private=True) == {"webhookUrl": url}


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        (WEBHOOK_URL, "https://hooks.slack.com/\u2026/mnop"),
        ("https://hooks.test/x/abc", "https://hooks.test/\u2026/c"),
        ("https://hooks.test/x/a", "https://hooks.test/\u2026/"),
        ("https://hooks.test:8443/x/", "https://hooks.test:8443/\u2026/"),
    ],
)
def test_hint_and_repr_do_not_contain_the_secret(url: str, hint: str) -> None:
    settings = CHANNEL.parse_settings({"webhookUrl": url})
    assert CHANNEL.hint(settings) == hint
    assert "hooks" not in f"{settings!r} {settings}"


# --- responses


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, "ok", "SendSuccess"),
        (204, "", "SendSuccess"),
        (200, "<html>", "SendSuccess"),
        (301, "", "rejected"),
        (400, "invalid_payload", "payload"),
        (400, "invalid_blocks", "payload"),
        (400, '{"ok":false,"error":"invalid_blocks"}', "payload"),
        (400, "msg_blocks_too_long", "payload"),
        (400, "no_text", "payload"),
        (400, "invalid_token", "permanent"),
        (400, "user_not_found", "permanent"),
        (400, "something_new", "rejected"),
        (400, "<html>no_service</html>", "rejected"),
        (401, "", "rejected"),
        (403, "action_prohibited", "permanent"),
        (403, "invalid_token", "permanent"),
        (403, "<html>", "permanent"),
        (404, "no_service", "permanent"),
        (404, "channel_not_found", "permanent"),
        (404, "", "permanent"),
        (405, "", "rejected"),
        (408, "", "rejected"),
        (410, "channel_is_archived", "permanent"),
        (410, "", "permanent"),
        (413, "", "rejected"),
        (429, "rate_limited", "SendRetry"),
        (400, "rate_limited", "SendRetry"),
        (500, "rollup_error", "SendRetry"),
        (502, "no_service", "SendRetry"),
        (503, "", "SendRetry"),
        (599, "", "SendRetry"),
        (600, "", "SendRetry"),
        (400, "{" * 5000, "rejected"),
        (400, '{"error": 42}', "rejected"),
        (400, "[1]", "rejected"),
    ],
)
def test_responses(status: int, body: str, expected: str) -> None:
    outcome = CHANNEL.classify_response(HttpResponse(status, {}, body, 7), NOW)
    assert outcome_kind(outcome) == expected
    assert (outcome.status, outcome.excerpt, outcome.latency) == (status, body, 7)
    if not isinstance(outcome, SendSuccess):
        assert outcome.reason.startswith(f"Slack returned {status}")
        assert "{" not in outcome.reason


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("30", 30.0),
        (" 0 ", 0.0),
        ("-5", None),
        ("1.5", None),
        ("99999", MAX_RETRY_AFTER_SECONDS),
        ("9" * 400, MAX_RETRY_AFTER_SECONDS),
        ("\u0663", None),
        ("soon", None),
        ("Sat, 22 Nov 2025 12:00:45 GMT", 45.0),
        ("Sat, 22 Nov 2025 11:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_SECONDS),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    headers = {} if value is None else {"retry-after": value}
    for status in (429, 503):
        outcome = CHANNEL.classify_response(HttpResponse(status, headers), NOW)
        assert isinstance(outcome, SendRetry)
        assert outcome.retry_after == seconds


@given(st.integers(100, 999), st.text(), st.text())
def test_any_response_is_an_outcome(status: int, body: str, retry_after: str) -> None:
    CHANNEL.classify_response(HttpResponse(status, {"retry-after": retry_after}, body), NOW)


# --- sending


@pytest.fixture
async def client() -> AsyncIterator[OutboundClient]:
    async with outbound_client() as client:
        yield client


async def _send(client: OutboundClient, url: str, timeout: float = 10) -> SendOutcome:
    settings = CHANNEL.parse_settings({"webhookUrl": url}, allow_private=True)
    payload = CHANNEL.render_test(TestMessage("Example", "Billing", 0))
    return await CHANNEL.send(client, settings, payload, timeout, {})


async def test_successful_send(client: OutboundClient, slack: SlackStandIn) -> None:
    outcome = await _send(client, slack.url())
    assert isinstance(outcome, SendSuccess)
    assert (outcome.status, outcome.excerpt) == (200, "ok")
    assert slack.posts[0].text.startswith("Test message from Email Router")


async def test_misbehaving_server(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script(
        "general",
        Reply(429, "", {"Retry-After": "7"}),
        Reply(500, "<html>"),
        Reply(600, ""),
        Reset(),
        Hang(),
        RedirectResponse(slack.url("elsewhere")),
    )
    outcomes = [await _send(client, slack.url(), 2) for _ in range(6)]
    assert [outcome_kind(outcome) for outcome in outcomes] == ["SendRetry"] * 5 + ["rejected"]
    assert isinstance(outcomes[0], SendRetry)
    assert outcomes[0].retry_after == 7
    assert isinstance(outcomes[4], SendRetry)
    assert outcomes[4].reason == "timed out after 2 s"


async def test_malformed_success_is_a_success(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.script("general", PartialResponse(), Reply(204, b""), Reply(299, b"\xff" * 5000), Reply(200, "invalid_token"))
    outcomes = [await _send(client, slack.url(), 10) for _ in range(4)]
    assert [outcome_kind(outcome) for outcome in outcomes] == ["SendSuccess"] * 4
    assert [outcome.status for outcome in outcomes] == [200, 204, 299, 200]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nok", "SendSuccess"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno_service", "permanent"),
        (b"HTTP/1.1 403 Forbidden\r\n\xff\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "permanent"),
        (b"HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\ninvalid_token", "permanent"),
        (b"HTTP/1.1 400 Bad\r\nno colon\r\n\r\ninvalid_blocks", "rejected"),
        (b"HTTP/1.1 302 Found\r\nLocation", "rejected"),
        (b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: x\r\n\r\n", "SendRetry"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 99\r\n\r\n", "SendRetry"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "SendRetry"),
        (b"HTTP/1.1 099 What\r\n\r\n", "SendRetry"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "SendRetry"),
        (b"", "SendRetry"),
    ],
)
async def test_malformed_responses_are_classified_by_their_status(
    client: OutboundClient, answer: bytes, kind: str
) -> None:
    async with RawHttpServer(ScriptedResponse((answer,), "close")) as server:
        outcome = await _send(client, server.url)
        assert outcome_kind(outcome) == kind
        if b"Retry-After" in answer:
            assert isinstance(outcome, SendRetry)
            assert outcome.retry_after == 7


async def test_removed_webhook(client: OutboundClient, slack: SlackStandIn) -> None:
    slack.remove_webhook("general")
    outcome = await _send(client, slack.url())
    assert isinstance(outcome, SendFailure)
    assert outcome.kind == "permanent"
    assert outcome.reason == "Slack returned 404 no_service: the webhook was removed or disabled in Slack"


async def test_forbidden_address_is_a_permanent_failure(slack: SlackStandIn) -> None:
    client = OutboundClient()
    outcome = await _send(client, slack.url())
    await client.close()
    assert isinstance(outcome, SendFailure)
    assert outcome.kind == "permanent"
    assert "127.0.0.1 is loopback" in outcome.reason
