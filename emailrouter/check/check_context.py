"""The input of the checks."""

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
    """The input of a check. `database` is None if it could not be opened, which `run` reports."""

    config: Config
    resolver: DnsResolver
    clock: Clock
    database: AnyDatabase | None = None
    tls_context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    statvfs: Callable[[Path], os.statvfs_result] = os.statvfs
    systemd_directory: Path = Path("/run/systemd/system")
    unit_directories: Sequence[Path] = UNIT_DIRECTORIES
