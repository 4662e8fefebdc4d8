"""Names for the ids of integrations on a page: asked for once each, also for those that are not among the newest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from api.dashboard.page import Visit
from router.admin.paging import MAX_LIMIT
from router.errors import Refused


async def names(visit: Visit, integration_ids: Iterable[str]) -> Mapping[str, str]:
    """What each is called, the newest 200 in any case; one that was removed is said to be."""
    listed = await visit.services.integrations.list(visit.actor, limit=MAX_LIMIT)
    found = {integration.id: integration.name for integration in listed.items}
    for integration_id in set(integration_ids) - found.keys():
        try:
            found[integration_id] = (await visit.services.integrations.get(visit.actor, integration_id)).name
        except Refused:
            found[integration_id] = "an integration that was removed"
    return found
