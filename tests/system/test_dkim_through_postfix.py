"""A mail that dkimpy signs and Postfix forwards still has valid signatures when it is stored."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import dkim
import pytest

from bench.installation import write_certificate
from bench.mtas import find_postfix, prepare_postfix
from bench.processes import Child, free_port
from router.mail.auth_results import AuthResult
from tests.support.dkim import DOMAIN, SELECTOR, check, signing_key
from tests.support.installation import Installation, seeded_installation, split_address
from tests.support.smtp import RawSmtp, send_mail
from tests.support.stores import sqlite_store
from tests.support.waiting import poll_until

KEY = signing_key(bits=2048)
MAIL = (
    "Received: from laptop (laptop [192.0.2.1]) by mail.example.com; Mon, 30 Nov 2026 09:00:00 +0000\r\n"
    "From: =?utf-8?q?J=C3=BCrgen?= <juergen@example.com>\r\nTo: support@example.net\r\n"
    f"Subject: The  parcel\r\n\tis {'very ' * 20}late \r\nMessage-ID: <1@example.com>\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nMIME-Version: 1.0\r\n\r\n"
    f".\r\n..two  dots \t\r\nSch\u00f6ne Gr\u00fc\u00dfe \r\n{'x' * 990}\r\nFrom here\r\n \r\n\r\n\r\n"
).encode()


def sign(content: bytes) -> bytes:
    for algorithms in ((b"simple", b"simple"), (b"relaxed", b"relaxed")):
        content = dkim.sign(content, SELECTOR.encode(), DOMAIN.encode(), KEY.pem, canonicalize=algorithms) + content
    return content


def verify(content: bytes) -> tuple[AuthResult, ...]:
    return check(content, KEY.record, received_at=int(time.time()) * 1_000_000)


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    async with (
        sqlite_store(tmp_path) as store,
        seeded_installation(store, real_time=True) as found,
        found.run_smtp(),
    ):
        yield found


async def test_signed_mail_arrives_with_a_pass(installation: Installation, tmp_path: Path) -> None:
    root = find_postfix(None)
    if root is None:
        assert os.environ.get("CI") != "true", "this test needs Postfix and root"
        pytest.skip("this machine has no Postfix, or the tests do not run as root")
    (address,) = installation.core.listening_smtp()
    port, tls = free_port(), write_certificate(tmp_path)
    prepared = prepare_postfix(root, tmp_path / "postfix", port, tls, relay_to=split_address(address)[1])
    with Child("postfix", prepared.argv, folder=tmp_path, env=prepared.env):
        await poll_until(lambda: accepts_connections(port), "the start of Postfix")
        reply = await send_mail("127.0.0.1", port, "juergen@example.com", ["support@example.com"], sign(MAIL))
        assert reply.code == 250, reply
        await poll_until(lambda: installation.count_rows("messages"), "the message from Postfix")
    stored = b"".join([cast("bytes", chunk["data"]) for chunk in await installation.all_rows("raw_chunks")])
    assert b"Postfix" in stored[: stored.index(b"DKIM-Signature")]  # its trace field
    assert [(result.result, result.domain) for result in verify(stored)] == [("pass", DOMAIN)] * 2
    for at in (stored.index(b"x" * 990) + 5, stored.index(b"juergen"), stored.index(b"late \r\n")):
        changed = stored[:at] + b"y" + stored[at + 1 :]
        assert [result.result for result in verify(changed)] == ["fail"] * 2


async def accepts_connections(port: int) -> bool:
    try:
        client = await RawSmtp.connect("127.0.0.1", port)
    except ConnectionError:
        return False
    async with client:
        return client.greeting.code == 220
