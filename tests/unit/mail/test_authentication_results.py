"""The header field Authentication-Results."""

from __future__ import annotations

from email import message_from_bytes
from typing import cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.auth_results import AuthMethod, AuthResult, AuthWord
from router.mail.authentication_results import read_authserv_id, render

RESULTS = (
    AuthResult("dmarc", "pass", "example.net"),
    AuthResult("iprev", "pass", "mail.example.net"),
    AuthResult("spf", "pass", "bounce.example.net", reason="not shown"),
    AuthResult("dkim", "pass", "example.net", "s1", signature="AbCdEf12"),
)


def rendered(
    *results: AuthResult, authserv_id: str = "mx1.example.com", mail_from: str = "x@bounce.example.net"
) -> str:
    return render(
        authserv_id,
        results,
        mail_from=mail_from,
        helo="mail.example.net",
        peer="::ffff:192.0.2.1",
        from_domain="a.test",
    ).decode("ascii")


def test_render() -> None:
    assert rendered(*RESULTS) == (
        "Authentication-Results: mx1.example.com;\r\n"
        "\tspf=pass smtp.mailfrom=bounce.example.net;\r\n"
        "\tdkim=pass header.d=example.net header.s=s1 header.b=AbCdEf12;\r\n"
        "\tdmarc=pass header.from=example.net; iprev=pass policy.iprev=192.0.2.1\r\n"
    )


def test_render_without_results() -> None:
    assert rendered() == "Authentication-Results: mx1.example.com; none\r\n"


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (AuthResult("spf", "none", "mail.example.net"), "spf=none smtp.helo=mail.example.net"),
        (AuthResult("spf", "none"), "spf=none smtp.helo=mail.example.net"),
        (AuthResult("dkim", "none"), "dkim=none"),
        (AuthResult("dkim", "fail", "a.test", "s", signature='a/+="\\;'), 'header.b="a/+=\\"\\\\;"'),
        (AuthResult("dmarc", "permerror"), "dmarc=permerror header.from=a.test"),
        (AuthResult("dmarc", "fail", "bücher.example"), "header.from=xn--bcher-kva.example"),
        (AuthResult("dmarc", "fail", "a\r\nb\x00é.test"), 'header.from="a??b??.test"'),
        (AuthResult("arc", "pass"), "arc=pass"),
    ],
)
def test_values(result: AuthResult, expected: str) -> None:
    assert expected in rendered(result, mail_from="")


def test_ipv6_address_and_unusual_id() -> None:
    field = render("mx (1)", [RESULTS[1]], mail_from="", helo="", peer="2001:db8::1", from_domain="").decode()
    assert field == 'Authentication-Results: "mx (1)"; iprev=pass policy.iprev="2001:db8::1"\r\n'
    assert b"policy" not in render("mx", [RESULTS[1]], mail_from="", helo="", peer="", from_domain="")


texts = st.text(max_size=400) | st.sampled_from(
    ['"' * 300, "\\" * 300, "a" * 900, "\r\n\r\n", "ü.test", "a; dmarc=pass"]
)
results = st.builds(
    AuthResult,
    st.sampled_from(cast("tuple[AuthMethod, ...]", get_args(AuthMethod))),
    st.sampled_from(cast("tuple[AuthWord, ...]", get_args(AuthWord))),
    texts,
    texts,
    texts,
    texts,
)


@given(st.lists(results, max_size=60), texts)
def test_untrusted_values_cannot_end_a_value(found: list[AuthResult], text: str) -> None:
    data = render(text, found, mail_from=text, helo=text, peer=text, from_domain=text)
    assert data.endswith(b"\r\n")
    assert data.count(b"\n") == data.count(b"\r") == data.count(b"\r\n")
    assert data.replace(b"\r\n", b"").replace(b"\t", b"").decode("ascii").isprintable()
    assert max(map(len, data.split(b"\r\n"))) <= 998
    message = message_from_bytes(data + b"\r\nbody")
    assert message.keys() == ["Authentication-Results"]
    # Outside quoted strings there is one result for each method.
    value = "".join(message["Authentication-Results"].replace("\\\\", "").replace('\\"', "").split('"')[::2])
    assert value.count(";") == max(len(found[:50]), 1)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b" mx.test; spf=pass", "mx.test"),
        (b"MX.Test.;", "mx.test"),
        (b"\r\n\t(a (nested \\) one))\r\n (b) mx.test 1; none", "mx.test"),
        (b'"mx.\\test"(x) 1', "mx.test"),
        (b'"mx.\r\ntest" ; a', "mx.test"),
        (b"mx.test/1; a", "mx.test"),
        ("bücher.test; a".encode(), "xn--bcher-kva.test"),
        (b"xn--bcher-kva.test", "xn--bcher-kva.test"),
        (b"\xff\xfe; a", "\ufffd\ufffd"),
        (b"spf=pass smtp.mailfrom=a", "spf"),
        (b"a" * 300, "a" * 300),
        (b"", None),
        (b" ; none", None),
        (b"(mx.test", None),
        (b"(mx.test\\)", None),
        (b'"mx.test', None),
        (b"=?utf-8?q?mx.test?=; none", None),
        (b"mx.=?utf-8?q?test?=; none", None),
        (b"(a" * 8000, None),
    ],
)
def test_read_authserv_id(value: bytes, expected: str | None) -> None:
    found = read_authserv_id(value)
    assert (found[0] if found else None) == expected


def test_an_incomplete_id_is_not_read() -> None:
    assert read_authserv_id(b"mx.test", is_complete=False) is None
    assert read_authserv_id(b"mx.test;", is_complete=False) == ("mx.test", 7)
