"""The database behind everything: reachable, writable, of the right schema; its clock, key, books and queue."""

from __future__ import annotations

import os
import stat

from emailrouter.check.facts import Facts
from emailrouter.check.line import Line, fail, ok, warn
from router.admin.installation.loss_audit import audit_losses
from router.clock import SECOND
from router.model import Micros
from router.secrets import KEY_FILE, fingerprint
from router.store.migrate import LATEST_VERSION

_OFFSET_WARN: Micros = 2 * SECOND
_OFFSET_FAIL: Micros = 60 * SECOND
_OLD: Micros = 3600 * SECOND


async def database(facts: Facts) -> list[Line]:
    """That it takes writes. That it can be opened at all, and its schema, was seen before any check."""
    opened = facts.database
    if opened is None:
        return []
    row = await opened.fetch_one("check_standby")
    url = facts.config.database.url
    if row is not None and row["standby"]:
        fix = "Point [database] url at the primary: this server is a read-only replica"
        return [fail("database", f"{url} is a standby", fix)]
    async with opened.transaction() as transaction:
        await transaction.fetch_one("installation_fact", name="secret_key")
    lines = [ok("database", f"{url} is writable and has schema version {LATEST_VERSION}")]
    durability = await opened.fetch_one("check_durability")
    names = ("synchronous_commit", "fsync")
    off = [name for name in names if durability is not None and durability[name] == "off"]
    if off:
        fix = "Turn them on for the server, the database and the role: SHOW synchronous_commit, SHOW fsync"
        lines.append(warn("database", f"{' and '.join(off)} off: accepted mail may be lost in a crash", fix))
    return lines


async def clock(facts: Facts) -> list[Line]:
    """This host's clock against the database's, and against the newest mail."""
    if facts.database is None:
        return []
    fix = "Synchronise the clocks: timedatectl set-ntp true (systemd-timesyncd or chrony), on every host"
    row = await facts.database.fetch_one("check_clock")
    now = facts.clock.now()
    offset = 0 if row is None else now - row["now"]
    said = f"this host's clock and the database's differ by {abs(offset) / SECOND:.1f} s"
    if abs(offset) > _OFFSET_FAIL:
        return [fail("clock", f"{said}: leases and retries are unreliable", fix)]
    newest = await facts.database.fetch_one("check_newest_message")
    if newest is not None and newest["received_at"] - now > _OFFSET_FAIL:
        ahead = (newest["received_at"] - now) // SECOND
        return [fail("clock", f"the newest message was received {ahead} s in the future: a clock was or is wrong", fix)]
    if abs(offset) > _OFFSET_WARN:
        return [warn("clock", said, fix)]
    return [ok("clock", said)]


async def secret_key(facts: Facts) -> list[Line]:
    """That this host's key is the one that the database's secrets were sealed with. Makes none."""
    config, name = facts.config, "secret key"
    own = config.server.secret_key
    path = config.server.data_dir / KEY_FILE
    lines = []
    known = None if facts.database is None else await facts.database.fetch_one("installation_fact", name="secret_key")
    if own is None:
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
            lines.append(warn(name, f"{path} is readable by other users", f"chmod 600 {path}"))
    else:
        key = own.reveal()
    try:
        mine = fingerprint(key)
    except ValueError:
        return [fail(name, f"{path} does not contain a secret key", "Restore the right key from a backup")]
    if known is not None and known["value"] != mine:
        where = "[server] secret_key" if own is not None else str(path)
        fix = f"Copy the key of the other hosts to {where}: all hosts of one database need the same key"
        said = f"the key of this host is {mine}, but the secrets in the database were encrypted with {known['value']}"
        return [*lines, fail(name, said, fix)]
    return [*lines, ok(name, f"fingerprint {mine}")]


async def loss_audit(facts: Facts) -> list[Line]:
    """That accepted = ticketed + repeated, and owed = delivered + pending + dead."""
    if facts.database is None:
        return []
    found = await audit_losses(facts.database)
    fix = (
        "This is a bug in Email Router. Keep the logs and a backup of the database, and report it; "
        "`emailrouter trace ID` shows what is recorded about a message"
    )
    faults = [fail("loss audit", fault, fix) for fault in found.list_faults()]
    again = f"; {found.repeats} were recently answered as duplicates" if found.repeats else ""
    return faults or [ok("loss audit", f"of the newest {found.messages} messages {found.summary}{again}")]


async def queue(facts: Facts) -> list[Line]:
    """What waits for its integration, and what was given up."""
    if facts.database is None:
        return []
    lines = []
    dead = await facts.database.fetch_one("metrics_dead")
    if dead is not None and dead["dead"]:
        fix = "emailrouter delivery list --state dead shows why; emailrouter delivery replay retries them"
        lines.append(warn("queue", f"{dead['dead']} deliveries failed permanently", fix))
    row = await facts.database.fetch_one("metrics_queue")
    waiting = row["waiting"] + row["parked"] if row is not None else 0
    if row is not None and row["oldest_at"] is not None and facts.clock.now() - row["oldest_at"] > _OLD:
        hours = (facts.clock.now() - row["oldest_at"]) // (3600 * SECOND)
        fix = "Check the integrations below, and that a process delivers (emailrouter serve or deliver)"
        lines.append(warn("queue", f"{waiting} deliveries are pending, the oldest for {hours} h", fix))
    return lines or [ok("queue", f"{waiting} deliveries are pending")]


async def who(_: Facts) -> list[Line]:
    """As whom this runs: what root may read and write says nothing about the program's user."""
    if os.geteuid() != 0:
        return []
    fix = "runuser -u emailrouter -- emailrouter check"
    return [warn("user", "running as root: the permissions of the program's user are not checked", fix)]
