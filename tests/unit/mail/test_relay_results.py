"""Results that a relay reports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.auth_results import AuthResult
from router.mail.relay_results import read_relay_results

IDS = ("mx.google.com", "relay.test")
# In the manner of large providers.
HEADER = b"""Received: by 2002:a05:6214:1 with SMTP id a1;\r
        Mon, 30 Nov 2026 10:00:00 -0800 (PST)\r
ARC-Authentication-Results: i=1; mx.google.com;\r
       dmarc=fail header.from=other.test\r
Authentication-Results: mx.google.com;\r
       dkim=pass header.i=@example.net header.s=s1 header.b=AbCdEf12;\r
       dkim=neutral (no key; really) header.i="a;b"@c header.s="s 2" header.b="a/b=cdefghij";\r
       spf=hardfail (google.com: domain of x@bounce.example.net (really)) smtp.mailfrom=x@Bounce.Example.net;\r
       dmarc=pass (p=REJECT sp=NONE dis=NONE) header.from="example.net"; x-tls=pass;\r
       iprev/1=pass policy.iprev=192.0.2.1\r
Authentication-Results: relay.test; arc=none; dmarc=fail header.from=example.net; dkim=odd\r
Received-SPF: pass\r
Authentication-Results: mx.google.com; arc=pass\r
From: ada@example.net\r
\r
Authentication-Results: mx.google.com; spf=pass\r
"""


def test_the_topmost_fields_are_read() -> None:
    google, relay = "reported by mx.google.com", "reported by relay.test"
    assert read_relay_results(HEADER, IDS) == (
        AuthResult("dkim", "pass", "example.net", "s1", google, "AbCdEf12"),
        AuthResult("dkim", "neutral", "", "", google, "a/b=cdef"),
        AuthResult("spf", "fail", "bounce.example.net", "", google),
        AuthResult("dmarc", "pass", "example.net", "", google),
        AuthResult("iprev", "pass", "", "", google),
        AuthResult("arc", "none", "", "", relay),
    )
    assert read_relay_results(HEADER, ["other.test"]) == ()
    assert read_relay_results(HEADER, []) == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"relay.test; none", ()),
        (b"relay.test", ()),
        (b"RELAY.TEST 1; SPF = Pass smtp.helo=a.test", (("spf", "pass", "a.test"),)),
        (b"other.test; spf=pass", ()),
        (b"(relay.test; spf=pass", ()),
        (b'relay.test; spf=pass reason="; dmarc=pass" smtp.mailfrom=a.test', (("spf", "pass", "a.test"),)),
        (b"relay.test; spf=fail (; dmarc=pass", (("spf", "fail", ""),)),
        (b"relay.test; spf=pass smtp.mailfrom=a.test smtp.mailfrom=b.test", (("spf", "pass", "a.test"),)),
        (b"relay.test; spf=pass smtp.mailfrom=<script>@a<b", (("spf", "pass", ""),)),
        (b"relay.test; spf=pass smtp.mailfrom=" + b"a" * 300, (("spf", "pass", ""),)),
        (b"relay.test; dmarc=bestguesspass; spf=none", (("spf", "none", ""),)),
        ("relay.test; dmarc=pass header.from=bücher.test".encode(), (("dmarc", "pass", "xn--bcher-kva.test"),)),
        (b"relay.test" + b"; spf=none" * 100, (("spf", "none", ""),) * 20),
    ],
)
def test_values(value: bytes, expected: tuple[tuple[str, str, str], ...]) -> None:
    found = read_relay_results(b"Authentication-Results: " + value + b"\r\nSubject: x\r\n\r\n", IDS)
    assert tuple((result.method, result.result, result.domain) for result in found) == expected


@given(st.binary(max_size=300) | st.lists(st.sampled_from([*'";()=\\ \n@./', "a", "spf=pass "])).map("".join))
def test_any_value(value: bytes | str) -> None:
    data = value.encode() if isinstance(value, str) else value
    for result in read_relay_results(b"Authentication-Results: relay.test;" + data + b"\nX: y\n\n", IDS):
        assert (result.domain + result.selector + result.signature).isascii()
        assert len(result.domain) < 254
