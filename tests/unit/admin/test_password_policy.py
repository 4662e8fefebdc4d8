"""The password policy."""

import pytest

from router.admin.access.password_policy import check_password
from router.errors import Refused

EMAIL = "grace.hopper@acme.test"
IDN = "ada@xn--bcher-kva.example"  # bücher.example


def rejection_message(password: str, email: str = EMAIL) -> str:
    with pytest.raises(Refused) as refused:
        check_password(password, email)
    assert (refused.value.code, refused.value.field) == ("invalid_request", "password")
    return refused.value.message


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "acme.test is where I work",
        "grace.hopper@elsewhere.test",
        "notacme.test",
        "password of the harbour",
        "пароль для работы",
        "密码密码一二三四五六",
        "abcabcabd",
        "x" * 1023 + "y",
        "!§$%&/()=?",
        "acme tests are what I read",
        "https://acme.test/welcome/home",
        "!!a!?!b!",
    ],
)
def test_accepted_passwords(password: str) -> None:
    check_password(password, EMAIL)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "        ",
        " \t\n\u3000 \u00a0  ",
        "a       ",
        "x" * 1025,
        "pass\u200b\u2060\u00ad\ufeff",
    ],
)
def test_password_length(password: str) -> None:
    assert "between 8 and 1024 characters" in rejection_message(password)


@pytest.mark.parametrize(
    "password",
    [
        "\u200b\u200c" * 5,
        "\u2060\ufeff\u200b\u200d\u2061\u2062\u2063\u2064",
        "\u3164\u115f\u1160" * 3,
    ],
)
def test_invisible_passwords_are_rejected(password: str) -> None:
    assert "invisible" in rejection_message(password)


@pytest.mark.parametrize("password", ["aaaaaaaa", "ababababab", "abcabcabc", "adminadmin", "AbcDAbcD", "1" * 1000])
def test_repeated_sequences_are_rejected(password: str) -> None:
    assert "repeat" in rejection_message(password)


@pytest.mark.parametrize(
    ("password", "email"),
    [
        (EMAIL, EMAIL),
        ("Grace.Hopper@ACME.test", EMAIL),
        (" grace.hopper@acme.test ", EMAIL),
        ("grace.hopper", EMAIL),
        ("acme.test", EMAIL),
        ("hopper@acme", EMAIL),
        ("support@ac\u00adme.test", EMAIL),
        ("ACME.TEST.", EMAIL),
        ("www.acme.test", EMAIL),
        ("@acme.test", EMAIL),
        ("support@acme.test", EMAIL),
        ("a b@acme.test", EMAIL),
        ("ops@mail.acme.test", EMAIL),
        ("acmecorporation", "a@acmecorporation.test"),
        ("bücher.example", IDN),
        ("Info@BÜCHER.example", IDN),
        ("xn--bcher-kva.example", IDN),
        ("ｇｒａｃｅ.hopper", EMAIL),
        ("grace.hopper @ acme . test", EMAIL),
        ("acme.test acme.test", EMAIL),
        ("<grace.hopper@acme.test>", EMAIL),
        ("https://acme.test/", EMAIL),
        ("acme-test", EMAIL),
        ("Grace Hopper", EMAIL),
        ("other@acme.test!", EMAIL),
        ("Straße.example", "a@xn--strae-oqa.example"),
    ],
)
def test_passwords_derived_from_the_address_are_rejected(password: str, email: str) -> None:
    assert "address" in rejection_message(password, email)


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "Password",
        "12345678",
        "PASSWORD1",
        "qwertyuiop",
        "iloveyou",
        "P@ssw0rd",
        "ｐａｓｓｗｏｒｄ",
        "emailrouter",
        "passwordpassword",
        "EmailRouterEmailRouter",
        "password1\u200b",
        "p\u00adassword",
        "p a s s w o r d",
        "password password",
        "1 2 3 4 5 6 7 8",
        "Friend of Joan",
    ],
)
def test_common_passwords_are_rejected(password: str) -> None:
    assert "most common" in rejection_message(password)
