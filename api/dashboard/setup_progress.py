"""Progress of the setup, derived from the existing objects on every request and never stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from api.dashboard import manage
from api.dashboard.latest_message import LatestMessage, find_latest_message
from api.dashboard.page import Visit
from router.admin.domains.domain_view import DomainView
from router.admin.installation.reachability import Reachability
from router.model import Alias, Domain, Integration

StepState = Literal["locked", "next", "pending", "failed", "done", "unreachable", "unproven", "optional"]


@dataclass(frozen=True, slots=True)
class SetupProgress:
    """The objects that the setup steps create, each None until it exists."""

    domain: Domain | None
    integration: Integration | None
    alias: Alias | None

    @property
    def is_verified(self) -> bool:
        return self.domain is not None and self.domain.status == "active"

    @property
    def is_complete(self) -> bool:
        return self.is_verified and self.alias is not None

    @property
    def _can_add_alias(self) -> bool:
        return self.domain is not None and self.integration is not None

    def step_states(
        self, latest: LatestMessage | None, reach: Reachability, *, has_colleagues: bool
    ) -> dict[str, StepState]:
        """Returns the state of each step. An unverified domain blocks only the step of the first message."""
        domain: StepState = "done" if self.is_verified else "pending" if self.domain is not None else "next"
        integration: StepState = "next" if self.domain is not None else "locked"
        if self.integration is not None:
            is_failed = self.integration.last_error or self.integration.last_test_error
            integration = "failed" if is_failed else "done" if self.integration.is_tested else "next"
        alias: StepState = "done" if self.alias is not None else "next" if self._can_add_alias else "locked"
        mail: StepState = "next" if self.is_complete else "locked"
        if latest is not None and latest.ticket is not None:
            is_proven = latest.is_delivered and reach.own_outside_at is not None
            mail = "done" if is_proven else "failed" if latest.is_failed else "pending"
        return {
            "server": _server_state(reach),
            "domain": domain,
            "integration": integration,
            "alias": alias,
            "mail": mail,
            "people": "done" if has_colleagues else "optional",
        }


def _server_state(reach: Reachability) -> StepState:
    """Returns `done` only after a message from outside: the checks of this host cannot show that mail arrives."""
    if reach.is_unreachable:
        return "unreachable"
    return "done" if reach.is_reached else "unproven"


def find_current_step(steps: Mapping[str, StepState], *, is_postponed: bool) -> str:
    """Returns the name of the first step to work on, or "". `is_postponed`: the user continued without the server."""
    open_states = {"next", "pending", "failed", *(() if is_postponed else ("unreachable",))}
    return next((name for name, state in steps.items() if state in open_states), "")


async def load_progress(visit: Visit) -> SetupProgress:
    """Returns the domain, integration and alias that the setup page shows.

    Prefers an active alias of an active domain.
    """
    domains = {domain.id: domain for domain in await manage.list_domains(visit)}
    integrations = {integration.id: integration for integration in await manage.list_integrations(visit)}
    aliases = [alias for alias in await manage.list_aliases(visit) if alias.integration_id in integrations]
    newest = sorted(domains.values(), key=lambda domain: (domain.status == "active", domain.id), reverse=True)
    alias = next((alias for alias in aliases if _is_active(alias, domains)), None)
    if alias is None and newest:
        alias = next((alias for alias in aliases if alias.domain_id == newest[0].id), None)
    domain = domains.get(alias.domain_id) if alias is not None else newest[0] if newest else None
    if alias is not None:
        return SetupProgress(domain, integrations[alias.integration_id or ""], alias)
    return SetupProgress(domain, max(integrations.values(), key=lambda integration: integration.id, default=None), None)


async def needs_setup(visit: Visit) -> bool:
    return visit.has_role("admin") and not (await load_progress(visit)).is_complete


async def is_first_setup(visit: Visit) -> bool:
    """Returns whether the workspace has neither completed the setup nor received a message."""
    if (await load_progress(visit)).is_complete:
        return False
    return not (await visit.services.tickets.list(visit.actor, limit=1)).items


async def find_latest(visit: Visit, progress: SetupProgress) -> LatestMessage | None:
    return None if progress.alias is None else await find_latest_message(visit, progress.alias)


async def get_domain_view(visit: Visit, progress: SetupProgress) -> DomainView | None:
    return None if progress.domain is None else await visit.services.domains.get(visit.actor, progress.domain.id)


def _is_active(alias: Alias, domains: Mapping[str, Domain]) -> bool:
    domain = domains.get(alias.domain_id)
    return alias.status == "active" and domain is not None and domain.status == "active"
