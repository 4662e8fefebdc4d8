"""The pages of the dashboard, one module for each subject."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from api.dashboard.page import NavLink, PageRoute
from api.dashboard.views import (
    account,
    aliases,
    audit,
    blocked_senders,
    deliveries,
    domains,
    health,
    home,
    integrations,
    keys,
    live,
    manage,
    message,
    setup,
    setup_link,
    sign_in,
    ticket,
    tickets,
    trace,
    users,
    workspace,
)

MODULES: tuple[ModuleType, ...] = (
    home,
    sign_in,
    setup_link,
    account,
    tickets,
    ticket,
    message,
    live,
    deliveries,
    trace,
    health,
    setup,
    manage,
    domains,
    aliases,
    integrations,
    users,
    keys,
    blocked_senders,
    workspace,
    audit,
)

PAGES: tuple[PageRoute, ...] = tuple(page for module in MODULES for page in module.PAGES)
NAV_LINKS: tuple[NavLink, ...] = tuple(link for module in MODULES for link in getattr(module, "NAV_LINKS", ()))
FLASH_MESSAGES: Mapping[str, str] = {
    key: message for module in MODULES for key, message in getattr(module, "FLASH_MESSAGES", {}).items()
}

__all__ = ["FLASH_MESSAGES", "MODULES", "NAV_LINKS", "PAGES"]
