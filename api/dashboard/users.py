"""Users of a workspace as choices of a form."""

from __future__ import annotations

from api.dashboard.page import Visit
from router.admin.paging import MAX_LIMIT
from router.model import User


async def list_users(visit: Visit) -> tuple[User, ...]:
    batch = await visit.services.users.list(visit.actor, limit=MAX_LIMIT)
    return tuple(sorted(batch.items, key=lambda user: display_name(user).casefold()))


def display_name(user: User) -> str:
    return user.name or user.email
