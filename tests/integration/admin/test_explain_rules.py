"""Explanations of routing decisions."""

from tests.support.installation import Installation
from tests.support.refusal import refused_code
from tests.support.stores import Store


async def reply(installation: Installation, recipient: str, sender: str | None = None) -> str:
    found = await installation.services.explanations.explain(installation.actor, recipient, sender=sender)
    assert found.accepted == found.reply.startswith("250")
    return found.reply[:9]


async def test_an_accepted_recipient(installation: Installation) -> None:
    actor, explain = installation.actor, installation.services.explanations
    found = await explain.explain(actor, "Support+vip@example.com", sender="ada@customer.test", subject="Hello")
    assert found.accepted
    assert found.reply.startswith("250")
    assert (found.domain_id, found.alias_id) == (installation.domain_id, installation.aliases["support"])
    assert (found.integration_id, found.tag) == (installation.integration_id, "vip")
    assert [step.step for step in found.steps] == ["domain", "sender", "alias", "alias", "integration"]
    assert "Hello" in str(found.preview)
    assert (await installation.tickets.list(actor)).items == ()
    assert (await explain.explain(actor, "postmaster@example.com")).accepted


async def test_rejected_recipients(installation: Installation) -> None:
    actor, services = installation.actor, installation.services
    sender = "ada@customer.test"
    assert await reply(installation, "nobody@example.com") == "550 5.1.1"
    assert await reply(installation, "support@elsewhere.test") == "550 5.7.1"
    await services.blocked_senders.create(actor, "@customer.test")
    assert await reply(installation, "support@example.com", sender) == "550 5.7.1"
    blocked = await services.explanations.explain(actor, "support@example.com", sender=sender)
    assert [(step.step, step.ok) for step in blocked.steps] == [("domain", True), ("sender", False)]
    unknown = await reply(installation, "nobody@example.com", sender)
    assert unknown == "550 5.1.1", "as at RCPT: a blocked sender is rejected for an existing alias"
    await services.aliases.change(actor, installation.aliases["support"], status="disabled")
    assert await reply(installation, "support@example.com") == "550 5.2.1"
    other = await services.explanations.explain(await installation.add_workspace(), "support@example.com")
    assert other.reply.startswith("550 5.7.1")


async def test_allowed_and_blocked_senders(store: Store) -> None:
    installation = Installation(store, {"checks.enabled": True})
    await installation.seed(aliases=["support"])
    actor, services = installation.actor, installation.services
    await services.blocked_senders.create(actor, "@customer.test", action="spam")
    await services.blocked_senders.create(actor, ".test")
    await services.allowed_senders.create(actor, "ada@customer.test")
    for sender, accepted, detail in (
        ("eve@spam.test", False, "eve@spam.test is blocked by .test"),
        ("eve@customer.test", True, "blocked by @customer.test; the message is accepted and counts as spam"),
        ("ada@customer.test", True, "allowed by ada@customer.test, which takes precedence over the blocked sender @c"),
    ):
        found = await services.explanations.explain(actor, "support@example.com", sender=sender)
        assert (found.accepted, detail in found.steps[1].detail) == (accepted, True), found.steps[1]
        assert found.steps[1].ok == (sender == "ada@customer.test")


async def test_invalid_addresses(installation: Installation) -> None:
    explain, actor = installation.services.explanations, installation.actor
    assert await refused_code(explain.explain(actor, "no address")) == ("invalid_request", "recipient")
    for sender in ("x", ""):
        assert await refused_code(explain.explain(actor, "a@b.c", sender=sender)) == ("invalid_request", "from")
