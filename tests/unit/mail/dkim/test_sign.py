"""Signatures of our own mail. dkimpy judges those of RSA keys, our verification the others."""

from __future__ import annotations

import re
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from router.enumerations import DkimAlgorithm
from router.mail.compose.mail import compose
from router.mail.dkim.private_key import GeneratedKey, PrivateKey, generate, load, record_name, record_text
from router.mail.dkim.sign import OVERSIGNED_FIELDS, SIGNED_FIELDS, sign
from router.mail.parse import parse
from tests.support.dkim import DOMAIN, KEY_NAME, RECEIVED_AT, SELECTOR, check, judge
from tests.unit.mail.compose.mail import MAIL, QUOTE, outgoing

AT = RECEIVED_AT - 60_000_000
PLAIN = compose(outgoing(in_reply_to="1@example.net", references=("a@b", "1@example.net"), quote=QUOTE)).content
AUTOMATIC = compose(outgoing(is_automatic=True, html="<p>x</p>")).content


@cache
def generated(algorithm: DkimAlgorithm) -> GeneratedKey:
    return generate(algorithm)


def key(algorithm: DkimAlgorithm = "rsa") -> PrivateKey:
    return load(DOMAIN, SELECTOR, algorithm, generated(algorithm).private_pem)


def record(algorithm: DkimAlgorithm = "rsa") -> str:
    return record_text(algorithm, generated(algorithm).public_value)


def is_valid(content: bytes) -> bool:
    return judge(content, record())


@pytest.mark.parametrize("content", [PLAIN, AUTOMATIC], ids=["a reply", "an acknowledgement"])
def test_two_signatures(content: bytes) -> None:
    signed = sign(content, (key(), key("ed25519")), AT)
    assert signed.endswith(content)
    assert is_valid(signed)
    assert re.findall(rb"(?<=; a=)[a-z0-9-]+", signed) == [b"rsa-sha256", b"ed25519-sha256"]
    results = [result.result for name in ("rsa", "ed25519") for result in check(signed, record(name))]
    assert results == ["pass", "permerror", "permerror", "pass"]  # each key fits one signature
    assert parse(signed) == parse(content)


def test_tags() -> None:
    signature = sign(PLAIN, (key(),), AT)[: -len(PLAIN)]
    assert max(map(len, signature.split(b"\r\n"))) <= 78
    tags = dict(re.findall(r"([a-z]+)=([^;]*)", re.sub(r"\s", "", signature.decode())))
    assert tags.keys() == {"v", "a", "c", "d", "s", "t", "h", "bh", "b"}  # neither l= nor x=
    assert (tags["c"], tags["d"], tags["t"]) == ("relaxed/relaxed", DOMAIN, str(AT // 1_000_000))
    assert tags["h"] == (
        "From:From:To:To:Cc:Subject:Subject:Date:Date:Reply-To:Message-ID:In-Reply-To:References:MIME-Version:"
        "Content-Type:Content-Transfer-Encoding"
    )


@pytest.mark.parametrize("name", OVERSIGNED_FIELDS)
def test_no_field_can_be_added(name: str) -> None:
    signed = sign(PLAIN, (key(),), AT)
    assert is_valid(signed)
    field = b"%s: Mallory <mallory@example.org>\r\n" % name.encode()
    assert not is_valid(field + signed)
    assert not is_valid(signed.replace(b"MIME-Version:", field + b"MIME-Version:"))


@pytest.mark.parametrize("name", [*OVERSIGNED_FIELDS, *SIGNED_FIELDS])
def test_no_field_can_be_removed_or_changed(name: str) -> None:
    mail = outgoing(in_reply_to="1@a", references=("1@a",), cc=MAIL.to, reply_to=MAIL.to[0], is_automatic=True)
    signed = sign(compose(mail).content, (key(),), AT)
    field = re.search(rb"(?m)^%s: .*\r\n(?:[ \t].*\r\n)*" % name.encode(), signed)
    assert field is not None
    assert is_valid(signed)
    assert not is_valid(signed.replace(field[0], b""))
    assert not is_valid(signed.replace(field[0], field[0][:-2] + b"x\r\n"))


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b".", b"\r\n.\r\n", b"=20", b"\xc3\xa9", b"\0"])).map(
        b"".join
    ),
    st.lists(st.sampled_from(["", "a", " \t", "\r\n b", "\r\n\t", ": ", "x" * 80]), max_size=8).map("".join),
)
def test_any_body_and_field(body: bytes, value: str) -> None:
    content = f"From: a@example.com\r\nSubject: {value}a\r\n\r\n".encode() + body + b"\r\n"
    signed = sign(content, (key(),), AT)
    assert is_valid(signed)
    assert [result.result for result in check(signed, record())] == ["pass"]
    assert not is_valid(signed + b"x\r\n")


@pytest.mark.parametrize(
    "content", [b"From: a\r\n\r\nx\n", b"From: a\r\n\r\nx\ry\r\n", b"From: a\r\n\r\nx", b"Subject: x\r\n\r\n", b""]
)
def test_mail_that_servers_would_change_is_not_signed(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"CRLF|no From"):
        sign(content, (key(),), AT)


def test_keys() -> None:
    assert record_name(DOMAIN, SELECTOR) == KEY_NAME
    rsa = generated("rsa")
    loaded = load("a", "b", "rsa", rsa.private_pem).key
    assert isinstance(loaded, RSAPrivateKey)
    assert loaded.key_size == 2048
    assert rsa.private_pem not in repr(rsa)
    assert record_text("rsa", rsa.public_value).startswith("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A")
    assert len(generated("ed25519").public_value) == 44
    for pem in ("", rsa.private_pem[:-40], rsa.private_pem.replace("M", "é")):
        with pytest.raises(ValueError, match="malformed"):
            load("a", "b", "rsa", pem)
    with pytest.raises(ValueError, match="not of the type ed25519"):
        load("a", "b", "ed25519", rsa.private_pem)
