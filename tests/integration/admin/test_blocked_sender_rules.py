"""Blocked sender use cases."""

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
