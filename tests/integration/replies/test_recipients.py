"""Whom a reply goes to, and whom it is refused to."""

from dataclasses import replace

import pytest

from router.admin.replies.reply_request import ReplyRequest
from tests.support import mails, seeds
from tests.support.installation import Installation
from tests.support.refusal import refused_code

REQUEST = ReplyRequest(text="Please try again.")
GROUP = (
    "To: support+vip@example.com, Bob <bob@customer.test>, BILLING@EXAMPLE.COM",
    "Cc: bob@CUSTOMER.test, no-reply@shop.test, sales@other.test, eve@office.test, ann@customer.test",
)


async def add_other_workspace(installation: Installation) -> None:
    """Adds another workspace with an alias and a domain with a catch-all."""
    other = await installation.add_workspace()
    for name, local_part in (("other.test", "sales"), ("office.test", "*")):
        domain_id = await seeds.insert_domain(installation.database, other.workspace_id, name)
        await seeds.insert_alias(installation.database, other.workspace_id, domain_id, local_part)


async def test_reply_all_leaves_out_this_installation_and_duplicates(sending: Installation) -> None:
    await add_other_workspace(sending)
    ticket_id = await sending.accept_ticket(
        mails.mail(extra=GROUP[1:]).replace(b"To: support@example.com", GROUP[0].encode())
    )
    agent = await sending.add_actor()
    alone = await sending.services.replies.create(agent, ticket_id, REQUEST)
    assert (alone.to, alone.cc) == (("ann@customer.test",), ())
    everybody = await sending.services.replies.create(agent, ticket_id, replace(REQUEST, reply_all=True))
    assert (everybody.to, everybody.cc) == (("ann@customer.test",), ("bob@customer.test",))
    defaults = await sending.services.replies.read_composer(agent, ticket_id)
    assert [mailbox.address for mailbox in defaults.reply_all_cc] == ["bob@customer.test"]


@pytest.mark.parametrize(
    ("extra", "sender", "expected", "warning"),
    [
        (("Reply-To: Desk <desk@customer.test>",), "ann@customer.test", "desk@customer.test", ""),
        (("Reply-To: desk@mail.customer.test",), "ann@customer.test", "desk@mail.customer.test", ""),
        (("Reply-To: desk@evil.test",), "ann@customer.test", "desk@evil.test", "another domain"),
        (("Reply-To: a@customer.test, b@customer.test",), "ann@customer.test", "ann@customer.test", ""),
        (("Reply-To: support@example.com",), "ann@customer.test", "ann@customer.test", ""),
        (("X-Original-From: ann@customer.test",), "support@example.com", "ann@customer.test", ""),
        ((), "noreply@shop.test", "noreply@shop.test", "probably does not read"),
    ],
)
async def test_the_default_recipient(
    sending: Installation, extra: tuple[str, ...], sender: str, expected: str, warning: str
) -> None:
    ticket_id = await sending.accept_ticket(mails.mail(sender=sender, extra=extra))
    defaults = await sending.services.replies.read_composer(await sending.add_actor(), ticket_id)
    assert [mailbox.address for mailbox in defaults.to] == [expected]
    assert warning in defaults.warning
    assert bool(warning) == bool(defaults.warning)


