"""The configuration, services and paths that the checks use."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from config.schema import Config
from emailrouter.assembly.core import AnyDatabase
from router.clock import Clock
from router.dns.resolver import DnsResolver

UNIT_DIRECTORIES = (
    Path("/etc/systemd/system"),
    Path("/usr/local/lib/systemd/system"),
    Path("/usr/lib/systemd/system"),
    Path("/lib/systemd/system"),
)


@dataclass(frozen=True, slots=True)
class CheckContext:
    """The input of a check.

    Attributes:
        database: None if it could not be opened; `run` reports the reason.
        is_clock_synchronised: Returns whether a time service synchronises the clock of this host, None if unknown.
        listening_smtp: Returns the addresses of the SMTP server of this process, as `127.0.0.1:25`.
    """

    config: Config
    resolver: DnsResolver
    clock: Clock
    database: AnyDatabase | None = None
    tls_context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    statvfs: Callable[[Path], os.statvfs_result] = os.statvfs
    is_clock_synchronised: Callable[[], bool | None] = lambda: None
    listening_smtp: Callable[[], Sequence[str]] = tuple
    systemd_directory: Path = Path("/run/systemd/system")
    unit_directories: Sequence[Path] = UNIT_DIRECTORIES
