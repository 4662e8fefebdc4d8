"""The lists of a workspace's settings can be searched by a part of a name or address and filtered by state."""

from collections.abc import Callable
from typing import Any

from router.clock import SECOND
from router.filters import AliasFilter, DomainFilter, IntegrationFilter, KeyFilter, TextFilter, UserFilter
from tests.support.installation import Installation


async def found(service: Any, installation: Installation, wanted: TextFilter, name: Callable[[Any], str]) -> list[str]:
    """Returns the names on all pages of a list, sorted."""
    names: list[str] = []
    cursor = None
    while True:
        page = await service.list(installation.actor, wanted, limit=2, cursor=cursor)
        names += map(name, page.items)
        cursor = page.next_cursor
        if cursor is None:
            return sorted(names)


async def test_users(installation: Installation) -> None:
    users = installation.services.users
    actor = installation.actor
    for user in (await users.list(actor)).items:
        assert await found(users, installation, UserFilter(q=user.email[2:9].upper()), lambda each: each.email)
    for email, name in (("zoe@acme.test", "Zoë Ünal"), ("z_e@acme.test", "100 % Zed"), ("ao@acme.test", "青木 あお")):
        await users.invite(actor, email=email, name=name, role="viewer")
    off = await users.create(actor, email="off@acme.test", role="viewer", password="a long password")
    await users.change(actor, off.id, disabled=True)

    async def search(**wanted: str) -> list[str]:
        return await found(users, installation, UserFilter(**wanted), lambda user: user.email)

    assert await search(q="acme", role="viewer") == [
        "ao@acme.test", "off@acme.test", "z_e@acme.test", "zoe@acme.test"
    ]  # fmt: skip
    assert await search(q=" ZOE@ACME ") == ["zoe@acme.test"], "in upper or lower case"
    assert await search(q="ünal") == ["zoe@acme.test"], "also a letter outside ASCII"
    assert await search(q="青木") == ["ao@acme.test"]
    assert await search(q="青山") == []
    assert await search(q="z_e") == ["z_e@acme.test"], "a wildcard of LIKE is an ordinary character"
    assert await search(q="0 %") == ["z_e@acme.test"]
    assert await search(q="\\") == []
    assert await search(status="invited") == ["ao@acme.test", "z_e@acme.test", "zoe@acme.test"]
    assert await search(status="disabled") == ["off@acme.test"]
    assert "off@acme.test" not in await search(status="active")
    assert await search(role="agent", q="acme") == []


async def test_domains_aliases_and_integrations(installation: Installation) -> None:
    services, actor = installation.services, installation.actor
    domain = (await services.domains.create(actor, "Help.Acme.example")).domain
    other = await installation.add_integration()
    await services.integrations.change(actor, other, name="Billing team")
    alias = await services.aliases.create(
        actor, domain_id=domain.id, local_part="Sales", integration_id=other, forwarded_from="info@old.test"
    )
    off = await services.aliases.create(actor, domain_id=domain.id, local_part="*", integration_id=other)
    await services.aliases.change(actor, off.id, status="disabled")

    async def aliases(**wanted: str) -> list[str]:
        return await found(services.aliases, installation, AliasFilter(**wanted), lambda each: each.email)

    assert await aliases(q="sales@help") == await aliases(q="OLD.test") == [alias.email]
    assert await aliases(domain_id=domain.id) == await aliases(integration_id=other) == sorted([alias.email, off.email])
    assert await aliases(domain_id=domain.id, status="disabled") == [off.email]
    assert await aliases(domain_id=domain.id, integration_id=installation.integration_id) == []
    found_domains = [
        await found(services.domains, installation, wanted, lambda each: each.name)
        for wanted in (DomainFilter(q="ACME"), DomainFilter(status="pending_verification"), DomainFilter(q="nothing"))
    ]
    assert found_domains == [["help.acme.example"], ["help.acme.example"], []]

    async def integrations(**wanted: str) -> list[str]:
        return await found(services.integrations, installation, IntegrationFilter(**wanted), lambda each: each.id)

    assert await integrations(q="billing") == [other]
    assert await integrations(type="slack") == sorted([installation.integration_id, other])
    assert await integrations(type="discord") == await integrations(status="failing") == []


async def test_keys_tags_and_blocked_senders(installation: Installation) -> None:
    services, actor = installation.services, installation.actor
    owner = await services.users.create(actor, email="owner@acme.test", role="admin")
    now = services.clock.now()
    for name, expires_at in (("Import", None), ("Report", now + 60 * SECOND), ("Backup", now + 7200 * SECOND)):
        new = await services.keys.create(actor, name=name, user_id=owner.id, expires_at=expires_at)
    await services.keys.revoke(actor, new.key.id)
    installation.clock.advance(seconds=60)

    async def keys(**wanted: str) -> list[str]:
        return await found(services.keys, installation, KeyFilter(**wanted), lambda each: each.name)

    assert [await keys(status=status) for status in ("active", "expired", "revoked")] == [
        ["Import"], ["Report"], ["Backup"]
    ]  # fmt: skip
    assert await keys(q="PORT") == ["Import", "Report"]
    for name in ("Billing", "Bill paid", "VIP"):
        await services.tickets.tags.create(actor, name)
    for sender in ("@spam.example", "ann@spam.example", "192.0.2.0/24"):
        await services.blocked_senders.create(actor, sender)
    tags = await found(services.tickets.tags, installation, TextFilter("bill"), lambda each: each.tag.name)
    senders = await found(services.blocked_senders, installation, TextFilter("Spam.Ex"), lambda each: each.sender)
    assert (tags, senders) == (["Bill paid", "Billing"], ["@spam.example", "ann@spam.example"])
