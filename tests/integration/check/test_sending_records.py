"""`emailrouter check` reports the records that authenticate the mail of domains."""

from emailrouter.check import sending_records
from emailrouter.check.check_context import CheckContext
from router.dns.resolver import DnsResolver
from tests.support.dns import DnsStandIn
from tests.support.installation import HOST, seeded_installation
from tests.support.installation.checked import assert_line
from tests.support.stores import Store


async def test_records_of_domains_that_send(store: Store, dns_server: DnsStandIn) -> None:
    dns_server.set("example.com", "MX", f"10 {HOST}.")
    async with seeded_installation(store, {"dns.nameservers": [dns_server.address]}) as installation:
        resolver = DnsResolver([("127.0.0.1", dns_server.port)])
        context = CheckContext(installation.core.config, resolver, installation.clock, installation.database)
        assert await sending_records.sending(context) == []
        view = await installation.services.sending.set_enabled(installation.actor, installation.domain_id, True)
        lines = await sending_records.sending(context)
        assert [line.status for line in lines] == ["warn", "warn", "warn"]
        assert_line(lines, "warn", "DKIM record er203001._domainkey.example.com is missing", "has no TXT record")
        for record in view.sending_records:
            dns_server.set(record.name, "TXT", *(record.expected or ("v=spf1 mx -all",)))
        await installation.services.domains.verify(installation.actor, installation.domain_id)
        assert_line(await sending_records.sending(context), "ok", "DKIM, SPF and DMARC records are correct", "")
        dns_server.set("er203001._domainkey.example.com", "TXT", "v=DKIM1; p=")
        assert_line(await sending_records.sending(context), "fail", "is wrong", "revokes the key")
