"""Raises the limit of file descriptors (RLIMIT_NOFILE) to the number that the configured limits require.

With fewer descriptors, accepting a connection or opening the database could fail below the configured limits.
"""

from __future__ import annotations

import resource

from config.schema import Config
from emailrouter.assembly import SQLITE_READERS, Role
from router.errors import ConfigurationFault

# For listening sockets, pipes of parser processes, DNS queries, the log, and connections that are closed immediately.
OTHER_DESCRIPTORS = 256


def needed_descriptors(config: Config, roles: frozenset[Role]) -> dict[str, int]:
    """Returns the maximum number of file descriptors that a process needs, by setting or kind of file."""
    needed = {"other files": OTHER_DESCRIPTORS}
    if config.database.url.path is not None:
        needed["SQLite"] = 3 * (SQLITE_READERS + 2)
    else:
        needed["database.pool_size"] = config.database.pool_size
    if "smtp" in roles:
        needed["smtp.max_connections"] = config.smtp.max_connections
    if "api" in roles:
        from api.server import MAX_CONNECTIONS  # noqa: PLC0415 - an smtp process does not load the API

        needed["API connections"] = MAX_CONNECTIONS
    if "deliver" in roles:
        needed["delivery.concurrency"] = config.delivery.concurrency
    return needed


def raise_limit(config: Config, roles: frozenset[Role]) -> None:
    """If the soft limit is too low, increases it to the needed number, and the hard limit too if necessary.

    Raises `ConfigurationFault` if the process may not increase the hard limit.
    """
    parts = needed_descriptors(config, roles)
    total = sum(parts.values())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _is_enough(soft, total):
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (total, hard if _is_enough(hard, total) else total))
    except (OSError, ValueError):
        breakdown = ", ".join(f"{name} {count}" for name, count in parts.items())
        raise ConfigurationFault(
            f"the configuration needs {total} file descriptors ({breakdown}), but the limit of this process is {hard}",
            "raise LimitNOFILE of the unit (or `ulimit -Hn`), or lower these settings",
        ) from None


def _is_enough(limit: int, total: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= total
