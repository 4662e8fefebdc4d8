"""All checks, beside each other, each within its time: `run` is what `emailrouter check` does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from config.schema import Config
from emailrouter import operator_services, use_cases
from emailrouter.check import (
    certificate,
    disk,
    hooks,
    names,
    ports,
    private_files,
    proxies,
    published,
    sandbox,
    settings,
    storage,
)
from emailrouter.check.facts import Facts
from emailrouter.check.line import Line, fail
from router.clock import SystemClock
from router.errors import Misconfigured, Refused, SchemaMismatch, Unavailable

Check = Callable[[Facts], Awaitable[list[Line]]]

# In the order that they are shown: what the others rest on comes first.
CHECKS: tuple[Check, ...] = (
    settings.configuration,
    storage.who,
    storage.database,
    storage.clock,
    disk.disk,
    storage.secret_key,
    private_files.private_files,
    certificate.certificate,
    names.name_servers,
    names.own_name,
    names.mx_hosts,
    ports.smtp,
    ports.api,
    proxies.trusted,
    names.domains,
    hooks.integrations,
    storage.queue,
    storage.loss_audit,
    published.policies,
    published.dane,
    sandbox.units,
)
PATIENCE = 20.0  # seconds for one check; all of them run at once


async def run(config: Config) -> list[Line]:
    """The lines of every check, in order. Changes nothing; raises nothing that a check meets."""
    first: list[Line] = []
    database = None
    try:
        async with asyncio.timeout(PATIENCE):
            database = await operator_services.existing_database(config)
    except Refused as refused:
        first.append(fail("database", refused.message, "Run emailrouter init, or start emailrouter serve"))
    except SchemaMismatch as mismatch:
        fix = "emailrouter migrate" if "run `emailrouter migrate`" in str(mismatch) else "Install the newer version"
        first.append(fail("database", str(mismatch), fix))
    except Misconfigured as error:
        first.append(fail("database", f"{config.database.url} cannot be used: {error.problem}", error.fix))
    except Unavailable as error:
        fix = "Check [database] url and its password, that the server runs, and that it admits this host (pg_hba.conf)"
        if config.database.url.path is not None:
            fix = (
                f"Check the owner (emailrouter) and the disk of {config.database.url.path}; otherwise restore a backup"
            )
        first.append(fail("database", f"{config.database.url} cannot be used: {error}", fix))
    except TimeoutError:
        fix = "Check the network between this host and the database, and [database] url"
        first.append(fail("database", f"{config.database.url} does not respond within {PATIENCE:g} s", fix))
    try:
        facts = Facts(config, use_cases.dns_resolver(config), SystemClock(), database)
        return first + await of(facts)
    finally:
        if database is not None:
            await database.close()


async def of(facts: Facts) -> list[Line]:
    """The lines of every check over these facts."""
    found = await asyncio.gather(*(_one(check, facts) for check in CHECKS))
    return [line for lines in found for line in lines]


async def _one(check: Check, facts: Facts) -> list[Line]:
    """A check that breaks, or takes too long, is a line."""
    name = check.__name__.replace("_", " ")
    try:
        async with asyncio.timeout(PATIENCE):
            return await check(facts)
    except TimeoutError:
        return [fail(name, f"did not finish within {PATIENCE:g} s", "Check the network, the DNS and the database")]
    except Unavailable as error:
        return [fail(name, f"the database is unavailable: {error}", "Check the database, its disk and its network")]
    except OSError as error:
        return [fail(name, f"the check failed: {error}", "Run it as the user of the program (emailrouter)")]
    except Exception as error:  # noqa: BLE001 - the other checks are still worth having
        return [
            fail(name, f"the check failed: {type(error).__name__}: {error}", "This is a bug in Email Router: report it")
        ]
