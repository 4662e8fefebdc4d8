"""Encrypted settings need the right key and are validated before each use."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from router.channels import CHANNELS
from router.channels import poster as poster_module
from router.channels.channel import find_channel
from router.channels.contract import Payload, SendFailure, SendOutcome, SendSuccess
from router.channels.poster import IntegrationSender, Poster, StoredSettings
from router.errors import InvalidSetting, Refused
from router.model import Integration
from router.outbound.client import HttpResponse
from router.secrets import SecretBox, new_key
from tests.support.telegraph import TELEGRAPH

URL = "https://hooks.slack.test/services/T0/B0/very-secret"
SLACK = CHANNELS["slack"]
INTEGRATION = Integration("int_1", "ws_1", "slack", "Support", 1, "", "")


class RecordingClient:
    """Returns 200 and records the requests."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Payload, float]] = []

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> HttpResponse:
        self.posts.append((url, json.loads(body), timeout))
        return HttpResponse(200, {}, "ok", 1)


def build_poster(box: SecretBox, client: RecordingClient | None = None, *, allow_private: bool = False) -> Poster:
    return Poster(CHANNELS, client or RecordingClient(), box, allow_private=allow_private, timeout=7)


def build_integration(box: SecretBox, text: str) -> Integration:
    return replace(INTEGRATION, encrypted_settings=box.encrypt(text))


def store_settings(poster: Poster, url: str) -> StoredSettings:
    return poster.encrypt_settings(SLACK, poster.parse_settings(SLACK, {"webhookUrl": url}))


def failure_reason(result: IntegrationSender | SendOutcome) -> str:
    assert isinstance(result, SendFailure)
    assert result.kind == "permanent"
    return result.reason


async def test_payload_is_sent_to_the_encrypted_url() -> None:
    client, box = RecordingClient(), SecretBox(new_key())
    poster = build_poster(box, client)
    stored = store_settings(poster, URL)
    assert "very-secret" not in repr(stored)
    sender = poster.prepare(replace(INTEGRATION, encrypted_settings=stored.encrypted_settings))
    assert isinstance(sender, IntegrationSender)
    assert "very-secret" not in repr(sender)
    assert isinstance(await sender.send({"text": "Hello"}), SendSuccess)
    assert client.posts == [(URL, {"text": "Hello"}, 7)]


def test_forbidden_settings_are_not_encrypted() -> None:
    with pytest.raises(Refused, match="must start with https"):
        store_settings(build_poster(SecretBox(new_key())), "http://127.0.0.1/x")


@pytest.mark.parametrize("allow_private", [False, True])
def test_url_of_another_service(allow_private: bool) -> None:
    poster = build_poster(SecretBox(new_key()), allow_private=allow_private)
    url = "https://discord.com/api/webhooks/123456/abcdef"
    with pytest.raises(InvalidSetting) as refused:
        poster.parse_settings(SLACK, {"webhookUrl": url})
    assert (refused.value.code, refused.value.field) == ("invalid_webhook_url", "webhookUrl")
    assert refused.value.message == "Webhook URL is a URL of Discord: use the type discord"
    slack_compatible = {"webhookUrl": f"{url}/slack"}
    assert poster.parse_settings(SLACK, slack_compatible) == slack_compatible
    slack = "https://hooks.slack.com/services/T0/B0/abcdef"
    assert poster.parse_settings(SLACK, {"webhookUrl": slack}) == {"webhookUrl": slack}
    with pytest.raises(InvalidSetting, match="Line URL is a URL of Slack: use the type slack"):
        poster.parse_settings(TELEGRAPH, {"lineUrl": slack, "station": "Kiel"})
    discord = {"webhookUrl": url, "avatarUrl": url}
    assert poster.parse_settings(CHANNELS["discord"], discord) == discord


def test_unsupported_type() -> None:
    box = SecretBox(new_key())
    result = build_poster(box).prepare(replace(build_integration(box, "{}"), type="telegraph"))
    assert failure_reason(result) == "this version does not support the integration type 'telegraph'"


@pytest.mark.parametrize("text", ["", "not JSON", "[]"])
def test_settings_that_cannot_be_decrypted(text: str) -> None:
    box = SecretBox(new_key())
    reason = "the settings cannot be decrypted with this secret key; enter them again"
    assert failure_reason(build_poster(box).prepare(build_integration(box, text))) == reason
    assert failure_reason(build_poster(SecretBox(new_key())).prepare(build_integration(box, "{}"))) == reason


def test_settings_that_are_no_longer_allowed() -> None:
    box = SecretBox(new_key())
    stored = store_settings(build_poster(box, allow_private=True), "http://127.0.0.1/x")
    integration = replace(INTEGRATION, encrypted_settings=stored.encrypted_settings)
    assert isinstance(build_poster(box, allow_private=True).prepare(integration), IntegrationSender)
    assert "https" in failure_reason(build_poster(box).prepare(integration))


def test_find_channel() -> None:
    assert find_channel(CHANNELS, "slack") is SLACK
    with pytest.raises(Refused, match=r"type must be one of: .*slack") as refused:
        find_channel(CHANNELS, "telegraph")
    assert (refused.value.code, refused.value.field) == ("invalid_integration", "type")


def test_settings_of_recently_used_integrations_are_decrypted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poster_module, "_MAX_SENDERS", 2)
    box = SecretBox(new_key())
    poster = build_poster(box)
    one, two, three = [
        replace(INTEGRATION, encrypted_settings=store_settings(poster, f"{URL}{n}").encrypted_settings)
        for n in range(3)
    ]
    decrypted: list[str] = []
    decrypt = box.decrypt

    def record_and_decrypt(text: str) -> str:
        decrypted.append(text)
        return decrypt(text)

    monkeypatch.setattr(box, "decrypt", record_and_decrypt)
    for integration in (one, two, one, three, one, three, two):
        assert isinstance(poster.prepare(integration), IntegrationSender)
    assert decrypted == [each.encrypted_settings for each in (one, two, three, two)]
