"""Another check of a message, as users request it."""

from tests.integration.checks.conftest import FAIL, PASS, QueuedInstallation
from tests.support import mails

HOLD = '{"on_fail": "quarantine"}'


async def test_another_check_of_an_old_message_neither_holds_nor_warns(checked: QueuedInstallation) -> None:
    """A message of a version without checks has no results, and its post is sent."""
    installation = checked.installation
    await checked.set_policy(HOLD)
    message_id = await installation.accept_message()
    await installation.execute("DELETE FROM check_queue")
    await installation.services.sender_checks.recheck(installation.actor, message_id)
    await checked.check(FAIL)
    view = (await installation.tickets.get(installation.actor, "1")).messages[0]
    assert (view.checks.state, view.checks.results.rechecked, view.checks.is_queued) == ("done", True, False)
    assert view.checks.results.words() == {"dmarc": "fail"}
    assert view.warning == ""
    ticket = await checked.ticket()
    assert (ticket["spam"], ticket["flagged"]) == (0, 0)
    assert (await checked.delivery())["state"] == "pending"


async def test_a_request_before_the_first_check_does_not_replace_it(checked: QueuedInstallation) -> None:
    installation = checked.installation
    await checked.set_policy(HOLD)
    message_id = await installation.accept_message()
    await installation.services.sender_checks.recheck(installation.actor, message_id)
    await checked.check(FAIL)
    assert (await checked.ticket())["spam"] == 1


async def test_new_messages_are_checked_before_those_to_be_checked_again(checked: QueuedInstallation) -> None:
    installation = checked.installation
    old = [await installation.accept_message(mails.plain(subject=f"Old {n}")) for n in range(3)]
    for _ in old:
        await checked.check(PASS)
    for message_id in old:
        await installation.services.sender_checks.recheck(installation.actor, message_id)
    new = await installation.accept_message(mails.plain(subject="New"))
    claimed = await checked.queue.claim(10, rechecks=1)
    assert [(each.message.id, each.is_recheck) for each in claimed] == [(old[0], True), (new, False)]
    assert [each.message.id for each in await checked.queue.claim(1)] == [old[1]]
