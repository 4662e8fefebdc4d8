"""The routes of the API. Each module of this package declares the `ROUTES` of a resource."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from api.route import Route

ROUTES: tuple[Route, ...] = tuple(
    route for module in pkgutil.iter_modules(__path__) for route in import_module(f"{__name__}.{module.name}").ROUTES
)

__all__ = ["ROUTES"]
