"""The core builds its parts when they are needed, and closes those."""

from router.model import Actor
from tests.support import seeds
from tests.support.clock import FakeClock
from tests.support.core import Woken, core_over
from tests.support.stores import Store


async def test_the_group_commit_starts_with_the_first_mail(store: Store) -> None:
    workspace = await seeds.workspace(store.database)
    domain = await seeds.domain(store.database, workspace)
    integration = await seeds.integration(store.database, workspace)
    alias = await seeds.alias(store.database, workspace, domain, "support", integration)
    woken = Woken()
    core = core_over(store, FakeClock(), wake=woken)
    assert core.open_parts() == []
    assert core.services is core.services
    assert [name for name, _ in core.open_parts()] == ["client", "contents"]
    await core.services.aliases.test(Actor(workspace, "admin"), alias)
    assert [name for name, _ in core.open_parts()] == ["commit queue", "client", "contents"]
    assert woken.integration_ids == [integration]
    await core.close()
    assert not core.writer.alive
