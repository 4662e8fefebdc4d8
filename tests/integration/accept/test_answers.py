"""Answers to replies, as mail programs and servers rewrite them, through the real accept transaction."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from router.channels import CHANNELS
from router.dispatch.ticket_notification import NotificationPreview
from router.reply_tokens import anchor_id, new_mark, ticket_tag, ticket_token
from router.routing.route import Target
from tests.support import mails
from tests.support.installation import Installation, seeded_installation
from tests.support.replies import queue_reply
from tests.support.stores import Store

ANN, STRANGER = "ann@customer.test", "carla@elsewhere.test"
SES_ID = "0102018c1b2c3d4e-5a6b7c8d-1111-2222-3333-444455556666-000000"


@dataclass
class Conversation:
    """A ticket that Ann opened at `support`, with a reply, and the identities of the reply."""

    installation: Installation
    reply_id: str
    anchor: str
    token: str

    async def answer(
        self,
        from_: str = ANN,
        to: Target | str = "support",
        headers: dict[str, str] | None = None,
        reverse_path: str = "x@y.test",
    ) -> dict[str, object]:
        """Accepts a message; returns its row in `ticket_messages` with the number and the status of its ticket."""
        unique = {
            "From": from_,
            "Message-ID": mails.new_message_id(),
            "Subject": "Re: Hello",
            "To": "support@example.com",
        }
        lines = [f"{name}: {value}" for name, value in {**unique, **(headers or {})}.items()]
        content = "\r\n".join([*lines, "", "Thank you.", ""]).encode()
        message_id = await self.installation.accept_message(content, to, reverse_path=reverse_path)
        (row,) = await self.installation.execute(
            "SELECT t.number, t.status, tm.new_sender, tm.joined_by, m.automatic FROM ticket_messages tm "
            "JOIN tickets t ON t.id = tm.ticket_id JOIN messages m ON m.id = tm.message_id WHERE m.id = :id",
            id=message_id,
        )
        return row

    def tagged(self, alias: str = "support") -> Target:
        return self.installation.target(alias, tag=ticket_tag(self.token).upper())


@pytest.fixture
async def conversation(store: Store) -> AsyncIterator[Conversation]:
    async with seeded_installation(store) as installation:
        ticket_id = await installation.accept_ticket(mails.plain(from_=ANN))
        await queue_reply(installation, ticket_id, [ANN])
        (row,) = await installation.execute("SELECT rfc_message_id FROM messages WHERE direction = 'outbound'")
        await installation.execute("UPDATE tickets SET status = 'resolved'")
        await installation.execute(
            "INSERT INTO sent_message_ids (rfc_message_id, thread_key, ticket_id) VALUES (:id, :key, :ticket)",
            id=f"{SES_ID}@amazonses.com",
            key=installation.aliases["support"],
            ticket=ticket_id,
        )
        token = ticket_token(installation.core.box, installation.workspace_id, 1)
        yield Conversation(installation, str(row["rfc_message_id"]), anchor_id(token, "example.com"), token)


def rewritten(found: Conversation, how: str) -> dict[str, str]:
    return {
        "kept": {"In-Reply-To": f"<{found.reply_id}>", "References": f"<{found.anchor}> <{found.reply_id}>"},
        "only In-Reply-To": {"In-Reply-To": f"<{found.reply_id}>"},
        "upper case": {"In-Reply-To": f"<{found.reply_id.upper()}>"},
        "Message-ID replaced by SES": {
            "In-Reply-To": f"<{SES_ID.upper()}@eu-west-1.amazonses.com>",
            "References": f"<{SES_ID}@eu-west-1.amazonses.com>",
        },
        "anchor is left": {"In-Reply-To": "<a@b.test>", "References": f"<{found.anchor}> <a@b.test>"},
        "anchor in upper case": {"References": f"<{found.anchor.upper()}>"},
        "References of Apple Mail": {"In-Reply-To": "<new@b.test>", "References": f"<a@b.test> <{found.anchor}>"},
        "tag in the header only": {"Cc": f"Support <SUPPORT+{ticket_tag(found.token)}@example.com>"},
    }[how]


HOW = [
    "kept",
    "only In-Reply-To",
    "upper case",
    "Message-ID replaced by SES",
    "anchor is left",
    "anchor in upper case",
    "References of Apple Mail",
    "tag in the header only",
]


@pytest.mark.parametrize("how", HOW)
async def test_rewritten_answers_join(conversation: Conversation, how: str) -> None:
    found = await conversation.answer(headers=rewritten(conversation, how))
    assert (found["number"], found["status"], found["new_sender"]) == (1, "open", 0)


@pytest.mark.parametrize("how", HOW)
async def test_a_stranger_joins_and_is_marked(conversation: Conversation, how: str) -> None:
    found = await conversation.answer(STRANGER, headers=rewritten(conversation, how))
    assert (found["number"], found["status"], found["new_sender"]) == (1, "open", 1)
    assert await conversation.installation.count_rows("ticket_participants", f"address = '{STRANGER}'") == 0


async def test_the_post_and_the_ticket_tell_of_a_stranger(conversation: Conversation) -> None:
    await conversation.answer(STRANGER, headers=rewritten(conversation, "kept"))
    installation = conversation.installation
    (ticket,) = await installation.all_rows("tickets")
    preview = NotificationPreview(installation.database, installation.contents, CHANNELS, link_base=None)
    payloads = await preview.render_payloads(installation.actor, str(ticket["id"]), "slack")
    assert "took no part" not in str(payloads[0])
    assert "took no part" in str(payloads[-1])
    view = await installation.tickets.get(installation.actor, str(ticket["id"]))
    assert [message.is_new_sender for message in view.messages] == [False, False, True]


async def test_the_tag_of_the_recipient(conversation: Conversation) -> None:
    found = await conversation.answer(STRANGER, conversation.tagged())
    assert (found["number"], found["status"], found["new_sender"]) == (1, "open", 1)
    assert (await conversation.answer(ANN, conversation.tagged()))["new_sender"] == 0


async def test_an_alias_whose_name_contains_a_plus(conversation: Conversation) -> None:
    installation = conversation.installation
    alias = await installation.add_alias("support+eu")
    await installation.accept_message(mails.plain(from_=ANN), await installation.resolve("support+eu@example.com"))
    tag = ticket_tag(ticket_token(installation.core.box, installation.workspace_id, 2))
    for local_part in (f"support+eu+{tag}", f"SUPPORT+EU+{tag.upper()}"):
        target = await installation.resolve(f"{local_part}@example.com")
        assert target.alias_id == alias.alias_id
        assert (await conversation.answer(STRANGER, target))["number"] == 2


async def test_identities_count_at_their_alias_only(conversation: Conversation) -> None:
    found = await conversation.answer(to=conversation.tagged("billing"), headers=rewritten(conversation, "kept"))
    assert found["number"] == 2


async def test_identities_that_are_not_ours(conversation: Conversation) -> None:
    forged = "a" * 26
    for headers in (
        {"In-Reply-To": f"<er.{forged}@example.com>"},
        {"References": f"<er.t.{forged}@example.com>"},
        {"Cc": f"support+t-{forged}@example.com"},
        {"In-Reply-To": "<0102018c1b2c3d4e-5a6b7c8d-9999-000000@eu-west-1.amazonses.com>"},
    ):
        assert int(str((await conversation.answer(STRANGER, headers=headers))["number"])) > 1
    tagged = conversation.installation.target("support", tag=ticket_tag(forged))
    assert int(str((await conversation.answer(STRANGER, tagged))["number"])) > 1


async def test_a_copied_message_id_is_not_ours(conversation: Conversation) -> None:
    """A stranger sends the Message-ID of a reply as their own, at another ticket."""
    copied = f"<er.{'b' * 26}@example.com>"
    content = mails.plain(from_=STRANGER, message_id=copied)
    await conversation.installation.accept_message(content, "support")
    assert (await conversation.answer("dora@other.test", headers={"In-Reply-To": copied}))["number"] == 3


async def test_mail_that_is_our_own_reopens_nothing(conversation: Conversation) -> None:
    """A reply or an acknowledgement that another alias, or a forwarding rule, sends back to us."""
    box = conversation.installation.core.box
    headers = rewritten(conversation, "kept")
    returned = await conversation.answer(
        "support@example.com", headers={**headers, "X-EmailRouter-Mark": new_mark(box)}
    )
    assert (returned["automatic"], returned["status"]) == ("loop", "resolved")
    other = {**headers, "X-EmailRouter-Mark": "c" * 26}  # of another installation
    found = await conversation.answer(headers=other)
    assert (found["automatic"], found["status"]) == ("", "open")


async def test_a_loop_between_two_aliases_ends(conversation: Conversation) -> None:
    """Each alias forwards to the other one, which answers every message that may be answered."""
    installation = conversation.installation
    headers = {"X-EmailRouter-Mark": new_mark(installation.core.box), "Auto-Submitted": "auto-replied"}
    for n in range(4):
        sender, receiver = ("support", "billing") if n % 2 == 0 else ("billing", "support")
        found = await conversation.answer(f"{sender}@example.com", receiver, headers, reverse_path="")
        assert found["automatic"] == "loop"  # which is never answered
