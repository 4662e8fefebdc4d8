"""No post keeps the old name of a tag, also if the rename is interrupted."""

import pytest

from emailrouter.assembly.deliver import build_maintenance
from router.admin.tickets import tag_renames
from router.admin.tickets import tags as tags_module
from router.admin.tickets.tags import TagService
from router.errors import Unavailable
from tests.support import mails
from tests.support.manual_delivery import ManualDelivery, shown_state


async def open_tagged_tickets(posting: ManualDelivery, count: int, name: str) -> str:
    """Opens tickets with posts and with one tag. Returns the id of the tag."""
    installation = posting.installation
    for n in range(count):
        ticket_id = await installation.accept_ticket(mails.plain(subject=f"Ticket {n}"))
        (tag,) = await installation.tickets.tags.tag_ticket(installation.actor, ticket_id, add=[name])
    await posting.deliver()
    assert shown_tags(posting) == [name] * count
    return tag.id


def shown_tags(posting: ManualDelivery) -> list[str]:
    return [shown_state(message)["Tags"] for message in posting.discord.messages.values()]


async def run_maintenance(posting: ManualDelivery) -> None:
    """Runs the task of a deliver process that finishes renames."""
    (task,) = (task for task in build_maintenance(posting.installation.core)._tasks if task.name == "tag_renames")
    await task.run()


async def unfinished(posting: ManualDelivery) -> list[str]:
    return await tag_renames.list_unfinished(posting.installation.database)


async def test_maintenance_finishes_an_interrupted_rename(
    posting: ManualDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation, tags = posting.installation, posting.installation.tickets.tags
    tag_id = await open_tagged_tickets(posting, 3, "old")
    with monkeypatch.context() as interruption:
        interruption.setattr(tags_module, "BATCH_TICKETS", 1)
        change_batch = TagService._change_batch

        async def change_first_batch(
            service: TagService, changed_id: str, after: str, change: tags_module._TicketsChange
        ) -> str | None:
            if after:
                raise Unavailable("the process was killed")
            return await change_batch(service, changed_id, after, change)

        interruption.setattr(TagService, "_change_batch", change_first_batch)
        with pytest.raises(Unavailable):
            await tags.change(installation.actor, tag_id, name="new")
    await posting.deliver()
    assert sorted(shown_tags(posting)) == ["new", "old", "old"]
    assert await unfinished(posting) == [tag_id]
    await run_maintenance(posting)
    await posting.deliver()
    assert shown_tags(posting) == ["new"] * 3
    assert posting.requests("PATCH") == 3
    assert await unfinished(posting) == []


async def test_a_complete_rename_leaves_nothing_to_finish(posting: ManualDelivery) -> None:
    installation, tags = posting.installation, posting.installation.tickets.tags
    tag_id = await open_tagged_tickets(posting, 1, "old")
    await tags.change(installation.actor, tag_id, name="new", color="#112233")
    assert await unfinished(posting) == []
    await posting.deliver()
    await tags.change(installation.actor, tag_id, name="new", color="#445566")
    assert await posting.updates() == []


async def test_the_end_of_a_rename_does_not_end_a_later_one(posting: ManualDelivery) -> None:
    database = posting.installation.database
    tag_id = await open_tagged_tickets(posting, 1, "old")
    await tag_renames.begin(database, tag_id)
    first = await tag_renames.find(database, tag_id)
    assert first is not None
    await tag_renames.begin(database, tag_id)
    await tag_renames.end(database, tag_id, first)
    assert await unfinished(posting) == [tag_id]
    await run_maintenance(posting)
    assert await unfinished(posting) == []


async def test_the_rename_of_a_deleted_tag_ends(posting: ManualDelivery) -> None:
    installation = posting.installation
    tag_id = await open_tagged_tickets(posting, 1, "old")
    await tag_renames.begin(installation.database, tag_id)
    await installation.tickets.tags.delete(installation.actor, tag_id)
    await run_maintenance(posting)
    assert await unfinished(posting) == []
