"""Checks the current user, the secret key, and the database: write access, durability, loss audit and queue."""

from __future__ import annotations

import os
import stat

from emailrouter.check.check_context import CheckContext
from router.admin.installation.loss_audit import audit_losses
from router.check_result import CheckResult, fail, ok, warn
from router.clock import SECOND
from router.model import Micros
from router.secrets import KEY_FILE, fingerprint
from router.store.migrate import LATEST_VERSION

_MAX_PENDING_AGE: Micros = 3600 * SECOND


async def database(context: CheckContext) -> list[CheckResult]:
    opened = context.database
    if opened is None:
        return []
    row = await opened.fetch_one("check_is_standby")
    url = context.config.database.url
    if row is not None and row["standby"]:
        fix = "Point [database] url at the primary: this server is a read-only replica"
        return [fail("database", f"{url} is a standby", fix)]
    async with opened.transaction() as transaction:
        await transaction.fetch_one("installation_value", name="secret_key")
    results = [ok("database", f"{url} is writable and has schema version {LATEST_VERSION}")]
    durability = await opened.fetch_one("check_durability")
    names = ("synchronous_commit", "fsync")
    off = [name for name in names if durability is not None and durability[name] == "off"]
    if off:
        settings = " and ".join(off)
        fix = f"Set {settings} to on in postgresql.conf; ALTER DATABASE and ALTER ROLE can override synchronous_commit"
        results.append(warn("database", f"{settings} turned off: accepted mail may be lost in a crash", fix))
    return results


async def secret_key(context: CheckContext) -> list[CheckResult]:
    """Compares the key of this host with the fingerprint in the database. Never creates a key."""
    config, name = context.config, "secret key"
    configured = config.server.secret_key
    path = config.server.data_dir / KEY_FILE
    results = []
    known = (
        None if context.database is None else await context.database.fetch_one("installation_value", name="secret_key")
    )
    if configured is None:
        try:
            key = path.read_text(encoding="utf-8").strip()
            mode = path.stat().st_mode
        except FileNotFoundError:
            if known is None:
                return [ok(name, f"none yet: {path} is created at the first start")]
            fix = f"Restore the key of this database to {path} (from a backup, or from another host)"
            return [fail(name, f"{path} does not exist, but the database has secrets encrypted with a key", fix)]
        except OSError as error:
            fix = f"chown emailrouter: {path} (and run this check as that user)"
            return [fail(name, f"{path} cannot be read: {error.strerror or error}", fix)]
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            results.append(warn(name, f"{path} is readable by other users", f"chmod 600 {path}"))
    else:
        key = configured.reveal()
    try:
        key_fingerprint = fingerprint(key)
    except ValueError:
        return [fail(name, f"{path} does not contain a secret key", "Restore the right key from a backup")]
    if known is not None and known["value"] != key_fingerprint:
        where = "[server] secret_key" if configured is not None else str(path)
        fix = f"Copy the key of the other hosts to {where}: all hosts of one database need the same key"
        text = (
            f"the key of this host has the fingerprint {key_fingerprint}, "
            f"but the secrets in the database were encrypted with the key {known['value']}"
        )
        return [*results, fail(name, text, fix)]
    return [*results, ok(name, f"fingerprint {key_fingerprint}")]


async def loss_audit(context: CheckContext) -> list[CheckResult]:
    if context.database is None:
        return []
    found = await audit_losses(context.database)
    fix = (
        "This is a bug in Email Router. Keep the logs and a backup of the database, and report it; "
        "`emailrouter trace ID` shows what is recorded about a message"
    )
    faults = [fail("loss audit", fault, fix) for fault in found.list_faults()]
    duplicates = f"; {found.repeats} recent duplicates were accepted without another ticket" if found.repeats else ""
    return faults or [ok("loss audit", f"newest {found.messages} messages: {found.summary}{duplicates}")]


async def queue(context: CheckContext) -> list[CheckResult]:
    if context.database is None:
        return []
    results = []
    dead = await context.database.fetch_one("metrics_dead")
    if dead is not None and dead["dead"]:
        fix = "emailrouter delivery list --state dead shows why; emailrouter delivery replay --all retries them"
        results.append(warn("queue", f"{dead['dead']} deliveries failed permanently", fix))
    if dead is not None and dead["dead_replies"]:
        fix = "emailrouter reply list --state failed shows why; emailrouter reply retry ID retries one"
        results.append(warn("queue", f"recipients to whom a reply was not sent: {dead['dead_replies']}", fix))
    row = await context.database.fetch_one("metrics_queue")
    states = ("waiting", "parked", "waiting_replies", "parked_replies")
    waiting = sum(row[state] for state in states) if row is not None else 0
    if row is not None and row["oldest_at"] is not None and context.clock.now() - row["oldest_at"] > _MAX_PENDING_AGE:
        hours = (context.clock.now() - row["oldest_at"]) // (3600 * SECOND)
        fix = "Check the integrations below, and that `emailrouter serve` or `emailrouter deliver` runs"
        results.append(warn("queue", f"{waiting} deliveries are pending, the oldest for {hours} h", fix))
    return results or [ok("queue", f"{waiting} deliveries are pending")]


async def user(_: CheckContext) -> list[CheckResult]:
    """Warns about root, whose permissions differ from those of the program's user."""
    if os.geteuid() != 0:
        return []
    fix = "runuser -u emailrouter -- emailrouter check"
    return [warn("user", "running as root: the permissions of the program's user are not checked", fix)]
