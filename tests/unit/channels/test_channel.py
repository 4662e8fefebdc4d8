"""What the base class of channels does by default."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from router.channels import CHANNELS
from router.channels.contract import SendSuccess
from router.channels.settings import SettingField, Settings
from router.channels.slack import SlackChannel
from router.outbound.client import HttpResponse
from tests.support.telegraph import TELEGRAPH


@dataclass
class HeaderClient:
    requests: list[Mapping[str, str]] = field(default_factory=list)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> HttpResponse:
        self.requests.append({"method": method, "url": url, **headers})
        return HttpResponse(200, {}, "", 1)


class TokenChannel(SlackChannel):
    """A channel without a URL setting, for a service that requires a token in a header."""

    fields = (SettingField(name="token", label="Token", help="A token.", secret=True),)


def test_hint_is_empty_without_a_target_url() -> None:
    assert TokenChannel().hint(Settings(token="very-secret")) == ""
    assert (
        TELEGRAPH.hint(Settings(lineUrl="https://telegraph.test/lines/abcdefgh"))
        == "https://telegraph.test/\u2026/efgh"
    )


async def test_a_request_can_have_headers_of_its_service() -> None:
    client = HeaderClient()
    outcome = await TELEGRAPH.request(client, "PUT", "https://x.test/1", {}, 5, headers={"Authorization": "Bearer T"})
    assert isinstance(outcome, SendSuccess)
    (request,) = client.requests
    assert (request["method"], request["Authorization"]) == ("PUT", "Bearer T")
    assert request["Content-Type"].startswith("application/json")


def test_remedies_are_of_permanent_errors() -> None:
    for channel in CHANNELS.values():
        assert all(channel.errors[code].kind == "permanent" for code in channel.remedies), channel.kind
        for code, remedy in channel.remedies.items():
            assert channel.remedy(f"{channel.label} returned 400 {code}: {channel.errors[code].meaning}") == remedy
        assert channel.remedy("connection refused").text.startswith(f"Fix this in {channel.label}")
