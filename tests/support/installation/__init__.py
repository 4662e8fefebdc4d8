"""Installations for tests: in this process, served over HTTP, or as settings of a started program."""

from tests.support.installation.installation import Installation, Woken
from tests.support.installation.opened import installation_at, installation_over, installed, store_at
from tests.support.installation.settings import DOMAIN, HOST, SETTINGS, UNPACED, config_of, port_of, program_settings

__all__ = [
    "DOMAIN",
    "HOST",
    "SETTINGS",
    "UNPACED",
    "Installation",
    "Woken",
    "config_of",
    "installation_at",
    "installation_over",
    "installed",
    "port_of",
    "program_settings",
    "store_at",
]
