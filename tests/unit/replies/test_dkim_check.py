"""The record of a DKIM key: what forms and people do to it, and what the texts say about it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.dkim.private_key import generate
from router.model import DomainKey
from router.replies.records.dkim_check import check_dkim, expected_value

DOMAIN = "example.com"
NAME = f"er202611._domainkey.{DOMAIN}"
KEY = DomainKey("dom_1", "er202611", "rsa", "", generate("rsa").public_value, 0)
OTHER = DomainKey("dom_1", "er202611", "rsa", "", generate("rsa").public_value, 0)
VALUE = expected_value(KEY)
ESCAPED = VALUE.replace(";", "\\;")


@pytest.mark.parametrize(
    "value", [VALUE, VALUE.replace("; ", ";"), f"p={KEY.public_key}", f"{VALUE};", VALUE.replace("k=rsa", "k=rsa; t=y")]
)
def test_a_record_with_the_key_is_correct(value: str) -> None:
    assert check_dkim(DOMAIN, KEY, [value, "google-site-verification=abc"]).status == "ok"


@pytest.mark.parametrize(
    ("values", "status", "text"),
    [
        ([], "missing", f"{NAME} has no TXT record"),
        (["google-site-verification=abc"], "missing", "not a DKIM key"),
        ([VALUE, expected_value(OTHER)], "wrong", "has 2 DKIM records"),
        ([VALUE, VALUE], "wrong", "has 2 DKIM records"),
        ([f'"{VALUE}"'], "wrong", "quotation marks"),
        ([f'"{VALUE[:255]}" "{VALUE[255:]}"'], "wrong", "quotation marks"),
        ([f"\u201c{VALUE}\u201d"], "wrong", "quotation marks"),
        ([ESCAPED], "wrong", "backslashes"),
        ([f'"{ESCAPED}"'], "wrong", "backslashes"),
        ([VALUE[:255]], "wrong", "ends after 255 characters"),
        ([VALUE[:240]], "wrong", "ends after 240 characters"),
        ([f"{NAME} {VALUE}"], "wrong", "text before v=DKIM1"),
        ([expected_value(OTHER)], "wrong", "another key"),
        (["v=DKIM1; k=rsa; p="], "wrong", "revokes the key"),
        ([f"v=DKIM1; k=ed25519; p={KEY.public_key}"], "wrong", "another key"),
        ([VALUE.replace("k=rsa", "k=rsa; h=sha1")], "wrong", "SHA-256"),
        ([VALUE.replace("k=rsa", "k=rsa; s=tlsrpt")], "wrong", "excludes mail"),
        (["v=DKIM1; k=rsa"], "wrong", "ends after 14 characters"),
        (["v=DKIM1; k=rsa; q=dns"], "wrong", "is not valid"),
    ],
)
def test_what_is_wrong(values: list[str], status: str, text: str) -> None:
    values = [value for value in values if value]
    check = check_dkim(DOMAIN, KEY, values)
    assert check.status == status
    assert text in check.fix


def test_a_value_in_two_records() -> None:
    pieces = [VALUE[: VALUE.index("p=")], VALUE[VALUE.index("p=") :]]
    assert "split across 2 TXT records" in check_dkim(DOMAIN, KEY, pieces).fix


def test_a_record_at_another_name() -> None:
    appended = check_dkim(DOMAIN, KEY, [], [f"{NAME}.{DOMAIN}"])
    assert (appended.status, "appends the zone name" in appended.fix) == ("missing", True)
    assert "Enter er202611._domainkey in the name field" in check_dkim(DOMAIN, KEY, [], [DOMAIN]).fix


@given(st.lists(st.text(), max_size=4))
def test_any_records_have_a_result(values: list[str]) -> None:
    check = check_dkim(DOMAIN, KEY, values)
    assert (check.status == "ok") == (not check.fix)
