"""Blocked sender use cases."""

import pytest

from router.admin.routes import listed_senders
from tests.support.installation import Installation
from tests.support.refusal import refused_code


async def test_blocked_senders_are_normalized_listed_and_deleted(installation: Installation) -> None:
    actor, blocked = installation.actor, installation.services.blocked_senders
    for typed, kept in (
        ("Bad@Spam.Example", "bad@spam.example"),
        ("spam.example", "@spam.example"),
        ("192.0.2.0/24", "192.0.2.0/24"),
    ):
        assert (await blocked.create(actor, typed)).sender == kept
    assert await refused_code(blocked.create(actor, "192.0.2.77/24")) == ("invalid_request", "sender")
    assert await refused_code(blocked.create(actor, "@SPAM.example")) == ("conflict", "sender")
    first = await blocked.list(actor, limit=2)
    rest = await blocked.list(actor, limit=2, cursor=first.next_cursor)
    senders = [found.sender for found in first.items + rest.items]
    assert sorted(senders) == ["192.0.2.0/24", "@spam.example", "bad@spam.example"]
    assert rest.next_cursor is None
    stranger = await installation.add_workspace()
    assert (await blocked.list(stranger)).items == ()
    assert await refused_code(blocked.delete(stranger, "@spam.example")) == ("not_found", None)
    for sender in ("192.0.2.0/24", "@Spam.example", "bad@spam.example"):
        await blocked.delete(actor, sender)
        assert await refused_code(blocked.delete(actor, sender)) == ("not_found", None)
    assert (await blocked.list(actor)).items == ()


async def test_senders_above_the_limit_are_not_added(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listed_senders, "MAX_LISTED", 2)
    actor, blocked = installation.actor, installation.services.blocked_senders
    await blocked.create(actor, "@a.example")
    assert await refused_code(blocked.create_many(actor, ["@b.example", "@c.example"])) == ("conflict", None)
    added = await blocked.create_many(actor, ["@b.example", "@a.example", "b.example"])
    assert ([each.sender for each in added.added], added.already_listed) == (["@b.example"], ("@a.example",))
    assert await refused_code(blocked.create(actor, "@c.example")) == ("conflict", None)
    assert len(await blocked.list_all(installation.workspace_id)) == 2


async def test_a_single_word_is_not_added_but_an_old_one_is_kept(installation: Installation) -> None:
    actor, blocked = installation.actor, installation.services.blocked_senders
    for given in ("nonsense", "@nonsense"):
        assert await refused_code(blocked.create(actor, given)) == ("invalid_request", "sender")
        assert await refused_code(blocked.create_many(actor, ["@a.example", given])) == ("invalid_request", "senders")
    await blocked.create(actor, "@a.example")
    await installation.execute("UPDATE blocked_senders SET sender = '@nonsense'")  # of an earlier version
    assert (await blocked.change(actor, "nonsense", action="spam", note="")).sender == "@nonsense"
    await blocked.delete(actor, "@nonsense")
    assert await blocked.list_all(installation.workspace_id) == []


async def test_a_change_keeps_the_hits(installation: Installation) -> None:
    actor, blocked = installation.actor, installation.services.blocked_senders
    await blocked.create(actor, "@a.example")
    await installation.execute("UPDATE blocked_senders SET hits = 7")
    changed = await blocked.change(actor, "A.example", action="spam", note=" May ")
    assert (changed.action, changed.note, changed.hits) == ("spam", "May", 7)
    assert await blocked.list_all(installation.workspace_id) == [changed]
    assert await refused_code(blocked.change(actor, "b.example", action="spam", note="")) == ("not_found", None)
    (latest, _) = (await installation.services.audit.list(actor)).items
    assert latest.action == "blocked_sender.change"
