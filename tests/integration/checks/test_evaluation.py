"""Messages checked by the program: SMTP envelope, DNS server, worker process, database."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from router.accept.transaction import CHUNK_BYTES
from router.dispatch.check_runner import CheckRunner
from router.errors import Unavailable
from router.routing.envelope import Envelope, new_test_message_id
from router.routing.route import Target
from tests.support import mails
from tests.support.dns import DnsStandIn
from tests.support.installation import Installation
from tests.support.rspamd import GTUBE, RspamdStandIn
from tests.support.stores import Store
from tests.support.waiting import poll_until

PEER = "192.0.2.7"
KEY = generate_private_key(65537, 2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
PUBLIC = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
RECORD = "v=DKIM1; k=rsa; p=" + base64.b64encode(PUBLIC).decode()
MAIL = mails.mail(sender="Ann <ann@customer.test>")


@asynccontextmanager
async def running(installation: Installation) -> AsyncIterator[CheckRunner]:
    runner = installation.core.check_runner
    assert runner is not None
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        runner.stop()
        await task


async def check(
    installation: Installation, content: bytes, *others: Target, reverse_path: str = "ann@customer.test"
) -> dict[str, object]:
    """Accepts a message, waits for its checks and returns their row, with that of the ticket."""
    envelope = Envelope(reverse_path, (installation.target("support"), *others), PEER, "mail.customer.test", "ESMTP")
    accepted = await installation.accept.accept(envelope, content)
    async with running(installation):
        await poll_until(lambda: _is_checked(installation), "the message is checked")
    rows = await installation.execute("SELECT * FROM message_checks WHERE message_id = :id", id=accepted.message_id)
    link, *_ = await installation.execute(
        "SELECT warning, t.spam, t.flagged FROM ticket_messages tm JOIN tickets t ON t.id = tm.ticket_id "
        "WHERE message_id = :id",
        id=accepted.message_id,
    )
    return {**rows[0], **link}


async def _is_checked(installation: Installation) -> bool:
    return await installation.count_rows("check_queue") == 0


def words(row: dict[str, object]) -> dict[str, str]:
    return {each["method"]: each["result"] for each in json.loads(str(row["results"]))}


def sign(content: bytes, domain: str = "customer.test") -> bytes:
    return bytes(dkim.sign(content, b"s1", domain.encode(), PEM)) + content


@pytest.fixture
async def installation(store: Store, dns_server: DnsStandIn) -> AsyncIterator[Installation]:
    settings = {"checks.enabled": True, "dns.nameservers": [dns_server.address]}
    found = Installation(store, settings, real_time=True, wake="dispatcher")
    await found.seed()
    yield found
    await found.close()


async def test_spf_authenticates_the_sender(installation: Installation, dns_server: DnsStandIn) -> None:
    dns_server.set("customer.test", "TXT", f"v=spf1 ip4:{PEER} -all")
    dns_server.set("_dmarc.customer.test", "TXT", "v=DMARC1; p=reject")
    dns_server.set(PEER, "PTR", "mail.customer.test.")
    dns_server.set("mail.customer.test", "A", PEER)
    row = await check(installation, MAIL)
    assert words(row) == {"spf": "pass", "dkim": "none", "dmarc": "pass", "iprev": "pass"}
    assert (row["state"], row["warning"]) == ("done", "")


async def test_a_signature_authenticates_a_forwarded_message(
    installation: Installation, dns_server: DnsStandIn
) -> None:
    dns_server.set("customer.test", "TXT", "v=spf1 -all")
    dns_server.set("_dmarc.customer.test", "TXT", "v=DMARC1; p=reject")
    dns_server.set("s1._domainkey.customer.test", "TXT", RECORD)
    row = await check(installation, sign(MAIL))
    assert words(row) == {"spf": "fail", "dkim": "pass", "dmarc": "pass", "iprev": "permerror"}
    assert row["warning"] == ""


async def test_a_changed_byte_fails_and_is_flagged(installation: Installation, dns_server: DnsStandIn) -> None:
    dns_server.set("_dmarc.customer.test", "TXT", "v=DMARC1; p=reject")
    dns_server.set("s1._domainkey.customer.test", "TXT", RECORD)
    row = await check(installation, sign(MAIL).replace(b"Hello.", b"Hallo."))
    assert words(row)["dkim"] == "fail"
    assert words(row)["dmarc"] == "fail"
    assert "may be forged" in str(row["warning"])
    assert (row["flagged"], row["spam"]) == (1, 0)


@pytest.mark.parametrize("sender", ["boss@example.com", "boss@mail.example.com", '"a@b.test, c" <boss@EXAMPLE.com>'])
async def test_the_forged_own_domain_is_flagged_without_a_dmarc_record(installation: Installation, sender: str) -> None:
    row = await check(installation, mails.mail(sender=f"Boss <{sender}>" if "<" not in sender else sender))
    assert words(row)["dmarc"] == "none"
    assert "your domain" in str(row["warning"])


async def test_two_senders_do_not_hide_the_own_domain(installation: Installation, dns_server: DnsStandIn) -> None:
    dns_server.set("customer.test", "TXT", f"v=spf1 ip4:{PEER} -all")
    row = await check(installation, mails.mail(sender="ann@customer.test, boss@example.com"))
    assert words(row)["dmarc"] == "permerror"
    assert "your domain example.com" in str(row["warning"])


@pytest.mark.parametrize(
    ("header", "reverse_path"),
    [
        (b"", "boss@example.com"),
        (b"From: \r\n", "boss@example.com"),
        (b"From: boss@example.com\x81\r\nSubject: =?utf-32le?Q?=E9?= \r\n", "x@evil.test"),
        (b"From: boss@example.com\x81, x@evil.test\r\nSubject: =?utf-32le?Q?=E9?=\r\n", "x@evil.test"),
        (b"From: boss@example.com\x81\r\nFrom: x@evil.test\r\nSubject: caf\xe9\r\n", "x@evil.test"),
    ],
)
async def test_the_address_that_is_shown_is_checked(
    installation: Installation, dns_server: DnsStandIn, header: bytes, reverse_path: str
) -> None:
    dns_server.set("evil.test", "TXT", "v=spf1 +all")
    row = await check(installation, header + b"Date: x\r\n\r\nHello.\r\n", reverse_path=reverse_path)
    assert words(row)["dmarc"] != "pass"
    shown = (await installation.all_rows("tickets"))[-1]["from_address"]
    assert str(shown).endswith("example.com") is ("your domain example.com" in str(row["warning"]))


async def test_from_across_the_end_of_the_first_chunk_is_not_read_in_part(installation: Installation) -> None:
    long = b"X-Long: " + b"a" * 60_000 + b"\r\n"
    header = long * 4 + b"X-Pad: " + b"a" * (CHUNK_BYTES - 4 * len(long) - 35) + b"\r\n"
    row = await check(installation, header + MAIL, reverse_path="bounce@esp.test")
    assert (words(row)["dmarc"], row["warning"]) == ("none", "")


async def test_mail_from_is_authenticated_where_it_is_shown(installation: Installation, dns_server: DnsStandIn) -> None:
    dns_server.set("example.com", "TXT", f"v=spf1 ip4:{PEER} -all")
    dns_server.set("_dmarc.example.com", "TXT", "v=DMARC1; p=reject")
    row = await check(installation, b"Subject: Report\r\n\r\nHello.\r\n", reverse_path="boss@example.com")
    assert (words(row)["dmarc"], row["warning"]) == ("none", ""), "without From, there is no DMARC (RFC 9989)"


async def test_a_signature_that_is_too_large_to_verify_holds_nothing(
    installation: Installation, dns_server: DnsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.checks.authenticate.MAX_BYTES", 100)
    await installation.execute("""UPDATE aliases SET check_policy = '{"on_fail": "quarantine"}'""")
    dns_server.set("_dmarc.customer.test", "TXT", "v=DMARC1; p=reject")
    dns_server.set("s1._domainkey.customer.test", "TXT", RECORD)
    row = await check(installation, sign(MAIL))
    assert (words(row)["dkim"], words(row)["dmarc"]) == ("neutral", "fail")
    assert (row["spam"], row["flagged"]) == (0, 1)


async def test_the_own_domain_that_passes_is_not_flagged(installation: Installation, dns_server: DnsStandIn) -> None:
    dns_server.set("example.com", "TXT", f"v=spf1 ip4:{PEER} -all")
    row = await check(installation, mails.mail(sender="boss@example.com"), reverse_path="boss@example.com")
    assert (words(row)["spf"], row["warning"]) == ("pass", "")


async def test_a_failing_name_server_makes_no_failure(installation: Installation, dns_server: DnsStandIn) -> None:
    for name in ("customer.test", "_dmarc.customer.test", "_dmarc.test"):
        dns_server.fail(name, "SERVFAIL")
    row = await check(installation, MAIL)
    assert (words(row)["spf"], words(row)["dmarc"], row["warning"]) == ("temperror", "temperror", "")


async def test_a_message_for_an_upstream_domain_is_judged_by_its_signature(
    installation: Installation, dns_server: DnsStandIn
) -> None:
    await installation.execute("UPDATE domains SET mx_managed = 'upstream'")
    dns_server.set("customer.test", "TXT", "v=spf1 -all")
    dns_server.set("_dmarc.customer.test", "TXT", "v=DMARC1; p=reject")
    row = await check(installation, MAIL)
    assert words(row) == {"spf": "none", "dkim": "none", "dmarc": "fail", "iprev": "none"}
    assert row["warning"] == ""


@pytest.mark.parametrize(
    ("relays", "reported"), [(["192.0.2.0/24"], ["fail"]), ([".customer.test"], ["fail"]), ([], [])]
)
async def test_only_a_trusted_relay_reports_results(
    store: Store, dns_server: DnsStandIn, relays: list[str], reported: list[str]
) -> None:
    dns_server.set(PEER, "PTR", "mail.customer.test.")
    dns_server.set("mail.customer.test", "A", PEER)
    settings = {"dns.nameservers": [dns_server.address], "checks.relays": relays, "checks.enabled": True}
    found = Installation(
        store, {**settings, "checks.trusted_authserv_ids": ["mx.relay.test"]}, real_time=True, wake="dispatcher"
    )
    await found.seed()
    row = await check(found, b"Authentication-Results: mx.relay.test; spf=fail smtp.mailfrom=a.test\r\n" + MAIL)
    assert [each["result"] for each in json.loads(str(row["relay_results"]))] == reported
    assert words(row)["spf"] == "none"
    assert json.loads(str(row["facts"])).get("is_relayed", False) is bool(relays)
    await found.close()


@pytest.mark.parametrize(("unique", "state", "flagged"), [("msg_1", "skipped", 0), ("msg_2", "done", 1)])
async def test_only_our_own_test_message_is_skipped(
    installation: Installation, unique: str, state: str, flagged: int
) -> None:
    message_id = new_test_message_id(installation.core.box, "msg_1", "mx1.host.test").replace("msg_1", unique)
    row = await check(installation, mails.mail(f"<{message_id}>", sender="postmaster@example.com"))
    assert (row["state"], row["flagged"]) == (state, flagged)


async def test_slow_dns_does_not_keep_rspamd_from_its_verdict(store: Store, dns_server: DnsStandIn) -> None:
    dns_server.fail("7.2.0.192.in-addr.arpa", "TIMEOUT")
    async with RspamdStandIn() as rspamd:
        settings = {
            "dns.nameservers": [dns_server.address],
            "checks.enabled": True,
            "checks.deadline": "2s",
            "checks.rspamd_timeout": "1s",
            "checks.rspamd_url": rspamd.base_url,
        }
        found = Installation(store, settings, real_time=True, wake="dispatcher")
        await found.seed()
        row = await check(found, mails.mail(sender="Ann <ann@customer.test>", body=GTUBE.decode()))
        assert (row["spam"], words(row)["iprev"]) == (1, "temperror")
        assert "Hostname" not in rspamd.posts[0].headers
        await found.close()


async def test_rspamd_is_asked_with_the_confirmed_host_name(store: Store, dns_server: DnsStandIn) -> None:
    dns_server.set(PEER, "PTR", "mail.customer.test.")
    dns_server.set("mail.customer.test", "A", PEER)
    async with RspamdStandIn() as rspamd:
        settings = {
            "dns.nameservers": [dns_server.address],
            "checks.enabled": True,
            "checks.rspamd_url": rspamd.base_url,
        }
        found = Installation(store, settings, real_time=True, wake="dispatcher")
        await found.seed()
        row = await check(found, mails.mail(sender="Ann <ann@customer.test>", body=GTUBE.decode()))
        assert row["spam"] == 1
        assert rspamd.posts[0].headers["Hostname"] == "mail.customer.test"
        assert rspamd.posts[0].headers["Rcpt"] == "<support@example.com>"
        await found.close()


@pytest.mark.parametrize(
    ("allowed", "blocked", "spam"),
    [
        ("", "@customer.test", 1),
        ("ann@customer.test", "@customer.test", 1),  # requires authentication
        ("192.0.2.0/24", "192.0.2.0/24", 0),
        ("", ".test", 1),
    ],
)
async def test_lists_of_senders_decide(installation: Installation, allowed: str, blocked: str, spam: int) -> None:
    await installation.services.blocked_senders.create(installation.actor, blocked, action="spam")
    if allowed:
        await installation.services.allowed_senders.create(installation.actor, allowed)
    row = await check(installation, MAIL)
    assert row["spam"] == spam


async def test_an_allowed_sender_that_is_authenticated_beats_a_block(
    installation: Installation, dns_server: DnsStandIn
) -> None:
    await installation.services.blocked_senders.create(installation.actor, "@customer.test", action="spam")
    await installation.services.allowed_senders.create(installation.actor, "ann@customer.test")
    dns_server.set("s1._domainkey.customer.test", "TXT", RECORD)
    assert (await check(installation, sign(MAIL)))["spam"] == 0


async def test_spf_without_a_dmarc_record_does_not_authenticate_an_allowed_sender(
    installation: Installation, dns_server: DnsStandIn
) -> None:
    dns_server.set("customer.test", "TXT", f"v=spf1 ip4:{PEER} -all")
    await installation.services.blocked_senders.create(installation.actor, "@customer.test", action="spam")
    await installation.services.allowed_senders.create(installation.actor, "ann@customer.test")
    assert (await check(installation, MAIL))["spam"] == 1


def _fail(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("a fault of ours")


@pytest.mark.parametrize("is_fault", [True, False])
@pytest.mark.parametrize(("sender", "expected"), [("ann@customer.test", (1, 0)), ("boss@example.com", (0, 1))])
async def test_without_results_the_block_list_and_the_own_domain_decide(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, sender: str, expected: tuple[int, int], is_fault: bool
) -> None:
    """A fault of ours, or a check that has ended its process several times."""
    if is_fault:
        monkeypatch.setattr("router.checks.authenticate.Authenticator.authenticate", _fail)
    else:
        monkeypatch.setattr("router.dispatch.check_runner.MAX_CLAIMS", 0)
    await installation.services.blocked_senders.create(installation.actor, "@customer.test", action="spam")
    row = await check(installation, mails.mail(sender=sender), reverse_path=sender)
    assert words(row) == dict.fromkeys(("spf", "dkim", "dmarc"), "temperror")
    assert (row["spam"], row["flagged"]) == expected


async def test_a_check_that_cannot_even_be_given_up_ends(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.checks.evaluate.read_headers", _fail)
    row = await check(installation, MAIL)
    assert (words(row)["dmarc"], row["spam"], row["flagged"]) == ("temperror", 0, 0)


async def test_a_check_that_finds_no_database_is_repeated(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def fail(*_: object) -> NoReturn:
        asked.set()
        raise Unavailable("a test")

    await installation.accept.accept(
        Envelope("ann@customer.test", (installation.target("support"),), PEER, "mail.customer.test", "ESMTP"), MAIL
    )
    monkeypatch.setattr("router.routing.routing_cache.RoutingCache.find_own_domain", fail)
    async with running(installation):
        await asyncio.wait_for(asked.wait(), 10)
    assert await installation.count_rows("message_checks") == 0
    assert await installation.count_rows("check_queue") == 1
