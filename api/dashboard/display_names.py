"""What a page calls the users and integrations whose ids it has."""

from __future__ import annotations

from collections.abc import Iterable

from api.dashboard.page import Visit

# By the prefix of the id.
_REMOVED = {"user": "removed user", "int": "removed integration"}


async def resolve(visit: Visit, ids: Iterable[str | None]) -> dict[str, str]:
    """A text for each id: the name, else the email address, else that it was removed."""
    wanted = dict.fromkeys(each for each in ids if each is not None)
    found = await visit.services.display_names.resolve(visit.actor, wanted)
    return {
        each: (found[each].name or found[each].email) if each in found else _REMOVED[each.partition("_")[0]]
        for each in wanted
    }
