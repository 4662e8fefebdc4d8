"""A user who is disabled, deleted or gets a new password during a request gets no session and no ticket."""

import pytest

from router.admin.access import sessions
from router.admin.access.password_policy import hash_valid_password
from router.model import Actor
from tests.support.installation import Installation
from tests.support.refusal import refused_code

PASSWORD = "correct horse battery"


async def test_a_deleted_user_cannot_claim_a_ticket(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    gone = await installation.add_actor()
    await installation.services.users.delete(installation.actor, gone.user_id or "")
    for take in (
        installation.services.tickets.claim(gone, ticket_id),
        installation.services.tickets.set_status(gone, ticket_id, "in_progress"),
    ):
        assert await refused_code(take) == ("unauthorized", None)
    (ticket,) = (await installation.services.tickets.list(installation.actor)).items
    assert (ticket.assigned_to, ticket.status) == (None, "open")


async def test_a_password_change_keeps_concurrent_changes(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An admin demotes and disables a user while the user's new password is hashed."""
    users = installation.services.users
    await installation.add_actor("admin")  # a second admin, because the last one cannot be demoted
    user = await users.create(installation.actor, email="bob@example.org", role="admin", password=PASSWORD)

    async def slow(password: str, email: str) -> str:
        await users.change(installation.actor, user.id, role="viewer", disabled=True)
        return await hash_valid_password(password, email)

    monkeypatch.setattr(sessions, "hash_valid_password", slow)
    own = Actor(user.workspace_id, "admin", user_id=user.id)
    changing = installation.services.sessions.change_password(own, current=PASSWORD, new="another password")
    assert await refused_code(changing) == ("invalid_request", "currentPassword")
    found = await users.get(installation.actor, user.id)
    assert (found.role, found.disabled_at is not None) == ("viewer", True)
    assert found.password_hash == user.password_hash


@pytest.mark.parametrize("change", ["removed", "disabled", "password"])
async def test_a_user_changed_during_sign_in_gets_no_session(installation: Installation, change: str) -> None:
    """The user is changed or removed between the verification of the password and the start of the session."""
    users = installation.services.users
    user = await users.create(installation.actor, email="bob@example.org", password=PASSWORD)
    if change == "removed":
        await users.delete(installation.actor, user.id)
    elif change == "disabled":
        await users.change(installation.actor, user.id, disabled=True)
    else:
        await users.change(installation.actor, user.id, password="another password")
    assert await refused_code(installation.services.sessions.start(user, address="")) == ("unauthorized", None)
    assert await installation.execute(f"SELECT 1 FROM sessions WHERE user_id = '{user.id}'") == []
