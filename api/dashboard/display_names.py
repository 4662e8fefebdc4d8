"""Display names of users and integrations, which may have been removed."""

from __future__ import annotations

from collections.abc import Iterable

from api.dashboard.page import Visit

# Keyed by id prefix.
_REMOVED = {"user": "removed user", "int": "removed integration"}


async def resolve(visit: Visit, ids: Iterable[str | None]) -> dict[str, str]:
    """Returns a text for each id: the name, else the email address, else a placeholder for a removed object."""
    wanted = dict.fromkeys(each for each in ids if each is not None)
    found = await visit.services.display_names.resolve(visit.actor, wanted)
    return {
        each: (found[each].name or found[each].email) if each in found else _REMOVED[each.partition("_")[0]]
        for each in wanted
    }
