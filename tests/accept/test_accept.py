"""The transaction behind every 250, on both databases: what is written, once, for each alias; and what is not."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from router.accept.incoming import IncomingMail
from router.accept.transaction import Committed, commit_group
from router.errors import StorageFull
from router.model import Message, Ticket
from router.routing.route import Target
from router.store.database import Transcript, value
from tests.accept.world import DAY, World, mail
from tests.support import seeds
from tests.support.stores import Store


@pytest.fixture
async def world(store: Store) -> World:
    found = World(store)
    await found.build()
    return found


@pytest.fixture(autouse=True)
async def _closed(world: World) -> object:
    yield
    await world.core.close()


async def test_a_mail_becomes_message_ticket_and_delivery(world: World) -> None:
    content = mail()
    accepted = await world.accept.accept(world.envelope(), content)
    assert not accepted.repeat
    (row,) = await world.rows("messages")
    message = value(Message, row)
    assert message.id == accepted.message_id
    assert (message.from_address, message.from_name) == ("ann@customer.test", "Ann")
    assert message.size == len(content)
    (row,) = await world.rows("tickets")
    ticket = value(Ticket, row)
    assert (ticket.number, ticket.status, ticket.subject) == (1, "open", "Printer on fire")
    assert ticket.address == "support@example.com"
    (delivery,) = await world.rows("deliveries")
    assert (delivery["ticket_id"], delivery["integration_id"]) == (ticket.id, world.integration)
    assert delivery["next_attempt_at"] == world.clock.now()
    assert delivery["expires_at"] == world.clock.now() + 3 * DAY
    assert world.woken.integration_ids == [world.integration]


async def test_the_octets_are_kept_as_they_came_in_pieces(world: World) -> None:
    content = mail(body="x" * 700_000) + b"\x00\r\n.\n\xff bare \r and \n"
    await world.accept.accept(world.envelope(), content)
    chunks = await world.rows("raw_chunks")
    assert [len(bytes(c["data"])) for c in chunks] == [262144, 262144, len(content) - 2 * 262144]  # type: ignore[call-overload]
    assert b"".join(bytes(c["data"]) for c in chunks) == content  # type: ignore[call-overload]


async def test_an_empty_mail_is_a_mail(world: World) -> None:
    await world.accept.accept(world.envelope(), b"")
    assert len(await world.rows("tickets")) == 1
    assert [bytes(c["data"]) for c in await world.rows("raw_chunks")] == [b""]  # type: ignore[call-overload]


async def test_each_distinct_alias_gets_a_ticket_of_one_message(world: World) -> None:
    envelope = world.envelope(
        world.target(world.support, "support"),
        world.target(world.support, "support", tag="vip"),
        world.target(world.billing, "billing"),
    )
    await world.accept.accept(envelope, mail())
    assert len(await world.rows("messages")) == 1
    assert [t["number"] for t in await world.rows("tickets")] == [1, 2]
    links = await world.rows("ticket_messages")
    assert {(link["recipient"], link["tag"]) for link in links} == {
        ("support@example.com", ""),
        ("support+vip@example.com", "vip"),
        ("billing@example.com", ""),
    }
    assert len(await world.rows("deliveries")) == 2


async def test_each_workspace_has_a_message_of_its_own(world: World) -> None:
    database = world.store.database
    other = await seeds.workspace(database, "Other")
    domain = await seeds.domain(database, other, "other.example")
    alias = await seeds.alias(database, other, domain, "info")
    target = Target("info@other.example", other, alias, alias, "info@other.example", None)
    accepted = await world.accept.accept(world.envelope(world.target(world.support, "support"), target), mail())
    messages = await world.rows("messages")
    assert {m["workspace_id"] for m in messages} == {world.workspace, other}
    first = next(m for m in messages if m["workspace_id"] == world.workspace)
    assert accepted.message_id == first["id"]
    assert [t["number"] for t in await world.rows("tickets")] == [1, 1]


async def test_the_same_mail_again_is_answered_with_the_first_id(world: World) -> None:
    first = await world.accept.accept(world.envelope(), mail())
    again = await world.accept.accept(world.envelope(), mail())
    assert again.repeat
    assert again.message_id == first.message_id
    assert len(await world.rows("tickets")) == 1
    assert len(await world.rows("messages")) == 1


async def test_a_retry_for_one_of_two_aliases_repeats_for_that_one_only(world: World) -> None:
    await world.accept.accept(world.envelope(), mail())
    both = world.envelope(world.target(world.support, "support"), world.target(world.billing, "billing"))
    accepted = await world.accept.accept(both, mail())
    assert not accepted.repeat
    tickets = await world.rows("tickets")
    assert [t["address"] for t in tickets] == ["support@example.com", "billing@example.com"]
    assert {link["message_id"] for link in await world.rows("ticket_messages")} >= {accepted.message_id}


@pytest.mark.parametrize(
    ("reverse_path", "content"),
    [
        ("someone@else.test", mail()),
        ("ann@customer.test", mail(body="Hello?")),
    ],
)
async def test_other_octets_or_another_reverse_path_are_another_mail(
    world: World, reverse_path: str, content: bytes
) -> None:
    await world.accept.accept(world.envelope(), mail())
    again = await world.accept.accept(world.envelope(reverse_path=reverse_path), content)
    assert not again.repeat
    assert len(await world.rows("tickets")) == 2


async def test_after_the_window_the_same_octets_are_a_new_mail(world: World) -> None:
    await world.accept.accept(world.envelope(), mail())
    world.clock.advance(5 * 24 * 3600 + 1)
    again = await world.accept.accept(world.envelope(), mail())
    assert not again.repeat
    assert len(await world.rows("tickets")) == 2


async def test_a_mail_with_neither_message_id_nor_date_is_never_a_repeat(world: World) -> None:
    for _ in range(2):
        assert not (await world.accept.accept(world.envelope(), mail(message_id=""))).repeat
    assert len(await world.rows("tickets")) == 2


async def test_the_same_mail_at_once_makes_one_ticket(world: World) -> None:
    other = World(world.store)  # a second process on the same database
    other.workspace, other.domain, other.integration = world.workspace, world.domain, world.integration
    other.support, other.billing = world.support, world.billing
    results = await asyncio.gather(
        *(w.accept.accept(w.envelope(), mail()) for _ in range(20) for w in (world, other)), return_exceptions=True
    )
    await other.core.close()
    assert [r for r in results if isinstance(r, BaseException)] == []
    assert len({r.message_id for r in results if not isinstance(r, BaseException)}) == 1
    assert len(await world.rows("tickets")) == 1


async def test_numbers_count_up_without_gaps_under_load(world: World) -> None:
    await asyncio.gather(*(world.accept.accept(world.envelope(), mail(f"<{n}@c.test>")) for n in range(300)))
    assert sorted(t["number"] for t in await world.rows("tickets")) == list(range(1, 301))  # type: ignore[type-var]


async def test_an_alias_that_vanished_keeps_its_mail_without_integration(world: World) -> None:
    envelope = world.envelope()
    await seeds.execute(world.store.database, "DELETE FROM aliases")
    await world.accept.accept(envelope, mail())
    assert [t["address"] for t in await world.rows("tickets")] == ["support@example.com"]
    assert await world.rows("deliveries") == []
    assert world.woken.integration_ids == []


async def test_the_postmaster_without_alias_goes_to_the_default_integration(world: World) -> None:
    await seeds.execute(
        world.store.database, "UPDATE workspaces SET default_integration_id = :id", id=world.integration
    )
    address = "postmaster@example.com"
    await world.accept.accept(world.envelope(Target(address, world.workspace, None, address, address, None)), mail())
    (delivery,) = await world.rows("deliveries")
    assert delivery["integration_id"] == world.integration


async def test_deliveries_of_a_failing_integration_are_parked(world: World) -> None:
    await seeds.execute(world.store.database, "UPDATE integrations SET status = 'failing'")
    await world.accept.accept(world.envelope(), mail())
    (delivery,) = await world.rows("deliveries")
    assert delivery["next_attempt_at"] is None
    assert delivery["parked_at"] == world.clock.now()
    assert world.woken.integration_ids == []


async def test_a_reply_joins_its_conversation_and_opens_it_again(world: World) -> None:
    await world.accept.accept(world.envelope(), mail())
    await seeds.execute(
        world.store.database, "UPDATE tickets SET status = 'resolved', assigned_to = 'user_x', resolved_at = 5"
    )
    world.clock.advance(60)
    reply = mail("<two@customer.test>", "Re: Printer on fire", extra=["In-Reply-To: <one@customer.test>"])
    await world.accept.accept(world.envelope(), reply)
    (ticket,) = await world.rows("tickets")
    assert (ticket["status"], ticket["resolved_at"], ticket["assigned_to"]) == ("open", None, "user_x")
    assert ticket["updated_at"] == world.clock.now()
    assert [d["event"] for d in await world.rows("deliveries")] == ["opened", "replied"]
    (event,) = await world.rows("ticket_events")
    assert event["kind"] == "reopened"
    assert "messageId" in json.loads(str(event["detail"]))


async def test_an_automatic_reply_joins_but_opens_nothing(world: World) -> None:
    await world.accept.accept(world.envelope(), mail())
    await seeds.execute(world.store.database, "UPDATE tickets SET status = 'resolved'")
    away = mail("<away@customer.test>", extra=["In-Reply-To: <one@customer.test>", "Auto-Submitted: auto-replied"])
    await world.accept.accept(world.envelope(), away)
    (ticket,) = await world.rows("tickets")
    assert ticket["status"] == "resolved"
    assert await world.rows("ticket_events") == []


async def test_a_reference_joins_only_at_the_same_alias_and_from_a_participant(world: World) -> None:
    await world.accept.accept(world.envelope(), mail())
    elsewhere = mail("<b@customer.test>", extra=["In-Reply-To: <one@customer.test>"])
    await world.accept.accept(world.envelope(world.target(world.billing, "billing")), elsewhere)
    stranger = mail("<c@evil.test>", sender="eve@evil.test", extra=["In-Reply-To: <one@customer.test>"])
    await world.accept.accept(world.envelope(reverse_path="eve@evil.test"), stranger)
    assert len(await world.rows("tickets")) == 3


async def test_mails_that_waited_together_at_the_sender_make_one_conversation(world: World) -> None:
    """A mail and the answer to it in one group: the answer finds the ticket that the group is about to open."""
    reply = mail("<two@customer.test>", extra=["In-Reply-To: <one@customer.test>"])
    await asyncio.gather(
        *(world.accept.accept(world.envelope(), mail(f"<{n}@busy.test>")) for n in range(5)),
        world.accept.accept(world.envelope(), mail()),
        world.accept.accept(world.envelope(), reply),
    )
    assert len(await world.rows("tickets")) == 6


async def test_a_header_that_cannot_be_read_is_accepted_and_ticketed(world: World) -> None:
    await world.accept.accept(world.envelope(), b"\xff\x00\xfe no header at all \x00")
    (ticket,) = await world.rows("tickets")
    assert ticket["from_address"] == "ann@customer.test"


async def test_one_bad_mail_never_fails_its_neighbours(world: World) -> None:
    gone = Target("x@gone.test", "ws_gone", None, "x@gone.test", "x@gone.test", None)
    bad = world.accept.accept(world.envelope(gone), mail("<bad@c.test>"))
    good = [world.accept.accept(world.envelope(), mail(f"<{n}@c.test>")) for n in range(10)]
    results = await asyncio.gather(*good[:5], bad, *good[5:], return_exceptions=True)
    assert sum(isinstance(r, BaseException) for r in results) == 1
    assert isinstance(results[5], BaseException)
    assert len(await world.rows("tickets")) == 10


async def test_mails_that_the_disk_lacks_the_room_for_fail_alone(world: World) -> None:
    """What the disk says to the group it may say for one mail of it: the others are accepted."""

    def write(mails: Sequence[IncomingMail]) -> Transcript[Sequence[Committed]]:
        if any(b"huge" in found.content for found in mails):
            raise StorageFull("no room for so much")
        return (yield from commit_group(mails))

    core = world.writing(write)
    accept = core.accept
    huge = accept.accept(world.envelope(), mail("<huge@c.test>"))
    small = [accept.accept(world.envelope(), mail(f"<{n}@c.test>")) for n in range(6)]
    results = await asyncio.gather(*small[:3], huge, *small[3:], return_exceptions=True)
    await core.close()
    assert [type(r) for r in results if isinstance(r, BaseException)] == [StorageFull]
    assert isinstance(results[3], StorageFull)
    assert len(await world.rows("tickets")) == 6


async def test_a_caller_that_gives_up_does_not_stop_the_commit(world: World) -> None:
    task = asyncio.create_task(world.accept.accept(world.envelope(), mail()))
    await asyncio.sleep(0)  # the mail is handed over in the task's first step
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await world.core.close()  # returns when all that was handed over is committed
    assert len(await world.rows("tickets")) == 1
