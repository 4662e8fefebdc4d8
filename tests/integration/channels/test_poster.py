"""`router.channels.poster`: what is sealed can be sent with the right key alone, and only where it is still allowed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from router.channels import CHANNELS
from router.channels.contract import SendFailure, SendOutcome, SendSuccess, find_channel
from router.channels.poster import IntegrationSender, Poster
from router.errors import Refused
from router.model import Integration
from router.outbound.client import HttpResponse
from router.secrets import SecretBox, new_key

URL = "https://hooks.slack.test/services/T0/B0/very-secret"
SLACK = CHANNELS["slack"]
INTEGRATION = Integration("int_1", "ws_1", "slack", "Support", "", "", "active", "", None, None, 0, 0, 0, 1)


class Client:
    """Answers 200 and remembers what was posted."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, Mapping[str, Any], float]] = []

    async def post_json(self, url: str, payload: Mapping[str, Any], timeout: float) -> HttpResponse:
        self.posts.append((url, payload, timeout))
        return HttpResponse(200, {}, "ok", 1)


def poster(box: SecretBox, client: Client | None = None, *, allow_private: bool = False) -> Poster:
    return Poster(CHANNELS, client or Client(), box, allow_private=allow_private, timeout=7)


def sealed(box: SecretBox, text: str) -> Integration:
    return replace(INTEGRATION, sealed_settings=box.encrypt(text))


def reason(found: IntegrationSender | SendOutcome) -> str:
    assert isinstance(found, SendFailure)
    assert found.kind == "permanent"
    return found.reason


async def test_what_was_sealed_is_sent_to_the_place_it_names() -> None:
    client, box = Client(), SecretBox(new_key())
    posts = poster(box, client)
    settings, hint = posts.encrypt_settings(SLACK, {"webhookUrl": URL})
    assert "very-secret" not in settings + hint
    found = posts.prepare(replace(INTEGRATION, sealed_settings=settings))
    assert isinstance(found, IntegrationSender)
    assert "very-secret" not in repr(found)
    assert isinstance(await found.send({"text": "Hello"}), SendSuccess)
    assert client.posts == [(URL, {"text": "Hello"}, 7)]


def test_settings_that_are_not_allowed_are_not_sealed() -> None:
    with pytest.raises(Refused, match="must start with https"):
        poster(SecretBox(new_key())).encrypt_settings(SLACK, {"webhookUrl": "http://127.0.0.1/x"})


def test_a_type_that_this_version_lacks() -> None:
    box = SecretBox(new_key())
    found = poster(box).prepare(replace(sealed(box, "{}"), type="telegraph"))
    assert reason(found) == "this version does not support the integration type 'telegraph'"


@pytest.mark.parametrize("text", ["", "not JSON"])
def test_what_cannot_be_read(text: str) -> None:
    box = SecretBox(new_key())
    unreadable = "the webhook URL cannot be decrypted with this secret key; enter it again"
    assert reason(poster(box).prepare(sealed(box, text))) == unreadable
    assert reason(poster(SecretBox(new_key())).prepare(sealed(box, "{}"))) == unreadable


def test_what_was_allowed_when_it_was_sealed() -> None:
    box = SecretBox(new_key())
    settings, _ = poster(box, allow_private=True).encrypt_settings(SLACK, {"webhookUrl": "http://127.0.0.1/x"})
    integration = replace(INTEGRATION, sealed_settings=settings)
    assert isinstance(poster(box, allow_private=True).prepare(integration), IntegrationSender)
    assert "https" in reason(poster(box).prepare(integration))


def test_a_type_is_found_or_the_known_ones_are_named() -> None:
    assert find_channel(CHANNELS, "slack") is SLACK
    with pytest.raises(Refused, match="type must be one of: slack") as refused:
        find_channel(CHANNELS, "telegraph")
    assert (refused.value.code, refused.value.field) == ("invalid_integration", "type")
