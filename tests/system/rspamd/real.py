"""Tests with the rspamd of Debian. `make test-rspamd` runs them; pytest does not collect this module by itself."""

import email.utils
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from router.checks.rspamd import RspamdClient, SessionFacts, SpamCheck, arc_result
from router.meter import NULL_METER
from tests.support.rspamd import GTUBE
from tests.support.waiting import wait_until
from tests.system.rspamd.program import PASSWORD, RealRspamd, real_rspamd

FACTS = SessionFacts(
    peer="192.0.2.7",
    helo="mx.example.org",
    hostname="mx.example.org",
    reverse_path="customer@example.org",
    recipients=("support@example.com", '"a,b"@example.com'),
    message_id="msg_1",
    tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
)


def plain() -> bytes:
    """Returns a message of now: rspamd counts a wrong date."""
    return (
        f"Received: from desk.example.org by mx.example.org with ESMTPS; {email.utils.formatdate()}\r\n"
        "From: Customer <customer@example.org>\r\nTo: support@example.com\r\nSubject: Question about an order\r\n"
        f"Date: {email.utils.formatdate()}\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        "Hello,\r\n\r\nwhere is the parcel that I ordered last week?\r\n"
    ).encode()


@pytest.fixture(scope="module")
def server() -> Iterator[RealRspamd]:
    with real_rspamd() as found:
        yield found


@asynccontextmanager
async def open_client(url: str, password: str | None = None) -> AsyncIterator[RspamdClient]:
    client = RspamdClient(url, password, NULL_METER, timeout=30, max_bytes=10**8, mta_name="mx1.example.com")
    try:
        yield client
    finally:
        await client.close()


async def ask(server: RealRspamd, content: bytes, **changes: Any) -> SpamCheck:
    facts = SessionFacts(**{name: getattr(FACTS, name) for name in FACTS.__slots__} | changes)
    async with open_client(server.scanner) as client:
        return await client.ask(content, facts)


async def test_gtube_is_spam(server: RealRspamd) -> None:
    found = await ask(server, plain() + GTUBE + b"\r\n")
    assert found.verdict is not None
    assert found.verdict.action == "reject"
    for spam_score in (None, 5.0, 20.0):
        assert found.verdict.is_spam(spam_score)


async def test_plain_mail_is_not_spam(server: RealRspamd) -> None:
    found = await ask(server, plain())
    assert found.verdict is not None, found.problem
    assert not found.verdict.is_spam(None)
    assert found.verdict.required > found.verdict.score
    assert found.verdict.is_spam(found.verdict.score)
    assert any(symbol.name == "MIME_GOOD" and symbol.description for symbol in found.verdict.symbols)
    arc = arc_result(found.verdict)
    assert arc is not None
    assert arc.result == "none"
    assert found.server.startswith("rspamd/")
    assert found.date.endswith("GMT")


async def test_facts_arrive(server: RealRspamd) -> None:
    await ask(server, plain(), message_id="msg_facts")
    found: list[Any] = []

    def read() -> bool:
        lines = server.log.read_text(errors="replace").splitlines()
        facts = [json.loads("{" + line.split("facts {", 1)[1]) for line in lines if "facts {" in line]
        found[:] = [fact for fact in facts if fact["id"] == "msg_facts"]
        return bool(found)

    await wait_until(read, "facts in the log")
    assert found[0] == {
        "ip": "192.0.2.7",
        "helo": "mx.example.org",
        "hostname": "mx.example.org",
        "from": "customer@example.org",
        "recipients": ["support@example.com", "a,b@example.com"],
        "id": "msg_facts",
        "mta": "mx1.example.com",
        "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"reverse_path": "bücher@bücher.example"},
        {"recipients": ("jürgen@kunde.example",)},
        {"helo": "mx\r\nFlags: skip", "hostname": "\u00e4"},
        {"reverse_path": "", "recipients": ()},
    ],
)
async def test_internationalized_and_forged_values_are_understood(server: RealRspamd, changes: dict[str, Any]) -> None:
    found = await ask(server, plain(), **changes)
    assert found.verdict is not None, found.problem
    assert "BROKEN_HEADERS" not in {symbol.name for symbol in found.verdict.symbols}


async def test_message_with_many_urls_has_a_verdict(server: RealRspamd) -> None:
    """The response lists the URLs."""
    lines = (f"http://{'a' * 60}.{number}.{'b' * 60}.example.org/{number}\r\n" for number in range(40_000))
    found = await ask(server, plain() + "".join(lines).encode())
    assert found.outcome == "checked", found.problem


@pytest.mark.parametrize(("password", "outcome"), [(PASSWORD, "checked"), ("wrong", "refused"), (None, "refused")])
async def test_password(server: RealRspamd, password: str | None, outcome: str) -> None:
    async with open_client(server.controller, password) as client:
        found = await client.ask(plain(), FACTS)
    assert found.outcome == outcome, found.problem
