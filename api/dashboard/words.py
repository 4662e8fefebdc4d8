"""Values as people read them: times, sizes, the words for states. Pure; the filters of the templates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from api.schema.shape import iso
from router.clock import SECOND
from router.model import Micros

STATUS_WORDS = {"open": "Open", "in_progress": "In progress", "waiting": "Waiting", "resolved": "Resolved"}
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def ago(at: Micros, now: Micros) -> str:
    """`3 hours ago`; the date when it is more than a month."""
    seconds = max(0, now - at) // SECOND
    if seconds > 31 * 86400:
        return date(at)
    for length, name in _UNITS:
        if seconds >= length:
            count = seconds // length
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now"


def date(at: Micros) -> str:
    """`1 Jan 2030`."""
    moment = datetime.fromtimestamp(at // SECOND, UTC)
    return f"{moment.day} {moment:%b %Y}"


def moment(at: Micros) -> str:
    """`1 Jan 2030, 12:00 UTC`."""
    return f"{date(at)}, {datetime.fromtimestamp(at // SECOND, UTC):%H:%M} UTC"


def size(octets: int) -> str:
    """`1.4 MB`; powers of ten."""
    if octets < 1000:
        return f"{octets} octets"
    for limit, name in ((10**6, "kB"), (10**9, "MB")):
        if octets < limit:
            return f"{octets / (limit / 1000):.3g} {name}"
    return f"{octets / 10**9:.3g} GB"


def status(value: str) -> str:
    """A ticket's status in words."""
    return STATUS_WORDS.get(value, value)


FILTERS: dict[str, Callable[..., Any]] = {"iso": iso, "moment": moment, "size": size, "status": status}
