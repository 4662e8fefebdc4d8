"""The smarthost of a domain: TLS with a valid certificate, public hosts, and a password that goes to no other host."""

import pytest

from router.admin.domains.smarthost_setting import SmarthostSetting, read_setting
from router.errors import Refused
from router.replies.sealed_smarthost import mask, seal, unseal
from router.secrets import SecretBox, new_key

CURRENT = SmarthostSetting("smtps://user@smtp.example.net:465", "secret")


@pytest.mark.parametrize(
    ("url", "password", "field"),
    [
        ("https://smtp.example.net", None, "url"),
        ("smtps://user:secret@smtp.example.net", None, "url"),
        ("smtp://user@smtp.example.net?tls=opportunistic", "secret", "url"),
        ("smtp://127.0.0.1:25", None, "url"),
        ("smtp://[::1]:25", None, "url"),
        ("smtp://10.1.2.3:587", None, "url"),
        ("smtp://localhost:25", None, "url"),
        ("smtp://mail.internal:25", None, "url"),
        ("smtps://smtp.example.net", "secret", "url"),
        ("smtps://user@smtp.example.org", None, "password"),
        ("smtps://other@smtp.example.net", None, "password"),
        ("smtps://user@smtp.example.net", "pass\nword", "password"),
        ("smtps://user@smtp.example.net", "p" * 1001, "password"),
        (f"smtps://user@{'a' * 700}.example.net", "secret", "url"),
    ],
)
def test_settings_that_are_not_allowed(url: str, password: str | None, field: str) -> None:
    with pytest.raises(Refused) as refused:
        read_setting(SmarthostSetting(url, password), CURRENT, allow_private=False)
    assert (refused.value.code, refused.value.field) == ("invalid_request", f"smarthost.{field}")
    assert "secret" not in refused.value.message


def test_a_password_stays_for_the_same_user_and_host() -> None:
    url, password = read_setting(SmarthostSetting("smtp://user@smtp.example.net"), CURRENT, allow_private=False)
    assert (str(url), password and password.reveal()) == ("smtp://user@smtp.example.net:587", "secret")


def test_private_networks_can_be_allowed() -> None:
    assert read_setting(SmarthostSetting("smtp://10.1.2.3"), None, allow_private=True)[0].host == "10.1.2.3"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("smtps://AKIAEXAMPLE@smtp.example.net", "smtps://AK…@smtp.example.net:465"),
        ("smtps://bob@smtp.example.net", "smtps://…@smtp.example.net:465"),
        ("smtp://[2001:db8::1]:25", "smtp://[2001:db8::1]:25"),
    ],
)
def test_hint(url: str, shown: str) -> None:
    setting = SmarthostSetting(url, "x" if "@" in url else None)
    parsed, password = read_setting(setting, None, allow_private=True)
    assert mask(parsed) == shown
    box = SecretBox(new_key())
    assert unseal(box, seal(box, parsed, password)) == (parsed, password)
