"""Runs all checks concurrently, each with a time limit."""

from __future__ import annotations

import asyncio

from config.schema import Config
from emailrouter import operator_services, use_cases
from emailrouter.assembly.core import AnyDatabase
from emailrouter.check import (
    certificate,
    clients,
    clock,
    disk,
    dns_records,
    integrations,
    kernel_clock,
    ports,
    private_files,
    proxies,
    resolver,
    rspamd,
    sandbox,
    sending_records,
    settings,
    smarthosts,
    storage,
    transport_policies,
)
from emailrouter.check.check_context import CheckContext
from emailrouter.check.execution import Check, run_check
from emailrouter.os_errors import describe_unavailable
from router.check_result import CheckResult, fail
from router.clock import SystemClock
from router.errors import ConfigurationFault, Refused, SchemaMismatch, Unavailable

# In the order of display. Prerequisites of other checks come first.
CHECKS: tuple[Check, ...] = (
    settings.configuration,
    settings.public_url,
    storage.user,
    storage.database,
    clock.clock,
    disk.disk,
    storage.secret_key,
    private_files.private_files,
    certificate.certificate,
    dns_records.name_servers,
    resolver.resolver,
    rspamd.rspamd,
    dns_records.hostname,
    dns_records.mx_hosts,
    ports.smtp_port,
    ports.api_port,
    clients.clients,
    proxies.trusted_proxies,
    dns_records.domains,
    sending_records.sending,
    integrations.integrations,
    smarthosts.smarthosts,
    storage.queue,
    storage.loss_audit,
    transport_policies.policies,
    transport_policies.dane,
    sandbox.units,
)
CHECK_SECONDS = 20.0  # time limit of each check, and of opening the database


async def run(config: Config) -> list[CheckResult]:
    database, problems = await open_database(config, CHECK_SECONDS)
    try:
        context = CheckContext(
            config,
            use_cases.build_resolver(config),
            SystemClock(),
            database,
            is_clock_synchronised=kernel_clock.is_synchronised,
        )
        return problems + await run_checks(context)
    finally:
        if database is not None:
            await database.close()


async def open_database(config: Config, seconds: float) -> tuple[AnyDatabase | None, list[CheckResult]]:
    """Opens the configured database within a time limit. Returns None and the reason if that fails."""
    try:
        async with asyncio.timeout(seconds):
            return await operator_services.open_existing_database(config), []
    except Refused as refused:
        found = fail("database", refused.message, "Run emailrouter init, or start emailrouter serve")
    except SchemaMismatch as mismatch:
        fix = "emailrouter migrate" if "run `emailrouter migrate`" in str(mismatch) else "Install the newer version"
        found = fail("database", str(mismatch), fix)
    except ConfigurationFault as error:
        found = fail("database", f"{config.database.url} cannot be used: {error.problem}", error.fix)
    except Unavailable as error:
        fix = "Check [database] url and its password, that the server runs, and that it admits this host (pg_hba.conf)"
        if config.database.url.path is not None:
            fix = (
                f"Check the owner (emailrouter) and the disk of {config.database.url.path}; "
                "if both are correct, restore a backup"
            )
        text = f"{config.database.url} cannot be used: {describe_unavailable(error, config)}"
        found = fail("database", text, fix)
    except TimeoutError:
        fix = "Check the network between this host and the database, and [database] url"
        found = fail("database", f"{config.database.url} does not respond within {seconds:g} s", fix)
    return None, [found]


async def run_checks(context: CheckContext) -> list[CheckResult]:
    found = await asyncio.gather(*(run_check(check, context, CHECK_SECONDS) for check in CHECKS))
    return [result for results in found for result in results]
