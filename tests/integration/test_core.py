"""The core builds each part when it is first needed, and closes the parts that it has built."""

from tests.support.installation import Installation


async def test_the_group_commit_starts_with_the_first_mail(installation: Installation) -> None:
    core = installation.core
    assert [name for name, _ in core.open_parts()] == ["commit queue"]
    assert core.services is core.services
    assert [name for name, _ in core.open_parts()] == [
        "reachability",
        "client",
        "contents",
        "sender_hits",
        "commit queue",
    ]
    await installation.accept_message()
    assert installation.recording_wake.integration_ids == [installation.integration_id]
    await core.close()
    assert not core.writers.is_alive
