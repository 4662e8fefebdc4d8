"""Checks the clock of this host against the clocks that the program has contact with anyway.

A wrong clock makes leases and retries unreliable, signatures of DKIM expire early or late, and moves the time in which
an action can be undone.
"""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, fail, ok, warn
from router.clock import SECOND
from router.model import Micros
from router.store.postgres import PostgresDatabase

_OFFSET_WARN: Micros = 2 * SECOND
_OFFSET_FAIL: Micros = 60 * SECOND
_FIX = "Synchronise the clocks: timedatectl set-ntp true (systemd-timesyncd or chrony), on every host"


async def clock(context: CheckContext) -> list[CheckResult]:
    results = [*await _check_database(context), *_check_kernel(context)]
    return results or [ok("clock", "not compared: the database is on this host, and no other clock is known")]


async def _check_database(context: CheckContext) -> list[CheckResult]:
    """Compares with the clock of a PostgreSQL server. SQLite uses the clock of this host."""
    if context.database is None:
        return []
    now = context.clock.now()
    newest = await context.database.fetch_one("check_newest_message")
    if newest is not None and newest["received_at"] - now > _OFFSET_FAIL:
        ahead = (newest["received_at"] - now) // SECOND
        text = f"the newest message was received {ahead} s in the future: a clock was or is wrong"
        return [fail("clock", text, _FIX)]
    if not isinstance(context.database, PostgresDatabase):
        return []
    row = await context.database.fetch_one("check_clock")
    return [] if row is None else [compare("the database's", context.clock.now() - row["now"])]


def _check_kernel(context: CheckContext) -> list[CheckResult]:
    is_synchronised = context.is_clock_synchronised()
    if is_synchronised is None:
        return []
    if is_synchronised:
        return [ok("clock", "a time service synchronises it, according to the kernel")]
    text = "no time service synchronises it, according to the kernel"
    return [warn("clock", text, f"{_FIX}; no action is needed if the hypervisor sets the clock")]


def compare(other: str, offset: Micros) -> CheckResult:
    """Returns a line about the difference to another clock. `other` is its owner, such as `the database's`."""
    text = f"this host's clock and {other} differ by {abs(offset) / SECOND:.1f} s"
    if abs(offset) > _OFFSET_FAIL:
        return fail("clock", f"{text}: leases, retries and the expiry of DKIM signatures are unreliable", _FIX)
    return warn("clock", text, _FIX) if abs(offset) > _OFFSET_WARN else ok("clock", text)


def compare_date(other: str, date: str, now: Micros) -> CheckResult | None:
    """Compares with the field `Date` of an HTTP response, which has whole seconds. Returns None if it has no date."""
    try:
        sent_at = round(parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp() * SECOND)
    except (ValueError, OverflowError):
        return None
    # The response was made in the second that begins at `sent_at`.
    offset = now - sent_at
    return compare(other, min(offset, max(0, offset - SECOND)))
