"""The pages of the dashboard. Each module of this package declares the `PAGES` of a subject."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

from api.dashboard.page import NavLink, PageRoute

MODULES: tuple[ModuleType, ...] = tuple(
    import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)
)
PAGES: tuple[PageRoute, ...] = tuple(page for module in MODULES for page in module.PAGES)
NAV_LINKS: tuple[NavLink, ...] = tuple(link for module in MODULES for link in getattr(module, "NAV_LINKS", ()))
FLASH_MESSAGES: Mapping[str, str] = {
    key: message for module in MODULES for key, message in getattr(module, "FLASH_MESSAGES", {}).items()
}

__all__ = ["FLASH_MESSAGES", "MODULES", "NAV_LINKS", "PAGES"]
