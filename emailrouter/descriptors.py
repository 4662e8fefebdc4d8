"""The limit of file descriptors (RLIMIT_NOFILE), raised at the start to what the configured limits need.

Without them a process that is within its own limits would refuse connections, and could not open its database.
"""

from __future__ import annotations

import resource

from config.schema import Config
from emailrouter.assembly import SQLITE_READERS, Role
from router.errors import Misconfigured

# Database files (three for each SQLite connection), listening sockets, the pipes of parsing processes, DNS queries, the
# log, certificates that are read again, and connections that are closed as soon as they are accepted.
OTHER_DESCRIPTORS = 256


def needed_descriptors(config: Config, roles: frozenset[Role]) -> dict[str, int]:
    """The file descriptors that a process with these roles can use at once, by what they are used for."""
    found = {"other files": OTHER_DESCRIPTORS}
    if config.database.url.path is not None:
        found["SQLite"] = 3 * (SQLITE_READERS + 2)
    else:
        found["database.pool_size"] = config.database.pool_size
    if "smtp" in roles:
        found["smtp.max_connections"] = config.smtp.max_connections
    if "api" in roles:
        from api.server import MAX_CONNECTIONS  # noqa: PLC0415 - an smtp process does not load the API

        found["API connections"] = MAX_CONNECTIONS
    if "deliver" in roles:
        found["delivery.concurrency"] = config.delivery.concurrency
    return found


def raise_limit(config: Config, roles: frozenset[Role]) -> None:
    """Raises the soft limit, and the hard limit where the process may; else raises `Misconfigured`."""
    parts = needed_descriptors(config, roles)
    total = sum(parts.values())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _is_enough(soft, total):
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (total, hard if _is_enough(hard, total) else total))
    except (OSError, ValueError):
        listed = ", ".join(f"{name} {count}" for name, count in parts.items())
        raise Misconfigured(
            f"the configuration needs {total} file descriptors ({listed}), but the limit of this process is {hard}",
            "raise LimitNOFILE of the unit (or `ulimit -Hn`), or lower these settings",
        ) from None


def _is_enough(limit: int, total: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= total