async def test_neither_strangers_nor_automatic_mail_are_answered_by_default(sending: Installation) -> None:
    agent = await sending.add_actor()
    ticket_id = await sending.accept_ticket(mails.mail())
    reference = ("In-Reply-To: <one@customer.test>",)
    await sending.accept_message(mails.mail("<auto@customer.test>", extra=(*reference, "Auto-Submitted: auto-replied")))
    stranger = await sending.accept_message(mails.mail("<two@customer.test>", extra=reference, body="Me too."))
    await sending.execute("UPDATE ticket_messages SET new_sender = 1 WHERE message_id = :id", id=stranger)
    await sending.execute("UPDATE messages SET from_address = 'eve@evil.test' WHERE id = :id", id=stranger)

    defaults = await sending.services.replies.read_composer(agent, ticket_id)
    assert [mailbox.address for mailbox in defaults.to] == ["ann@customer.test"]
    assert [mailbox.address for mailbox in defaults.new_senders] == ["eve@evil.test"]
    assert defaults.last_message_id == stranger
    reply = await sending.services.replies.create(agent, ticket_id, REQUEST)
    assert b"Me too." not in (await sending.contents.read_raw(reply.reply.message_id) or b"")
    chosen = await sending.services.replies.create(agent, ticket_id, replace(REQUEST, to=("Eve <eve@evil.test>",)))
    assert b"> Me too." in (await sending.contents.read_raw(chosen.reply.message_id) or b"")

    only_automatic = await sending.accept_ticket(mails.mail("<list@shop.test>", extra=("Precedence: bulk",)))
    assert (await sending.services.replies.create(agent, only_automatic, REQUEST)).to == ("ann@customer.test",)
    bounce = mails.mail("<bounce@shop.test>", sender="MAILER-DAEMON@shop.test", extra=("Auto-Submitted: auto-replied",))
    bounced = await sending.accept_message(bounce, reverse_path="")
    (row,) = await sending.execute("SELECT ticket_id FROM ticket_messages WHERE message_id = :id", id=bounced)
    await sending.execute("UPDATE messages SET automatic = 'bounce' WHERE id = :id", id=bounced)
    assert await refused_code(sending.services.replies.create(agent, str(row["ticket_id"]), REQUEST)) == (
        "no_recipient",
        "to",
    )


async def test_refused_recipients(sending: Installation) -> None:
    await add_other_workspace(sending)
    agent = await sending.add_actor()
    ticket_id = await sending.accept_ticket(mails.mail())
    create = sending.services.replies.create
    own = ("support@example.com", "Support+x@EXAMPLE.com", "sales@other.test", "anyone@office.test")
    malformed = (
        "ann",
        "postmaster",
        "ann@",
        "a b@customer.test",
        "Ann <ann@customer.test",
        "ann@customer.test\nBcc: x@y.test",
    )
    for address in (*own, *malformed):
        assert await refused_code(create(agent, ticket_id, replace(REQUEST, to=(address,)))) == (
            "invalid_recipient",
            "to",
        )
        refused = create(agent, ticket_id, replace(REQUEST, bcc=(address,)))
        assert await refused_code(refused) == ("invalid_recipient", "bcc")
    many = tuple(f"{n}@customer.test" for n in range(21))
    assert await refused_code(create(agent, ticket_id, replace(REQUEST, to=many))) == ("invalid_request", "to")
    assert await refused_code(create(agent, ticket_id, replace(REQUEST, to=()))) == ("no_recipient", "to")
    # A colleague at a domain whose mail is received elsewhere is no alias.
    await sending.execute("UPDATE domains SET mx_managed = 'upstream' WHERE name = 'example.com'")
    assert (await create(agent, ticket_id, replace(REQUEST, to=("boss@example.com",)))).to == ("boss@example.com",)


async def test_an_undeliverable_address_needs_force(sending: Installation) -> None:
    agent = await sending.add_actor()
    create = sending.services.replies.create
    ticket_id = await sending.accept_ticket(mails.mail())
    for _ in range(3):
        await create(agent, ticket_id, REQUEST)
    await sending.execute("UPDATE reply_recipients SET state = 'bounced', code = 450, at = :at", at=sending.clock.now())
    await create(agent, ticket_id, REQUEST)
    await sending.execute("UPDATE reply_recipients SET code = 550 WHERE state = 'bounced'")
    assert await refused_code(create(agent, ticket_id, REQUEST)) == ("invalid_recipient", "to")
    defaults = await sending.services.replies.read_composer(agent, ticket_id)
    assert defaults.undeliverable == ("ann@customer.test",)
    await create(agent, ticket_id, replace(REQUEST, force=True))
    sending.clock.advance(31 * 24 * 3600)
    await create(agent, ticket_id, REQUEST)
