"""Names for the ids of users on a page: asked for once each, also for those who are not among the newest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from api.dashboard.page import Visit
from router.admin.paging import MAX_LIMIT
from router.errors import Refused
from router.model import User


async def colleagues(visit: Visit) -> tuple[User, ...]:
    """The people of the workspace to choose from: the newest 200, by name."""
    found = await visit.services.users.list(visit.actor, limit=MAX_LIMIT)
    return tuple(sorted(found.items, key=lambda user: called(user).casefold()))


async def names(visit: Visit, known: Iterable[User], user_ids: Iterable[str | None]) -> Mapping[str, str]:
    """What to call each of them; somebody who was removed is said to be."""
    found = {user.id: called(user) for user in known}
    for user_id in {user_id for user_id in user_ids if user_id is not None} - found.keys():
        try:
            found[user_id] = called(await visit.services.users.get(visit.actor, user_id))
        except Refused:
            found[user_id] = "somebody who was removed"
    return found


def called(user: User) -> str:
    """A person's name, else their address."""
    return user.name or user.email
