"""How far an installation is set up: a domain, an integration, an alias between them, and the first mail.

Derived from what there is, every time; there is nothing that remembers it. `unfinished` is for the start page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from api.dashboard import manage
from api.dashboard.latest_message import Way, followed
from api.dashboard.page import Visit
from router.admin.domains.domains import DomainView
from router.model import Alias, Domain, Integration

Step = Literal["later", "now", "waits", "failed", "done"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What there is of each step; None where there is nothing yet."""

    domain: Domain | None
    integration: Integration | None
    alias: Alias | None

    @property
    def proved(self) -> bool:
        """Whether the domain's mail is taken."""
        return self.domain is not None and self.domain.status == "active"

    @property
    def complete(self) -> bool:
        """Whether a mail could become a ticket in somebody's channel."""
        return self.proved and self.alias is not None

    @property
    def _can_be_joined(self) -> bool:
        return self.domain is not None and self.integration is not None

    def steps(self, way: Way | None) -> dict[str, Step]:
        """Each step's state. A domain that waits for its records holds up nothing but the mail."""
        domain: Step = "done" if self.proved else "waits" if self.domain is not None else "now"
        integration: Step = "now" if self.domain is not None else "later"
        if self.integration is not None:
            integration = "failed" if self.integration.last_error else "done"
        alias: Step = "done" if self.alias is not None else "now" if self._can_be_joined else "later"
        mail: Step = "now" if self.complete else "later"
        if way is not None and way.ticket is not None:
            mail = "done" if way.arrived else "failed" if way.failed else "waits"
        return {"domain": domain, "integration": integration, "alias": alias, "mail": mail}


async def progress(visit: Visit) -> Progress:
    """What works first, else the newest of each."""
    domains = {domain.id: domain for domain in await manage.domains(visit)}
    integrations = {integration.id: integration for integration in await manage.integrations(visit)}
    aliases = [alias for alias in await manage.aliases(visit) if alias.integration_id in integrations]
    newest = sorted(domains.values(), key=lambda domain: (domain.status == "active", domain.id), reverse=True)
    alias = next((alias for alias in aliases if _works(alias, domains)), None)
    if alias is None and newest:
        alias = next((alias for alias in aliases if alias.domain_id == newest[0].id), None)
    domain = domains.get(alias.domain_id) if alias is not None else newest[0] if newest else None
    if alias is not None:
        return Progress(domain, integrations[alias.integration_id or ""], alias)
    return Progress(domain, max(integrations.values(), key=lambda found: found.id, default=None), None)


async def unfinished(visit: Visit) -> bool:
    """Whether who asks has something to set up: never so for those who may not."""
    return visit.can("admin") and not (await progress(visit)).complete


async def way_of(visit: Visit, found: Progress) -> Way | None:
    """Where the newest mail of the alias is."""
    return None if found.alias is None else await followed(visit, found.alias)


async def view_of(visit: Visit, found: Progress) -> DomainView | None:
    """The domain with its records."""
    return None if found.domain is None else await visit.services.domains.get(visit.actor, found.domain.id)


def _works(alias: Alias, domains: Mapping[str, Domain]) -> bool:
    domain = domains.get(alias.domain_id)
    return alias.status == "active" and domain is not None and domain.status == "active"
