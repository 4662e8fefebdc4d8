"""Display names of users and integrations, with a placeholder for removed ones."""

from __future__ import annotations

from collections.abc import Iterable

from api.dashboard.page import Visit

_REMOVED = {"user": "removed user", "int": "removed integration"}


async def resolve(visit: Visit, ids: Iterable[str | None]) -> dict[str, str]:
    """Returns the names by id. A text of a request that is no id has itself as the name."""
    unique_ids = dict.fromkeys(id_ for id_ in ids if id_ is not None)
    known = await visit.services.display_names.resolve(visit.actor, unique_ids)
    return {
        id_: (known[id_].name or known[id_].email) if id_ in known else _REMOVED.get(id_.partition("_")[0], id_)
        for id_ in unique_ids
    }
