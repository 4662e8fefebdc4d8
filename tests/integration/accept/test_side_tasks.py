"""A committed message is accepted even if the metrics and the wake-up of the dispatcher fail after the commit."""

import pytest

from tests.support.failing import FailingMeter, FailingWake, failing_log
from tests.support.installation import seeded_installation
from tests.support.mails import mail
from tests.support.stores import Store


@pytest.mark.parametrize("events", [(), ("side_task.failed",)], ids=["logged", "not even logged"])
async def test_a_failing_meter_and_wake(store: Store, events: tuple[str, ...]) -> None:
    async with seeded_installation(store, wake=FailingWake(), meter=FailingMeter()) as installation:
        with failing_log(*events) as logged:
            first = await installation.accept.accept(installation.envelope(), mail())
            again = await installation.accept.accept(installation.envelope(), mail())
        assert (first.is_duplicate, again.is_duplicate, again.message_id) == (False, True, first.message_id)
        assert len(await installation.all_rows("messages")) == len(await installation.all_rows("deliveries")) == 1
        assert ("side_task.failed" in logged) is not bool(events)
