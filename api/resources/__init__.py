"""The routes of the API, one module per resource."""

from __future__ import annotations

from api.resources import (
    aliases,
    audit,
    auth,
    blocked_senders,
    deliveries,
    domains,
    explain,
    health,
    integrations,
    keys,
    messages,
    overview,
    tickets,
    users,
    workspace,
)
from api.route import Route

ROUTES: tuple[Route, ...] = (
    *auth.ROUTES,
    *workspace.ROUTES,
    *users.ROUTES,
    *keys.ROUTES,
    *domains.ROUTES,
    *integrations.ROUTES,
    *aliases.ROUTES,
    *tickets.ROUTES,
    *messages.ROUTES,
    *deliveries.ROUTES,
    *blocked_senders.ROUTES,
    *explain.ROUTES,
    *audit.ROUTES,
    *overview.ROUTES,
    *health.ROUTES,
)

__all__ = ["ROUTES"]
