"""Domain use cases. test_domain_checks.py tests DNS checks."""

from tests.support.dns import DnsStandIn
from tests.support.installation import HOST, Installation, seeded_installation
from tests.support.refusal import refused_code
from tests.support.stores import Store


async def test_the_workspace_with_the_txt_record_gets_the_domain(store: Store, dns_server: DnsStandIn) -> None:
    async with seeded_installation(store, {"dns.nameservers": [dns_server.address]}) as installation:
        ours, theirs = installation.actor, await installation.add_workspace()
        domains = installation.services.domains
        first, second = [(await domains.create(actor, "example.org")).domain for actor in (ours, theirs)]
        dns_server.set("example.org", "MX", f"10 {HOST}.")
        assert (await domains.verify(ours, first.id)).domain.status == "pending_verification"
        proofs = [f"emailrouter-verification={domain.token}" for domain in (first, second)]
        dns_server.set("_emailrouter.example.org", "TXT", *proofs)
        assert (await domains.verify(ours, first.id)).domain.status == "active"
        assert await refused_code(domains.verify(theirs, second.id)) == ("domain_taken", "domain")
        assert await refused_code(domains.create(theirs, "example.org")) == ("domain_taken", "domain")
        for step in (domains.get(theirs, first.id), domains.verify(theirs, first.id), domains.delete(theirs, first.id)):
            assert await refused_code(step) == ("not_found", None)


async def test_deleting_a_domain_with_aliases_requires_force_and_keeps_tickets(installation: Installation) -> None:
    actor, services = installation.actor, installation.services
    ticket_id = await installation.accept_ticket()
    assert await refused_code(services.domains.delete(actor, installation.domain_id)) == ("in_use", None)
    assert (await services.domains.get(actor, installation.domain_id)).alias_count == 2
    await services.domains.delete(actor, installation.domain_id, force=True)
    assert await refused_code(services.domains.get(actor, installation.domain_id)) == ("not_found", None)
    assert await refused_code(services.aliases.get(actor, installation.aliases["support"])) == ("not_found", None)
    assert (await installation.tickets.get(actor, ticket_id)).ticket.address == "support@example.com"


async def test_domain_names_are_normalized(installation: Installation) -> None:
    domains = installation.services.domains
    made = await domains.create(installation.actor, "BÜCHER.example")
    assert (made.domain.name, made.domain.status) == ("xn--bcher-kva.example", "pending_verification")
    again = domains.create(installation.actor, "xn--bcher-kva.example")
    assert await refused_code(again) == ("domain_taken", "domain")
    assert await refused_code(domains.create(installation.actor, "192.0.2.1")) == ("invalid_domain", "domain")
