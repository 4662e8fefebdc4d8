"""The sections of the workspace document. Each module of this package declares a `SECTION`."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from router.provisioning.section import DocumentSection

SECTIONS: tuple[DocumentSection, ...] = tuple(
    import_module(f"{__name__}.{module.name}").SECTION for module in pkgutil.iter_modules(__path__)
)

__all__ = ["SECTIONS"]
