"""Installations for tests: in this process, served over HTTP, or for a started program."""

from tests.support.installation.installation import Installation, RecordingWake
from tests.support.installation.opened import (
    closed_store,
    migrated_installation,
    program_installation,
    seeded_installation,
)
from tests.support.installation.settings import (
    DOMAIN,
    HOST,
    SETTINGS,
    UNPACED,
    make_config,
    program_settings,
    split_address,
)

__all__ = [
    "DOMAIN",
    "HOST",
    "SETTINGS",
    "UNPACED",
    "Installation",
    "RecordingWake",
    "closed_store",
    "make_config",
    "migrated_installation",
    "program_installation",
    "program_settings",
    "seeded_installation",
    "split_address",
]
