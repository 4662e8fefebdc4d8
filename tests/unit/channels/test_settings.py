"""Fields of settings, and the reference in docs/channels.md."""

from pathlib import Path

import pytest

from router.channels import CHANNELS, reference
from router.channels.settings import SettingField, Settings, parse_settings
from router.channels.webhook_url import mask_url
from router.errors import InvalidSetting

THREAD = SettingField(
    name="threadId", label="Thread ID", help="A thread.", required=False, pattern="[0-9]{3,20}", allowed="digits"
)
TITLE = SettingField(name="title", label="Title", help="A title.", max_length=20)
TOKEN = SettingField(name="botToken", label="Bot token", help="A secret.", secret=True, max_length=20)


def parse(**values: object) -> Settings:
    return parse_settings((THREAD, TITLE, TOKEN), values, kind="example", allow_private=False)


def test_reference_is_current() -> None:
    written = (Path(__file__).parents[3] / reference.FILE).read_text(encoding="utf-8")
    assert written == reference.render(CHANNELS.values()), "run: python -m router.channels.reference"


def test_names_of_a_field() -> None:
    assert (THREAD.key, THREAD.option, THREAD.noun) == ("thread_id", "--thread-id", "thread ID")


def test_values_are_normalised_and_hidden() -> None:
    settings = parse(title="  A title ", botToken="secret", threadId=None)
    assert settings == {"title": "A title", "botToken": "secret"}
    assert "secret" not in f"{settings!r} {settings} {[settings]}"


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        ({}, "title", "Title is required"),
        ({"title": None}, "title", "Title is required"),
        ({"title": " "}, "title", "Title is required"),
        ({"title": 5}, "title", "Title must be a string"),
        ({"title": "x" * 21}, "title", "Title must not be longer than 20 characters"),
        ({"title": "a\nb"}, "title", "Title must not contain control or invisible characters"),
        ({"title": "a\u202eb"}, "title", "Title must not contain control or invisible characters"),
        ({"title": "a", "threadId": ""}, "threadId", "Thread ID must not be empty"),
        ({"title": "a", "threadId": "12"}, "threadId", "Thread ID must be digits"),
        (
            {"title": "a", "threadId": "123\n4"},
            "threadId",
            "Thread ID must not contain control or invisible characters",
        ),
        ({"title": "a"}, "botToken", "Bot token is required"),
        (
            {"title": "a", "colour": "red"},
            "colour",
            "colour is not a setting of example; its settings are: threadId, title, botToken",
        ),
    ],
)
def test_invalid_values(values: dict[str, object], field: str, reason: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        parse(**values)
    assert (caught.value.code, caught.value.field, caught.value.message) == ("invalid_request", field, reason)


@pytest.mark.parametrize("name", ["name", "type", "workspace"])
def test_reserved_names(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        SettingField(name=name, label="Label", help="Help.")


@pytest.mark.parametrize(
    ("url", "is_valid"),
    [
        ("https://service.com/hook", True),
        ("http://127.0.0.1:8065/x", True),
        ("https://[fd00::1]/x", True),
        ("https://chat/x", True),
        ("https://chat.internal/x", True),
        ("https://hooks.other.com/x", False),
        ("https://hooks.other.com./x", False),
        ("https://8.8.8.8/x", False),
    ],
)
def test_private_networks_allow_a_stand_in_only_at_a_private_host(url: str, is_valid: bool) -> None:
    pattern = r"https://service\.com/.*"
    field = SettingField(
        name="hookUrl", label="Hook", help="A URL.", format="url", pattern=pattern, allowed="a URL of the service"
    )
    if is_valid:
        assert field.parse(url, allow_private=True) == url
        return
    with pytest.raises(InvalidSetting, match="Hook must be a URL of the service"):
        field.parse(url, allow_private=True)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://ntfy.test", "https://ntfy.test/"),
        ("https://ntfy.test/", "https://ntfy.test/"),
        ("https://ntfy.test:8443/sub/", "https://ntfy.test:8443/sub/"),
        ("https://ntfy.test?a=b", "https://ntfy.test/?a=b"),
    ],
)
def test_a_url_without_a_path_if_the_field_allows_it(text: str, url: str) -> None:
    field = SettingField(name="url", label="URL", help="A URL.", format="url", path_required=False)
    assert field.parse(text, allow_private=False) == url
    assert field.parse(url, allow_private=False) == url


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://ntfy.test/", "https://ntfy.test/"),
        ("https://ntfy.test:8443/", "https://ntfy.test:8443/"),
        ("https://ntfy.test/abcdefgh", "https://ntfy.test/\u2026/efgh"),
        ("https://ntfy.test/?key=abcdefgh", "https://ntfy.test/\u2026/efgh"),
    ],
)
def test_masked_urls(url: str, masked: str) -> None:
    assert mask_url(url) == masked


def test_urls_of_a_service() -> None:
    restricted = SettingField(name="a", label="A", help="A.", format="url", pattern="https://a.test/.+")
    unrestricted = SettingField(name="b", label="B", help="B.", format="url", own_urls="https://b.test/.+")
    text = SettingField(name="c", label="C", help="C.", pattern=".*")
    found = {
        url: [field.is_own_url(url) for field in (restricted, unrestricted, text)]
        for url in ("https://a.test/1", "https://b.test/1")
    }
    assert found == {"https://a.test/1": [True, False, False], "https://b.test/1": [False, True, False]}
    assert unrestricted.parse("https://a.test/1", allow_private=False) == "https://a.test/1"


def test_fields_of_all_channels_fit_together() -> None:
    secrecy: dict[str, bool] = {}
    for channel in CHANNELS.values():
        names = [field.name for field in channel.fields]
        assert len(set(names)) == len(names)
        assert not {"type", "name", "submission"} & set(names), "names of other fields of the forms"
        for field in channel.fields:
            assert secrecy.setdefault(field.name, field.secret) == field.secret, "channels share the option"


@pytest.mark.parametrize(
    ("kind", "url", "host"),
    [
        ("slack", "https://hooks.slack.com/services/T0/B0/x", None),
        ("slack", "HTTPS://Hooks.Slack-gov.com/services/T0/B0/x", None),
        ("slack", "https://chat.acme.example:8443/hooks/x", "chat.acme.example"),
        ("slack", "https://hooks.slack.com.acme.example/services/T0/B0/x", "hooks.slack.com.acme.example"),
        ("slack", "http://127.0.0.1:9/services/x", "127.0.0.1"),
        ("slack", "nonsense", None),
        ("slack", None, None),
        ("discord", "https://discordapp.com/api/webhooks/1/x", None),
        ("discord", "http://127.0.0.1:9/api/webhooks/1/x", "127.0.0.1"),
        ("discord", "https://acme.com/api/webhooks/1/x", None),  # invalid: another host is not allowed
    ],
)
def test_a_url_of_another_host_than_the_service_is_foreign(kind: str, url: str | None, host: str | None) -> None:
    assert CHANNELS[kind].find_foreign_host({"webhookUrl": url, "avatarUrl": "https://acme.example/a.png"}) == host
