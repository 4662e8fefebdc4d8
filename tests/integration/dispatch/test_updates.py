"""A message that shows the state of a ticket is updated with it: no change is lost, and many changes cost one edit."""

import pytest

from router.channels.contract import SendFailure, SendRetry, SendSuccess
from router.enumerations import TICKET_PRIORITY
from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.discord import DiscordStandIn
from tests.support.manual_delivery import (
    FIRST,
    OPEN,
    REPLY,
    ManualDelivery,
    only_state,
    open_posting,
    open_ticket,
    set_status,
    shown_state,
)
from tests.support.slack import SlackStandIn
from tests.support.stores import Store

# --- the usual course


async def test_the_first_message_shows_the_state(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    assert only_state(posting) == OPEN
    (post,) = await posting.rows("posts")
    assert (post["ticket_id"], post["integration_id"]) == (ticket_id, posting.installation.integration_id)
    assert await posting.updates() == []


async def test_a_change_updates_the_message(posting: ManualDelivery) -> None:
    installation = posting.installation
    ticket_id = await open_ticket(posting)
    agent = await installation.add_actor()
    await installation.services.users.change(installation.actor, agent.user_id or "", name="Bo *Berg*")
    await installation.tickets.claim(agent, ticket_id)
    (update,) = await posting.updates()
    assert update["via"] == ""
    await posting.deliver()
    assert only_state(posting) == {"Status": "In progress", "Assignee": "Bo \\*Berg\\*"}
    (update,) = await posting.updates("delivered")
    assert (update["via"], update["attempts"]) == ("update", 1)
    await installation.services.users.delete(installation.actor, agent.user_id or "")
    await posting.deliver()
    assert only_state(posting)["Assignee"] == "Unassigned"


async def test_a_priority_is_shown_unless_it_is_normal(posting: ManualDelivery) -> None:
    installation = posting.installation
    ticket_id = await open_ticket(posting)
    for priority, shown in (("urgent", OPEN | {"Priority": "Urgent"}), ("normal", OPEN)):
        await installation.tickets.set_choice(installation.actor, ticket_id, TICKET_PRIORITY, priority)
        await posting.deliver()
        assert only_state(posting) == shown


async def test_tags_are_shown(posting: ManualDelivery) -> None:
    installation = posting.installation
    ticket_id = await open_ticket(posting)
    tags = installation.tickets.tags
    await tags.tag_ticket(installation.actor, ticket_id, add=["VIP", "a_b", "Refund", "x, y"])
    await posting.deliver()
    assert only_state(posting) == OPEN | {"Tags": 'a\\_b, Refund, VIP, "x, y"'}
    await tags.tag_ticket(installation.actor, ticket_id, remove=["vip", "X, Y"])
    tag = await tags.find(installation.actor, "a_b")
    await tags.delete(installation.actor, tag.tag.id)
    await posting.deliver()
    assert only_state(posting) == OPEN | {"Tags": "Refund"}
    assert posting.requests("PATCH") == 2


async def test_a_renamed_tag_is_shown(posting: ManualDelivery) -> None:
    installation = posting.installation
    ticket_id = await open_ticket(posting)
    tags = installation.tickets.tags
    await tags.tag_ticket(installation.actor, ticket_id, add=["VIP", "Refund"])
    await posting.deliver()
    vip = (await tags.find(installation.actor, "vip")).tag
    await tags.change(installation.actor, vip.id, name="Gold")
    await posting.deliver()
    assert only_state(posting) == OPEN | {"Tags": "Gold, Refund"}
    await tags.change(installation.actor, vip.id, name="Refund")
    await posting.deliver()
    assert only_state(posting) == OPEN | {"Tags": "Refund"}
    await tags.change(installation.actor, (await tags.find(installation.actor, "refund")).tag.id, color="#112233")
    assert await posting.updates() == []


async def test_ten_changes_cost_one_edit(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, *(["waiting", "in_progress", "resolved", "open", "in_progress"] * 2))
    assert len(await posting.updates()) == 1
    await posting.deliver()
    assert (posting.requests("POST"), posting.requests("PATCH")) == (1, 1)
    assert only_state(posting)["Status"] == "In progress"


async def test_an_update_without_a_difference_sends_nothing(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting", "open")
    assert await posting.deliver() == []
    assert posting.requests("PATCH") == 0
    assert await posting.updates() == await posting.updates("delivered") == []


async def test_a_note_needs_no_update(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    await posting.installation.tickets.notes.add(posting.installation.actor, ticket_id, "Internal")
    assert await posting.updates() == []


async def test_a_reply_shows_no_state_and_reopens_the_post(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "resolved")
    await posting.deliver()
    await posting.installation.accept_message(mails.reply_to(FIRST, message_id=REPLY))
    assert len(await posting.updates()) == 1
    await posting.deliver()
    first, second = posting.discord.messages.values()
    assert (shown_state(first), shown_state(second)) == (OPEN, {})
    assert "New reply" in second.body["content"]


async def test_a_channel_that_cannot_update_has_no_posts(store: Store) -> None:
    async with open_posting(store, SlackStandIn()) as posting:
        ticket_id = await open_ticket(posting)
        await set_status(posting, ticket_id, "resolved")
        assert await posting.rows("posts") == []
        assert await posting.updates() == []
        assert await posting.deliver() == []


# --- failures


async def test_a_deleted_message_ends_its_updates(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    posting.discord.messages.clear()
    await set_status(posting, ticket_id, "waiting")
    (outcome,) = await posting.deliver()
    assert isinstance(outcome, SendFailure)
    assert outcome.kind == "gone"
    assert await posting.rows("posts") == []
    assert {row["event"] for row in await posting.rows("deliveries")} == {"opened"}
    (integration,) = await posting.rows("integrations")
    assert (integration["status"], integration["last_error"]) == ("active", "")
    await set_status(posting, ticket_id, "resolved")
    assert await posting.updates() == []
    await posting.installation.accept_message(mails.reply_to(FIRST))
    await posting.deliver()
    assert only_state(posting) == OPEN  # the next message is the new post


async def test_an_update_that_was_queued_during_the_deletion_of_its_integration_is_deleted(
    posting: ManualDelivery,
) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    await posting.installation.execute("UPDATE aliases SET integration_id = NULL")
    await posting.installation.execute("DELETE FROM integrations")
    await posting.outbox.repair()
    assert {row["event"] for row in await posting.rows("deliveries")} == {"opened"}


async def test_a_failing_edit_never_stops_new_messages(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    (message_id,) = posting.discord.messages
    path = f"{posting.discord.path()}/messages/{message_id}"
    posting.discord.script(
        path,
        FixedResponse(401, '{"code": 50027}'),
        FixedResponse(403, '{"code": 50013}'),
        FixedResponse(500, ""),
        FixedResponse(429, '{"retry_after": 100.5}'),
    )
    await set_status(posting, ticket_id, "waiting")
    kinds: list[type] = []
    for _ in range(4):
        kinds += [type(outcome) for outcome in await posting.deliver()]
        posting.installation.clock.advance(13 * 3600)
    assert kinds == [SendFailure, SendFailure, SendRetry, SendRetry]
    (integration,) = await posting.rows("integrations")
    assert (integration["status"], integration["last_error"]) == ("active", "")
    await posting.deliver()
    assert only_state(posting)["Status"] == "Waiting"


async def test_an_update_expires_and_the_next_change_revives_it(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    (message_id,) = posting.discord.messages
    path = f"{posting.discord.path()}/messages/{message_id}"
    posting.discord.default(path, FixedResponse(500, ""))
    await set_status(posting, ticket_id, "waiting")
    posting.installation.clock.advance(days=4)
    await posting.deliver()
    (dead,) = await posting.updates("dead")
    assert "failed permanently" in str(dead["last_error"])
    posting.discord.default(path, None)
    await set_status(posting, ticket_id, "resolved")
    (revived,) = await posting.updates()
    assert revived["id"] == dead["id"]
    await posting.deliver()
    assert only_state(posting)["Status"] == "Resolved"


async def test_a_failed_update_can_be_replayed(posting: ManualDelivery) -> None:
    installation = posting.installation
    ticket_id = await open_ticket(posting)
    (message_id,) = posting.discord.messages
    posting.discord.script(f"{posting.discord.path()}/messages/{message_id}", FixedResponse(400, '{"code": 200000}'))
    await set_status(posting, ticket_id, "waiting")
    await posting.deliver()
    (dead,) = await posting.updates("dead")
    assert await installation.services.deliveries.replay_many(installation.actor) == 1
    await posting.deliver()
    assert only_state(posting)["Status"] == "Waiting"
    view = await installation.services.deliveries.get(installation.actor, str(dead["id"]))
    assert (view.delivery.event, view.delivery.state, view.delivery.via) == ("updated", "delivered", "update")


async def test_a_rejected_format_is_updated_as_plain_text(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    (message_id,) = posting.discord.messages
    posting.discord.script(f"{posting.discord.path()}/messages/{message_id}", FixedResponse(400, '{"code": 50035}'))
    await set_status(posting, ticket_id, "waiting")
    await posting.deliver()
    (message,) = posting.discord.messages.values()
    assert "**Status** Waiting" in message.body["content"]
    assert (message.body["flags"], message.body["embeds"]) == (4, [])
    await set_status(posting, ticket_id, "resolved")
    await posting.deliver()
    assert (only_state(posting)["Status"], message.body["flags"]) == ("Resolved", 0)


async def test_updates_of_a_failing_integration_wait_for_a_message_that_tests_it(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    posting.discord.remove_webhook("general")
    await posting.installation.accept_message(mails.plain(subject="Second"))
    await posting.deliver()
    await set_status(posting, ticket_id, "waiting")
    (update,) = await posting.updates()
    assert (update["next_attempt_at"], update["parked_at"] is None) == (None, False)
    posting.discord.restore_webhook("general")
    posting.installation.clock.advance(3600)
    (probe, edit) = await posting.deliver()
    assert isinstance(probe, SendSuccess)
    assert isinstance(edit, SendSuccess)
    assert [post.method for post in posting.service.posts][-2:] == ["POST", "PATCH"]
    assert shown_state(next(iter(posting.discord.messages.values())))["Status"] == "Waiting"


async def test_after_a_crash_the_edit_is_repeated(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    await posting.send(await posting.claim_batch())  # the process is killed before it records the outcome
    posting.installation.clock.advance(3600)
    await posting.deliver()
    assert posting.requests("PATCH") == 2
    assert only_state(posting)["Status"] == "Waiting"


async def test_after_a_crash_the_repeated_message_is_the_post(posting: ManualDelivery) -> None:
    ticket_id = await posting.installation.accept_ticket()
    await posting.send(await posting.claim_batch())
    posting.installation.clock.advance(3600)
    await posting.deliver()
    await set_status(posting, ticket_id, "waiting")
    await posting.deliver()
    states = [shown_state(message)["Status"] for message in posting.discord.messages.values()]
    assert states == ["Open", "Waiting"]


# --- threads


async def test_replies_and_updates_of_a_forum_stay_in_the_thread_of_the_ticket(store: Store) -> None:
    async with open_posting(store, DiscordStandIn(is_forum=True)) as posting:
        ticket_id = await open_ticket(posting)
        await posting.installation.accept_message(mails.reply_to(FIRST, message_id=REPLY))
        await posting.deliver()
        await set_status(posting, ticket_id, "waiting")
        await posting.deliver()
        (thread_id,) = posting.discord.threads
        first, second = posting.discord.messages.values()
        assert (first.channel_id, second.channel_id) == (thread_id, thread_id)
        assert (shown_state(first)["Status"], shown_state(second)) == ("Waiting", {})


@pytest.mark.parametrize("attribute", ["is_deleted", "is_locked"])
async def test_replies_follow_the_thread_that_replaces_one(store: Store, attribute: str) -> None:
    async with open_posting(store, DiscordStandIn(is_forum=True)) as posting:
        ticket_id = await open_ticket(posting)
        (thread,) = posting.discord.threads.values()
        setattr(thread, attribute, True)
        for n in range(3):
            await posting.installation.accept_message(mails.reply_to(FIRST, message_id=f"<reply{n}@customer.test>"))
            await posting.deliver()
        assert len(posting.discord.threads) == 2
        second = list(posting.discord.threads)[1]
        _, *replies = posting.discord.messages.values()
        assert [message.channel_id for message in replies] == [second] * 3
        assert [shown_state(message) for message in replies] == [OPEN, {}, {}]
        await set_status(posting, ticket_id, "resolved")
        await posting.deliver()
        assert shown_state(replies[0])["Status"] == "Resolved"


async def test_an_update_that_is_queued_during_the_deletion_of_an_integration_is_deleted(
    posting: ManualDelivery,
) -> None:
    """It is queued between the two statements that end the deliveries."""
    installation = posting.installation
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    await installation.execute("UPDATE aliases SET integration_id = NULL")
    await installation.execute("DELETE FROM integrations")
    database = installation.store.database
    await database.execute("dispatch_fail_removed", integration_id=None, limit=10, reason="removed")
    assert len(await posting.updates()) == 1
    await posting.outbox.repair()
    assert (await posting.updates(), await posting.updates("dead")) == ([], [])
