"""Doubles that fail: a meter and a waker that raise at every call, and a log that raises for chosen events."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import structlog
from structlog.types import EventDict

from router.meter import NullMeter


class FailingError(Exception):
    """The error that every object of this module raises."""


def _raise_failure(*_: object, **__: object) -> NoReturn:
    raise FailingError


class FailingMeter(NullMeter):
    """A meter that raises at every call."""

    record_connection = record_refusal = record_accept = record_routing = record_commit = _raise_failure
    record_parse = record_dns_question = record_attempt = record_delivery = record_submission = record_request = (
        _raise_failure
    )
    record_sender_check = record_spam_check = _raise_failure


class FailingWake:
    """A waker that raises at every call."""

    def wake(self, integration_ids: Iterable[str]) -> None:
        raise FailingError(list(integration_ids))

    def wake_checks(self) -> None:
        raise FailingError("checks")

    def wake_submissions(self) -> None:
        raise FailingError("submissions")

    def wake_bounces(self) -> None:
        raise FailingError("bounces")


@contextmanager
def failing_log(*events: str) -> Iterator[list[str]]:
    """Makes log calls for `events` raise. Yields a list to which the names of all other logged events are added."""
    logged_events: list[str] = []

    def processor(_: object, __: str, event: EventDict) -> NoReturn:
        if event["event"] in events:
            raise FailingError(event["event"])
        logged_events.append(event["event"])
        raise structlog.DropEvent

    processors = structlog.get_config()["processors"]
    before = processors[:]
    processors[:] = [processor]  # changed in place, because existing loggers refer to this list
    try:
        yield logged_events
    finally:
        processors[:] = before
