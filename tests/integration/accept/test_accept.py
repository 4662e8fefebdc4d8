"""The transaction that commits a message before its 250 reply."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from router.accept.incoming import IncomingMail
from router.accept.transaction import Committed, commit_group
from router.clock import SECOND
from router.errors import StorageFull, Unavailable
from router.model import Message, Ticket
from router.routing.route import Target
from router.store.database import StatementGenerator, model_from_row
from tests.support import seeds
from tests.support.installation import Installation
from tests.support.mails import mail

DAY = 24 * 3600 * SECOND


async def test_a_message_is_stored_with_its_ticket_and_delivery(installation: Installation) -> None:
    content = mail()
    accepted = await installation.accept.accept(installation.envelope(), content)
    assert not accepted.is_duplicate
    (row,) = await installation.all_rows("messages")
    message = model_from_row(Message, row)
    assert message.id == accepted.message_id
    assert (message.from_address, message.from_name) == ("ann@customer.test", "Ann")
    assert message.size == len(content)
    (row,) = await installation.all_rows("tickets")
    ticket = model_from_row(Ticket, row)
    assert (ticket.number, ticket.status, ticket.subject) == (1, "open", "Printer on fire")
    assert ticket.address == "support@example.com"
    (delivery,) = await installation.all_rows("deliveries")
    assert (delivery["ticket_id"], delivery["integration_id"]) == (ticket.id, installation.integration_id)
    assert delivery["next_attempt_at"] == installation.clock.now()
    assert delivery["expires_at"] == installation.clock.now() + 3 * DAY
    assert installation.recording_wake.integration_ids == [installation.integration_id]


async def test_the_content_is_stored_unchanged_in_chunks(installation: Installation) -> None:
    content = mail(body="x" * 700_000) + b"\x00\r\n.\n\xff bare \r and \n"
    await installation.accept.accept(installation.envelope(), content)
    chunks = await installation.all_rows("raw_chunks")
    assert [len(bytes(c["data"])) for c in chunks] == [262144, 262144, len(content) - 2 * 262144]  # type: ignore[call-overload]
    assert b"".join(bytes(c["data"]) for c in chunks) == content  # type: ignore[call-overload]


async def test_an_empty_message_is_accepted(installation: Installation) -> None:
    await installation.accept.accept(installation.envelope(), b"")
    assert len(await installation.all_rows("tickets")) == 1
    assert [bytes(c["data"]) for c in await installation.all_rows("raw_chunks")] == [b""]  # type: ignore[call-overload]


async def test_each_distinct_alias_gets_a_ticket_of_one_message(installation: Installation) -> None:
    envelope = installation.envelope(
        installation.target("support"),
        installation.target("support", tag="vip"),
        installation.target("billing"),
    )
    await installation.accept.accept(envelope, mail())
    assert len(await installation.all_rows("messages")) == 1
    assert [t["number"] for t in await installation.all_rows("tickets")] == [1, 2]
    links = await installation.all_rows("ticket_messages")
    assert {(link["recipient"], link["tag"]) for link in links} == {
        ("support@example.com", ""),
        ("support+vip@example.com", "vip"),
        ("billing@example.com", ""),
    }
    assert len(await installation.all_rows("deliveries")) == 2


async def test_each_workspace_has_a_message_of_its_own(installation: Installation) -> None:
    database = installation.database
    other = await seeds.insert_workspace(database, "Other")
    domain = await seeds.insert_domain(database, other, "other.example")
    alias = await seeds.insert_alias(database, other, domain, "info")
    target = Target("info@other.example", other, alias, alias, "info@other.example", None)
    accepted = await installation.accept.accept(installation.envelope(installation.target("support"), target), mail())
    messages = await installation.all_rows("messages")
    assert {m["workspace_id"] for m in messages} == {installation.workspace_id, other}
    first = next(m for m in messages if m["workspace_id"] == installation.workspace_id)
    assert accepted.message_id == first["id"]
    assert [t["number"] for t in await installation.all_rows("tickets")] == [1, 1]


async def test_a_repeated_message_is_answered_with_the_first_id(installation: Installation) -> None:
    first = await installation.accept.accept(installation.envelope(), mail())
    again = await installation.accept.accept(installation.envelope(), mail())
    assert again.is_duplicate
    assert again.message_id == first.message_id
    assert len(await installation.all_rows("tickets")) == 1
    assert len(await installation.all_rows("messages")) == 1


async def test_a_retry_for_one_of_two_aliases_repeats_for_that_one_only(installation: Installation) -> None:
    await installation.accept.accept(installation.envelope(), mail())
    both = installation.envelope(installation.target("support"), installation.target("billing"))
    accepted = await installation.accept.accept(both, mail())
    assert not accepted.is_duplicate
    tickets = await installation.all_rows("tickets")
    assert [t["address"] for t in tickets] == ["support@example.com", "billing@example.com"]
    assert {link["message_id"] for link in await installation.all_rows("ticket_messages")} >= {accepted.message_id}


@pytest.mark.parametrize(
    ("reverse_path", "content"),
    [
        ("someone@else.test", mail()),
        ("ann@customer.test", mail(body="Hello?")),
    ],
)
async def test_other_bytes_or_another_reverse_path_are_another_message(
    installation: Installation, reverse_path: str, content: bytes
) -> None:
    await installation.accept.accept(installation.envelope(), mail())
    again = await installation.accept.accept(installation.envelope(reverse_path=reverse_path), content)
    assert not again.is_duplicate
    assert len(await installation.all_rows("tickets")) == 2


async def test_after_the_window_the_same_bytes_are_a_new_message(installation: Installation) -> None:
    await installation.accept.accept(installation.envelope(), mail())
    installation.clock.advance(5 * 24 * 3600 + 1)
    again = await installation.accept.accept(installation.envelope(), mail())
    assert not again.is_duplicate
    assert len(await installation.all_rows("tickets")) == 2


async def test_a_message_without_message_id_and_date_is_never_a_repeat(installation: Installation) -> None:
    for _ in range(2):
        assert not (await installation.accept.accept(installation.envelope(), mail(message_id=""))).is_duplicate
    assert len(await installation.all_rows("tickets")) == 2


async def test_concurrent_repeats_make_one_ticket(installation: Installation) -> None:
    other = installation.second_process()
    results = await asyncio.gather(
        *(w.accept.accept(w.envelope(), mail()) for _ in range(20) for w in (installation, other)),
        return_exceptions=True,
    )
    await other.close()
    assert [r for r in results if isinstance(r, BaseException)] == []
    assert len({r.message_id for r in results if not isinstance(r, BaseException)}) == 1
    assert len(await installation.all_rows("tickets")) == 1


async def test_ticket_numbers_have_no_gaps_under_load(installation: Installation) -> None:
    await asyncio.gather(
        *(installation.accept.accept(installation.envelope(), mail(f"<{n}@c.test>")) for n in range(300))
    )
    assert sorted(t["number"] for t in await installation.all_rows("tickets")) == list(range(1, 301))  # type: ignore[type-var]


async def test_a_deleted_alias_keeps_its_ticket_without_an_integration(installation: Installation) -> None:
    envelope = installation.envelope()
    await installation.execute("DELETE FROM aliases")
    await installation.accept.accept(envelope, mail())
    assert [t["address"] for t in await installation.all_rows("tickets")] == ["support@example.com"]
    assert await installation.all_rows("deliveries") == []
    assert installation.recording_wake.integration_ids == []


async def test_the_postmaster_without_alias_goes_to_the_default_integration(installation: Installation) -> None:
    await installation.execute("UPDATE workspaces SET default_integration_id = :id", id=installation.integration_id)
    address = "postmaster@example.com"
    await installation.accept.accept(
        installation.envelope(Target(address, installation.workspace_id, None, address, address, None)), mail()
    )
    (delivery,) = await installation.all_rows("deliveries")
    assert delivery["integration_id"] == installation.integration_id


async def test_deliveries_of_a_failing_integration_are_parked(installation: Installation) -> None:
    await installation.execute("UPDATE integrations SET status = 'failing'")
    await installation.accept.accept(installation.envelope(), mail())
    (delivery,) = await installation.all_rows("deliveries")
    assert delivery["next_attempt_at"] is None
    assert delivery["parked_at"] == installation.clock.now()
    assert installation.recording_wake.integration_ids == []


async def test_a_reply_joins_and_reopens_its_conversation(installation: Installation) -> None:
    user_id, _ = await installation.add_user_with_key()
    await installation.accept.accept(installation.envelope(), mail())
    await installation.execute(
        "UPDATE tickets SET status = 'resolved', assigned_to = :user_id, resolved_at = 5", user_id=user_id
    )
    installation.clock.advance(60)
    reply = mail("<two@customer.test>", "Re: Printer on fire", extra=["In-Reply-To: <one@customer.test>"])
    await installation.accept.accept(installation.envelope(), reply)
    (ticket,) = await installation.all_rows("tickets")
    assert (ticket["status"], ticket["resolved_at"], ticket["assigned_to"]) == ("open", None, user_id)
    assert ticket["updated_at"] == installation.clock.now()
    assert [d["event"] for d in await installation.all_rows("deliveries")] == ["opened", "replied"]
    (event,) = await installation.all_rows("ticket_events")
    detail = json.loads(str(event["detail"]))
    assert detail == {"messageId": event["actor_id"], "from": "resolved"}
    assert (event["type"], event["actor_type"]) == ("ticket.reopened", "mail")
    links = await installation.all_rows("ticket_messages")
    assert [link["sequence"] for link in links] == [1, 2]
    assert (event["sequence"], ticket["last_sequence"]) == (3, 3)


async def test_an_automatic_reply_joins_without_reopening(installation: Installation) -> None:
    await installation.accept.accept(installation.envelope(), mail())
    await installation.execute("UPDATE tickets SET status = 'resolved'")
    away = mail("<away@customer.test>", extra=["In-Reply-To: <one@customer.test>", "Auto-Submitted: auto-replied"])
    await installation.accept.accept(installation.envelope(), away)
    (ticket,) = await installation.all_rows("tickets")
    assert ticket["status"] == "resolved"
    assert await installation.all_rows("ticket_events") == []


async def test_a_reference_joins_only_at_the_same_alias_and_from_a_participant(installation: Installation) -> None:
    await installation.accept.accept(installation.envelope(), mail())
    elsewhere = mail("<b@customer.test>", extra=["In-Reply-To: <one@customer.test>"])
    await installation.accept.accept(installation.envelope(installation.target("billing")), elsewhere)
    stranger = mail("<c@evil.test>", sender="eve@evil.test", extra=["In-Reply-To: <one@customer.test>"])
    await installation.accept.accept(installation.envelope(reverse_path="eve@evil.test"), stranger)
    assert len(await installation.all_rows("tickets")) == 3


async def test_a_reply_joins_a_ticket_of_the_same_group(installation: Installation) -> None:
    reply = mail("<two@customer.test>", extra=["In-Reply-To: <one@customer.test>"])
    await asyncio.gather(
        *(installation.accept.accept(installation.envelope(), mail(f"<{n}@busy.test>")) for n in range(5)),
        installation.accept.accept(installation.envelope(), mail()),
        installation.accept.accept(installation.envelope(), reply),
    )
    tickets = await installation.all_rows("tickets")
    assert sorted(str(ticket["last_sequence"]) for ticket in tickets) == ["1", "1", "1", "1", "1", "2"]


async def test_a_header_that_cannot_be_read_is_accepted_and_ticketed(installation: Installation) -> None:
    await installation.accept.accept(installation.envelope(), b"\xff\x00\xfe no header at all \x00")
    (ticket,) = await installation.all_rows("tickets")
    assert ticket["from_address"] == "ann@customer.test"


async def test_one_bad_message_does_not_fail_the_others_of_its_group(installation: Installation) -> None:
    gone = Target("x@gone.test", "ws_gone", None, "x@gone.test", "x@gone.test", None)
    bad = installation.accept.accept(installation.envelope(gone), mail("<bad@c.test>"))
    good = [installation.accept.accept(installation.envelope(), mail(f"<{n}@c.test>")) for n in range(10)]
    results = await asyncio.gather(*good[:5], bad, *good[5:], return_exceptions=True)
    assert sum(isinstance(r, BaseException) for r in results) == 1
    assert isinstance(results[5], BaseException)
    assert len(await installation.all_rows("tickets")) == 10


async def test_a_message_too_large_for_the_disk_fails_alone(installation: Installation) -> None:

    def write(mails: Sequence[IncomingMail]) -> StatementGenerator[Sequence[Committed | Unavailable]]:
        if any(b"huge" in found.content for found in mails):
            raise StorageFull("not enough space")
        return (yield from commit_group(mails))

    other = installation.second_process(write=write)
    accept = other.accept
    huge = accept.accept(installation.envelope(), mail("<huge@c.test>"))
    small = [accept.accept(installation.envelope(), mail(f"<{n}@c.test>")) for n in range(6)]
    results = await asyncio.gather(*small[:3], huge, *small[3:], return_exceptions=True)
    await other.close()
    assert [type(r) for r in results if isinstance(r, BaseException)] == [StorageFull]
    assert isinstance(results[3], StorageFull)
    assert len(await installation.all_rows("tickets")) == 6


async def test_a_cancelled_caller_does_not_stop_the_commit(installation: Installation) -> None:
    task = asyncio.create_task(installation.accept.accept(installation.envelope(), mail()))
    await asyncio.sleep(0)  # the task queues the message
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await installation.close()  # returns when all queued messages are committed
    assert len(await installation.all_rows("tickets")) == 1
