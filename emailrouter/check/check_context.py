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
    """The input of a check. If the database could not be opened, `database` is None, and `run` reports the reason."""

    config: Config
    resolver: DnsResolver
    clock: Clock
    database: AnyDatabase | None = None
    tls_context: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    statvfs: Callable[[Path], os.statvfs_result] = os.statvfs
    systemd_directory: Path = Path("/run/systemd/system")
    unit_directories: Sequence[Path] = UNIT_DIRECTORIES
