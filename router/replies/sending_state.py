"""Whether mail can be sent from a domain after a check of its records, and which keys sign it. Pure.

A key signs once DNS has shown its record; the older key of its algorithm then is retired. Sending fails after two
rechecks in a row that definitely found no record of the signing key, so that one wrong answer stops nothing. DNS that
does not answer changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from router.clock import SECOND
from router.dns.verification import load_records
from router.enumerations import SendingStatus
from router.mail.dkim.private_key import record_name
from router.model import Domain, DomainKey, Micros
from router.replies.records.check import SendingCheck

DAY: Micros = 86_400 * SECOND
# How long receivers may still verify mail that an older key has signed.
KEEP_RETIRED: Micros = 7 * DAY
# These intervals replace a longer `[dns] recheck_interval`: while a new key waits for its record, and after a miss.
NEW_KEY_INTERVAL: Micros = 900 * SECOND
NEW_KEY_AGE: Micros = 2 * DAY
MISSING_INTERVAL: Micros = 3600 * SECOND

SendingEvent = Literal["", "active", "failing", "recovered"]


@dataclass(frozen=True, slots=True)
class SendingChange:
    """What a check changes.

    Attributes:
        activated: The selectors of the keys that sign from now on.
        retired: The selectors of the keys that they replace.
        removed: The selectors of retired keys that can be forgotten: their records are gone.
        event: The transition to report, or `""`.
    """

    status: SendingStatus
    activated: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    event: SendingEvent = ""


def next_sending(
    domain: Domain, keys: Sequence[DomainKey], check: SendingCheck, now: Micros, *, counts_misses: bool
) -> SendingChange:
    """Returns what the check changes. `counts_misses` is false for a check that a user started."""
    activated = [
        key for key in map(_newest, _by_algorithm(keys)) if key.active_at is None and key.selector in check.shown
    ]
    retired = tuple(
        key.selector
        for key in keys
        if key.retired_at is None
        and any(new.algorithm == key.algorithm and new.selector != key.selector for new in activated)
    )
    removed = tuple(
        key.selector
        for key in keys
        if key.retired_at is not None and now - key.retired_at >= KEEP_RETIRED and key.selector in check.gone
    )
    selectors = tuple(key.selector for key in activated)
    status, event = _next_status(domain, keys, check, {*selectors}, counts_misses=counts_misses)
    return SendingChange(status, selectors, retired, removed, event)


def _next_status(
    domain: Domain, keys: Sequence[DomainKey], check: SendingCheck, activated: set[str], *, counts_misses: bool
) -> tuple[SendingStatus, SendingEvent]:
    signing = next((key.selector for key in keys if key.algorithm == "rsa" and key.selector in activated), "")
    signing = signing or next((key.selector for key in keys if is_signing(key) and key.algorithm == "rsa"), "")
    if domain.sending == "off" or not signing:
        return domain.sending, ""
    if signing in check.shown:
        match domain.sending:
            case "pending":
                return "active", "active"
            case "failing":
                return "active", "recovered"
        return "active", ""
    was_missing = any(
        record.name == record_name(domain.name, signing) and record.status in ("missing", "wrong")
        for record in load_records(domain.sending_records)
    )
    if domain.sending == "active" and signing in check.missing and counts_misses and was_missing:
        return "failing", "failing"
    return domain.sending, ""


def is_signing(key: DomainKey) -> bool:
    return key.active_at is not None and key.retired_at is None


def is_waiting(key: DomainKey) -> bool:
    """Whether DNS has not shown the record of the key yet."""
    return key.active_at is None and key.retired_at is None


def removable_at(key: DomainKey) -> Micros | None:
    """Returns when the record of a retired key can be removed from DNS."""
    return None if key.retired_at is None else key.retired_at + KEEP_RETIRED


def next_check_at(
    domain: Domain, keys: Sequence[DomainKey], change: SendingChange, check: SendingCheck, now: Micros
) -> Micros:
    """Returns the time of the next check, if it is earlier than `domain.next_check_at`."""
    if change.status == "off":
        return domain.next_check_at
    waiting = [key for key in keys if is_waiting(key) and key.selector not in change.activated]
    if any(now - key.created_at < NEW_KEY_AGE for key in waiting):
        return min(domain.next_check_at, now + NEW_KEY_INTERVAL)
    is_lost = any(is_signing(key) and key.selector in check.missing for key in keys)
    if change.status == "failing" or is_lost:
        return min(domain.next_check_at, now + MISSING_INTERVAL)
    return domain.next_check_at


def _by_algorithm(keys: Sequence[DomainKey]) -> list[list[DomainKey]]:
    groups = ([key for key in keys if key.algorithm == algorithm] for algorithm in ("rsa", "ed25519"))
    return [group for group in groups if group]


def _newest(keys: Sequence[DomainKey]) -> DomainKey:
    return max(keys, key=lambda key: (key.created_at, key.selector))
