"""The SMTP server asks the first questions about a sender when it accepts a recipient."""

from tests.support import mails
from tests.support.dns import DnsStandIn
from tests.support.installation import Installation
from tests.support.smtp import send_mail
from tests.support.stores import Store
from tests.support.waiting import wait_until

ASKED = {("customer.test", "TXT"), ("_dmarc.customer.test", "TXT"), ("1.0.0.127.in-addr.arpa", "PTR")}


async def test_a_recipient_starts_the_questions(store: Store, dns_server: DnsStandIn) -> None:
    settings = {"checks.enabled": True, "dns.nameservers": [dns_server.address]}
    found = Installation(store, settings, real_time=True)
    await found.seed()
    async with found.run_smtp():
        host, _, port = found.core.listening_smtp()[0].rpartition(":")
        for _ in range(2):
            await send_mail(host, int(port), "ann@customer.test", ["support@example.com"], mails.plain())
        await wait_until(lambda: set(dns_server.queries) >= ASKED, "the questions are asked")
    assert set(dns_server.queries) == ASKED
    assert len(dns_server.queries) == len(ASKED)
    await found.close()


async def test_a_refused_recipient_starts_none(store: Store, dns_server: DnsStandIn) -> None:
    settings = {"checks.enabled": True, "dns.nameservers": [dns_server.address]}
    found = Installation(store, settings, real_time=True)
    await found.seed()
    async with found.run_smtp():
        host, _, port = found.core.listening_smtp()[0].rpartition(":")
        await send_mail(host, int(port), "ann@customer.test", ["nobody@example.com"], mails.plain())
    assert dns_server.queries == []
    await found.close()
