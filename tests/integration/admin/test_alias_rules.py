"""Alias use cases, and their immediate effect on routing in the same process."""

from router.channels import CHANNELS
from router.dispatch.ticket_notification import NotificationPreview
from router.errors import ErrorCode
from router.filters import AliasFilter
from router.mail.address import parse_mailbox
from router.model import Alias
from router.routing.route import Refusal, Target
from tests.support.installation import Installation, seeded_installation
from tests.support.refusal import refused_code, refused_message
from tests.support.stores import Store

TAKEN: tuple[ErrorCode, str] = ("alias_taken", "localPart")


async def create(installation: Installation, local_part: str, domain_id: str = "") -> Alias:
    return await installation.services.aliases.create(
        installation.actor,
        domain_id=domain_id or installation.domain_id,
        local_part=local_part,
        integration_id=installation.integration_id,
    )


async def test_changes_of_an_alias_take_effect_immediately(installation: Installation) -> None:
    actor, aliases, directory = installation.actor, installation.services.aliases, installation.core.routing_cache
    mailbox = parse_mailbox("sales@example.com")
    assert await directory.resolve(mailbox) == Refusal("unknown")
    made = await create(installation, "Sales")
    assert (made.email, made.local_part, made.status) == ("Sales@example.com", "Sales", "active")
    assert (made.domain_id, made.integration_id) == (installation.domain_id, installation.integration_id)
    assert made.created_at == installation.clock.now()
    assert isinstance(await directory.resolve(mailbox), Target)
    assert (await aliases.change(actor, made.id, status="disabled")).status == "disabled"
    assert await directory.resolve(mailbox) == Refusal("disabled")
    other = await installation.add_integration("other")
    moved = await aliases.change(actor, made.id, integration_id=other, status="active")
    assert (moved.integration_id, moved.status) == (other, "active")
    assert await aliases.get(actor, made.id) == moved
    assert (await installation.resolve("sales@example.com")).integration_id == other
    await aliases.delete(actor, made.id)
    assert await directory.resolve(mailbox) == Refusal("unknown")
    assert await refused_code(aliases.delete(actor, made.id)) == ("not_found", None)


async def test_aliases_are_listed_by_domain_in_pages(installation: Installation) -> None:
    actor, aliases = installation.actor, installation.services.aliases
    for local_part in ("support", "billing"):
        await aliases.delete(actor, installation.aliases[local_part])
    domain_id = installation.domain_id
    other = (await installation.services.domains.create(actor, "example.net")).domain.id
    for local_part, where in (("one", domain_id), ("two", domain_id), ("three", other), ("four", domain_id)):
        await create(installation, local_part, where)
    await create(installation, "*")
    all_of_them = await aliases.list(actor)
    assert [alias.local_part for alias in all_of_them.items] == ["*", "four", "three", "two", "one"]
    assert all_of_them.next_cursor is None
    first = await aliases.list(actor, AliasFilter(domain_id=domain_id), limit=2)
    assert [alias.local_part for alias in first.items] == ["*", "four"]
    rest = await aliases.list(actor, AliasFilter(domain_id=domain_id), limit=2, cursor=first.next_cursor)
    assert [alias.local_part for alias in rest.items] == ["two", "one"]
    assert rest.next_cursor is None
    assert await refused_code(aliases.list(actor, AliasFilter(domain_id="dom_nonsense"))) == ("not_found", "domainId")


async def test_an_address_has_one_alias(installation: Installation) -> None:
    for same in ("support", "SUPPORT", '"support"', " support "):
        assert await refused_code(create(installation, same)) == TAKEN
    assert await refused_code(create(installation, "a b")) == ("invalid_alias", "localPart")


async def test_the_domain_and_integration_must_belong_to_the_workspace(installation: Installation) -> None:
    aliases, alias_id = installation.services.aliases, installation.aliases["support"]
    stranger = await installation.add_workspace()
    foreign = await installation.services.integrations.create(
        stranger, type="slack", name="Theirs", settings={"webhookUrl": "http://127.0.0.1:9/services/T0/B0/x"}
    )
    foreign_domain = (await installation.services.domains.create(stranger, "example.net")).domain.id
    no_integration = ("invalid_integration", "integrationId")
    asked = aliases.create(
        installation.actor, domain_id=installation.domain_id, local_part="a", integration_id=foreign.id
    )
    assert await refused_code(asked) == no_integration
    assert await refused_code(aliases.change(installation.actor, alias_id, integration_id=foreign.id)) == no_integration
    for missing in (foreign_domain, "dom_" + "0" * 26, "nonsense"):
        assert await refused_code(create(installation, "a", missing)) == ("not_found", "domainId")
    for step in (
        aliases.get(stranger, alias_id),
        aliases.change(stranger, alias_id, status="disabled"),
        aliases.delete(stranger, alias_id),
        aliases.test(stranger, alias_id),
    ):
        assert await refused_code(step) == ("not_found", None)


async def test_a_test_message_goes_through_the_smtp_server(installation: Installation) -> None:
    actor, aliases, alias_id = installation.actor, installation.services.aliases, installation.aliases["support"]
    async with installation.run_smtp():
        sent = await aliases.test(actor, alias_id)
        catch_all = await aliases.test(actor, (await create(installation, "*")).id)
        quoted = await aliases.test(actor, (await create(installation, "größe")).id)
        await aliases.change(actor, alias_id, status="disabled")
        assert await refused_code(aliases.test(actor, alias_id)) == ("conflict", None)
        await aliases.change(actor, alias_id, status="active")
        await installation.services.blocked_senders.create(actor, "@mx1.host.test")
        refused = await refused_message(aliases.test(actor, alias_id))
    assert "did not accept the test message to support@example.com: it replied 550 5.7.1" in refused
    view = await installation.tickets.get(actor, sent.ticket_id or "")
    assert view.ticket.subject == "Test of support@example.com"
    assert [message.message.id for message in view.messages] == [sent.message_id]
    assert [message.message.protocol for message in view.messages] == ["ESMTP"]
    assert [delivery.integration_id for delivery in view.deliveries] == [installation.integration_id]
    assert installation.recording_wake.integration_ids[0] == installation.integration_id
    assert None not in (catch_all.ticket_id, quoted.ticket_id)
    preview = NotificationPreview(installation.database, installation.contents, CHANNELS, link_base=None)
    (payload,) = await preview.render_payloads(actor, sent.ticket_id or "", "slack")
    assert payload["text"].startswith("Test: ")
    installation.core.listening_smtp = lambda: ["127.0.0.1:9"]
    unreachable = await refused_message(aliases.test(actor, alias_id))
    assert "cannot be reached (127.0.0.1:9: " in unreachable
    assert "correct [smtp] listen" in unreachable


async def test_a_test_message_to_a_listener_behind_a_proxy(store: Store) -> None:
    settings = {"smtp.proxy_protocol": True, "smtp.trusted_networks": ["127.0.0.0/8"]}
    async with seeded_installation(store, settings) as installation, installation.run_smtp():
        sent = await installation.services.aliases.test(installation.actor, installation.aliases["support"])
    assert sent.ticket_id is not None
