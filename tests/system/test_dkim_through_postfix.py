"""Mail that dkimpy or this program signs, and Postfix forwards, still has valid signatures when it is stored."""

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
from router.mail.compose.files import OutgoingFile
from router.mail.compose.mail import OutgoingMail, compose
from router.mail.compose.quote import Quote
from router.mail.contents import NamedMailbox
from router.mail.dkim.private_key import load
from router.mail.dkim.sign import sign as sign_reply
from tests.support.dkim import DOMAIN, SELECTOR, check, judge, signing_key
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


REPLY = OutgoingMail(
    from_name="Jürgen (Schöne Grüße, Inc.)",
    from_address="juergen@example.com",
    to=(NamedMailbox("support@example.com", "Ada"), NamedMailbox("ada@bücher.example", "ß" * 60)),
    subject="Re: The  parcel " + "très " * 30,
    message_id="er.token@example.com",
    date=1_700_000_000_000_000,
    references=("er.t.token@example.com", *(f"{n}{'x' * 90}@example.com" for n in range(18))),
    in_reply_to="17@example.com",
    text="From here .\n.\n..two\n \t\nGrüße \n" + "ß" * 2000 + "\n\n\n",
    html="<p>Grüße " + "x" * 3000 + '<img src="cid:logo@example.com"></p>',
    quote=Quote("I", 0, "UTC", "en", "From there\n" + "y" * 2000 + "\n> Sent from\n."),
    signature="Jürgen\n.",
    attachments=(
        OutgoingFile("logo.png", "image/png", bytes(range(256)) * 10, "logo@example.com"),
        OutgoingFile("ß" * 100 + ".txt", "text/plain", b"From \n.\r.\r\n" * 50),
        OutgoingFile("mail.eml", "message/rfc822", MAIL),
        OutgoingFile("short.eml", "message/rfc822", b"Subject: x \r\n\r\n.\r\n.. \r\n\r\n"),
    ),
)


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
    reply_content = compose(REPLY).content
    signed_reply = sign_reply(reply_content, (load(DOMAIN, SELECTOR, "rsa", KEY.pem.decode()),), time.time_ns() // 1000)
    with Child("postfix", prepared.argv, folder=tmp_path, env=prepared.env):
        await poll_until(lambda: accepts_connections(port), "the start of Postfix")
        stored = await forward(installation, port, sign(MAIL))
        stored_reply = await forward(installation, port, signed_reply)
    assert b"Postfix" in stored[: stored.index(b"DKIM-Signature")]  # its trace field
    assert [(result.result, result.domain) for result in verify(stored)] == [("pass", DOMAIN)] * 2
    for at in (stored.index(b"x" * 990) + 5, stored.index(b"juergen"), stored.index(b"late \r\n")):
        changed = stored[:at] + b"y" + stored[at + 1 :]
        assert [result.result for result in verify(changed)] == ["fail"] * 2

    # All bytes of the body arrive as they were signed.
    assert stored_reply.partition(b"\r\n\r\n")[2] == reply_content.partition(b"\r\n\r\n")[2]
    assert judge(stored_reply, KEY.record)
    assert [result.result for result in verify(stored_reply)] == ["pass"]


async def forward(installation: Installation, port: int, content: bytes) -> bytes:
    """Sends a mail through Postfix, and returns it as it is stored."""
    before = {row["id"] for row in await installation.all_rows("messages")}
    reply = await send_mail("127.0.0.1", port, "juergen@example.com", ["support@example.com"], content)
    assert reply.code == 250, reply
    await poll_until(lambda: _count_more(installation, before), "the message from Postfix")
    (message_id,) = {row["id"] for row in await installation.all_rows("messages")} - before
    chunks = [row for row in await installation.all_rows("raw_chunks") if row["message_id"] == message_id]
    return b"".join(cast("bytes", chunk["data"]) for chunk in sorted(chunks, key=lambda chunk: cast("int", chunk["n"])))


async def _count_more(installation: Installation, before: set[object]) -> bool:
    return await installation.count_rows("messages") > len(before)


async def accepts_connections(port: int) -> bool:
    try:
        client = await RawSmtp.connect("127.0.0.1", port)
    except ConnectionError:
        return False
    async with client:
        return client.greeting.code == 220
