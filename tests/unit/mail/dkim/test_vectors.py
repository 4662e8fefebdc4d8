"""The examples of RFC 6376 appendix A and RFC 8463 appendix A."""

import pytest

from tests.support.dkim import check

_MAIL = b"""\
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

"""
RFC6376 = (
    b"""\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
"""
    + _MAIL
    + b"We lost the game. Are you hungry yet?\n\nJoe.\n"
).replace(b"\n", b"\r\n")
RFC6376_KEY = (
    "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQ"
    "KBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt"
    "IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v"
    "/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi"
    "tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
)
_ED25519 = b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
"""
_RSA = b"""\
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
"""
_TEXT = _MAIL + b"We lost the game.  Are you hungry yet?\n\nJoe.\n"
RFC8463 = [(signature + _TEXT).replace(b"\n", b"\r\n") for signature in (_ED25519, _RSA)]
RFC8463_KEYS = [
    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR"
    "iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutAC"
    "DfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3"
    "Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
]


@pytest.mark.parametrize(
    ("content", "key", "domain", "selector", "prefix"),
    [
        (RFC6376, RFC6376_KEY, "example.com", "brisbane", "AuUoFEfD"),
        (RFC8463[0], RFC8463_KEYS[0], "football.example.com", "brisbane", "/gCrinpc"),
        (RFC8463[1], RFC8463_KEYS[1], "football.example.com", "test", "F45dVWDf"),
    ],
)
def test_examples_of_the_rfcs(content: bytes, key: str, domain: str, selector: str, prefix: str) -> None:
    (result,) = check(content, key)
    assert (result.result, result.reason) == ("pass", "")
    assert (result.domain, result.selector, result.signature) == (domain, selector, prefix)
    (changed,) = check(content.replace(b"hungry", b"hungrY"), key)
    assert (changed.result, changed.reason) == ("fail", "the body was changed after signing")
    (changed,) = check(content.replace(b"Is dinner", b"Is Dinner"), key)
    assert (changed.result, changed.reason) == ("fail", "the header or the signature was changed after signing")


def test_both_signatures_of_one_message() -> None:
    both = (_ED25519 + _RSA + _TEXT).replace(b"\n", b"\r\n")
    # Both records at each name: the wrong one would be another key, which is an error of the domain.
    assert [result.result for result in check(both, RFC8463_KEYS[0])] == ["pass", "permerror"]
    assert [result.result for result in check(both, RFC8463_KEYS[1])] == ["permerror", "pass"]
    assert [result.reason for result in check(both, *RFC8463_KEYS)] == ["there are several keys"] * 2
