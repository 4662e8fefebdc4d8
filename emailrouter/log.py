"""Logging for the whole program: one line for each event, on standard error, as JSON or for a terminal's reader.

Libraries that log by the standard library come through the same lines. Mail bodies and secrets are never logged;
that is the callers' duty, secrets print as `***` by their type.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
from structlog.types import EventDict, Processor

Format = Literal["auto", "console", "json"]
Level = Literal["debug", "info", "warning", "error"]

_NUMBERS = logging.getLevelNamesMapping()


class _Threshold:
    """Drops what is less severe than `number`. A processor, because loggers keep the class they were first given."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, _: object, method: str, event: EventDict) -> EventDict:
        if _NUMBERS.get(method.upper(), logging.ERROR) < self.number:
            raise structlog.DropEvent
        return event


def set_up(log_format: Format, level: Level) -> None:
    """Called once, before anything logs. `auto`: console on a terminal, else JSON."""
    if log_format == "auto":
        log_format = "console" if sys.stderr.isatty() else "json"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor]
    if log_format == "json":
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=True)]
    else:
        # Plain tracebacks: the fancy ones show every local variable, mails and keys among them.
        plain = structlog.dev.plain_traceback
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    structlog.configure(
        processors=[_Threshold(_NUMBERS[level.upper()]), *shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(level)


def set_level(level: Level) -> None:
    """Changes the least severe event that is logged, for all loggers at once; `set_up` was called before."""
    number = _NUMBERS[level.upper()]
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, _Threshold):
            processor.number = number
    # Libraries tell much that is no event of ours; what they warn of is.
    logging.getLogger().setLevel(max(number, logging.WARNING))
