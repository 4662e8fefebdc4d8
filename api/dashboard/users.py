"""The users of a workspace as a page offers them for choice."""

from __future__ import annotations

from api.dashboard.page import Visit
from router.admin.paging import MAX_LIMIT
from router.model import User


async def list_users(visit: Visit) -> tuple[User, ...]:
    """The people of the workspace to choose from: the newest 200, by name."""
    found = await visit.services.users.list(visit.actor, limit=MAX_LIMIT)
    return tuple(sorted(found.items, key=lambda user: display_name(user).casefold()))


def display_name(user: User) -> str:
    """A person's name, else their address."""
    return user.name or user.email
