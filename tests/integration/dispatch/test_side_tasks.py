"""A posted ticket is recorded as posted and not posted again, even if the metrics and the log fail."""

import pytest

from tests.integration.dispatch.test_dispatcher import dispatching, new_installation, wait_delivered
from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.failing import FailingMeter, failing_log
from tests.support.slack import SlackStandIn
from tests.support.stores import Store

OUTCOMES = ("delivery.sent", "delivery.retry_scheduled", "delivery.failed", "delivery.internal_error")


@pytest.mark.parametrize("events", [(), OUTCOMES, (*OUTCOMES, "side_task.failed")])
async def test_each_ticket_is_posted_once(store: Store, slack: SlackStandIn, events: tuple[str, ...]) -> None:
    installation = new_installation(store, meter=FailingMeter())
    slack.script("general", FixedResponse(200, "ok"), FixedResponse(400, "invalid_blocks"), FixedResponse(200, "ok"))
    with failing_log(*events):
        async with dispatching(installation, slack):
            for number in (1, 2):  # Slack rejects the blocks of the second message, which is then sent as text.
                await installation.accept_message(mails.plain(subject=f"Mail {number}"))
                await wait_delivered(installation, number)
    assert len(slack.posts) == 3
    rows = await installation.execute("SELECT outcome FROM attempts ORDER BY started_at, n")
    assert [row["outcome"] for row in rows] == ["sent", "refused", "sent"]
    assert {row["attempts"] for row in await installation.execute("SELECT attempts FROM deliveries")} == {1, 2}
