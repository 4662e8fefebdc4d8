"""What is committed is accepted, whatever fails after the commit."""

import pytest

from tests.accept.world import World, mail
from tests.support.core import core_over
from tests.support.failing import FailingMeter, FailingWake, failing_log
from tests.support.stores import Store


@pytest.mark.parametrize("events", [(), ("side_task.failed",)], ids=["logged", "not even logged"])
async def test_a_failing_meter_and_wake(store: Store, events: tuple[str, ...]) -> None:
    world = World(store)
    await world.build()
    core = core_over(store, world.clock, wake=FailingWake(), meter=FailingMeter())
    with failing_log(*events) as told:
        first = await core.accept.accept(world.envelope(), mail())
        again = await core.accept.accept(world.envelope(), mail())
    assert (first.repeat, again.repeat, again.message_id) == (False, True, first.message_id)
    assert len(await world.rows("messages")) == len(await world.rows("deliveries")) == 1
    assert ("side_task.failed" in told) is not bool(events)
    await core.close()
    await world.core.close()
