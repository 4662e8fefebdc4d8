"""Fields of settings, and the reference in docs/channels.md."""

from pathlib import Path

import pytest

from router.channels import CHANNELS, reference
from router.channels.settings import SettingField, Settings, parse_settings
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


def test_fields_of_all_channels_fit_together() -> None:
    secrecy: dict[str, bool] = {}
    for channel in CHANNELS.values():
        names = [field.name for field in channel.fields]
        assert len(set(names)) == len(names)
        assert not {"type", "name", "submission"} & set(names), "names of other fields of the forms"
        for field in channel.fields:
            assert secrecy.setdefault(field.name, field.secret) == field.secret, "channels share the option"
