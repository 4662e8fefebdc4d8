"""Side tasks that fail: a meter and a wake of which every call raises, and a log of which chosen events do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import structlog
from structlog.types import EventDict

from router.meter import Unmetered


class FailingError(Exception):
    """Raised by everything here."""


def _fails(*_: object, **__: object) -> NoReturn:
    raise FailingError


class FailingMeter(Unmetered):
    """See `router.meter.Meter`."""

    connected = refused = accepted = routed = committed = parsed = attempted = delivered = requested = _fails


class FailingWake:
    """See `router.ports.Wake`."""

    def wake(self, integration_ids: Iterable[str]) -> None:
        raise FailingError(list(integration_ids))


@contextmanager
def failing_log(*events: str) -> Iterator[list[str]]:
    """Raises from every log call of these events, as a log of another program could; yields the others' names."""
    told: list[str] = []

    def processor(_: object, __: str, event: EventDict) -> NoReturn:
        if event["event"] in events:
            raise FailingError(event["event"])
        told.append(event["event"])
        raise structlog.DropEvent

    processors = structlog.get_config()["processors"]
    before = processors[:]
    processors[:] = [processor]  # the same list: loggers in use keep it
    try:
        yield told
    finally:
        processors[:] = before
