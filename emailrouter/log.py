"""Logging for the whole program: one line for each event, on standard error, as JSON or for a terminal's reader.

Libraries that log by the standard library come through the same lines. Mail bodies and secrets are never logged;
that is the callers' duty, secrets print as `***` by their type. A log call never raises and never waits, whatever its
values, the processors or the stream do: a line that cannot be rendered is written with what can be, and a line that
cannot be written is counted (`dropped_lines`).
"""

from __future__ import annotations

import atexit
import json
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
from structlog.types import EventDict, Processor

from emailrouter.line_writer import LineWriter
from router.unicode_security import shown_line

Format = Literal["auto", "console", "json"]
Level = Literal["debug", "info", "warning", "error"]

# Characters of a value: the longest that is of use, a recipient or the reason of a refusal, has some hundred.
MAX_VALUE_LENGTH = 8192
# Characters of a line: a traceback of a deep recursion has some 100,000.
MAX_LINE_LENGTH = 262144
# Integers past this many bits are not written out: Python refuses to convert very long ones.
_MAX_BITS = 256

_NUMBERS = logging.getLevelNamesMapping()

log = structlog.get_logger()


class _LevelFilter:
    """Drops what is less severe than `number`. A processor, because loggers keep the class they were first given."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, _: object, method: str, event: EventDict) -> EventDict:
        if _NUMBERS.get(method.upper(), logging.ERROR) < self.number:
            raise structlog.DropEvent
        return event


class _LineTooLongError(ValueError):
    """A rendered line is longer than `MAX_LINE`."""


class _LineLogger:
    """What structlog's loggers hand their rendered lines to."""

    def __init__(self, writer: LineWriter) -> None:
        self.writer = writer

    def __call__(self, *_: object) -> _LineLogger:
        """structlog's factory of loggers: all share this one."""
        return self

    def msg(self, line: str) -> None:
        """Writes one line; raises `_LineTooLongError`."""
        if len(line) > MAX_LINE_LENGTH:
            raise _LineTooLongError(f"{len(line)} characters")
        self.writer.write(line)

    debug = info = warning = error = critical = msg


class _Logger(structlog.BoundLoggerBase):
    """structlog's methods, none of which raises."""

    def debug(self, event: str, **facts: Any) -> None:
        self._log("debug", event, facts)

    def info(self, event: str, **facts: Any) -> None:
        self._log("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        self._log("warning", event, facts)

    def error(self, event: str, **facts: Any) -> None:
        self._log("error", event, facts)

    def critical(self, event: str, **facts: Any) -> None:
        self._log("critical", event, facts)

    def exception(self, event: str, **facts: Any) -> None:
        """An error with the traceback of the exception that is being handled."""
        self._log("error", event, {"exc_info": True, **facts})

    def _log(self, level: str, event: str, facts: dict[str, Any]) -> None:
        try:
            if facts.get("exc_info") is True:
                # Resolved here: below, another exception may be the one that is being handled.
                facts["exc_info"] = sys.exc_info()
            self._proxy_to_logger(level, event, **facts)
        except Exception as error:  # noqa: BLE001 - a side task must not undo the main one
            self._log_safely(level, event, facts, error)

    def _log_safely(self, level: str, event: str, facts: dict[str, Any], fault: Exception) -> None:
        """The same line with every value made printable; at last without the processors."""
        try:
            exc_info = facts.pop("exc_info", None)
            plain: dict[str, Any] = {key: _safe_value(value) for key, value in facts.items()}
            plain["log_error"] = type(fault).__name__
            event = str(_safe_value(event))
            try:
                self._proxy_to_logger(level, event, exc_info=exc_info, **plain)
            except Exception:  # noqa: BLE001 - a processor fails whatever it is given
                self._logger.msg(_render_line(level, event, plain))
        except Exception:  # noqa: BLE001 - not even this line can be made
            self._logger.writer.drop()


class _Handler(logging.Handler):
    """The standard library's records. Without a lock of its own: see `LineWriter`."""

    def __init__(self, writer: LineWriter, formatter: logging.Formatter) -> None:
        super().__init__()
        self._lines = _LineLogger(writer)
        self.setFormatter(formatter)

    def handle(self, record: logging.LogRecord) -> bool:
        """Never raises, as opposed to `logging.Handler`, which prints a traceback to the same stream."""
        try:
            self._lines.msg(self.format(record))
        except Exception as error:  # noqa: BLE001 - a side task must not undo the main one
            facts = {"logger": _safe_value(record.name), "log_error": type(error).__name__}
            try:
                self._lines.msg(_render_line(record.levelname.lower(), str(_safe_value(record.msg)), facts))
            except Exception:  # noqa: BLE001 - not even this line can be made
                self._lines.writer.drop()
        return True


def _truncate_values(_: object, __: str, event: EventDict) -> EventDict:
    """Bounds every text before it is rendered."""
    for key, value in event.items():
        if isinstance(value, str | bytes) and len(value) > MAX_VALUE_LENGTH:
            event[key] = _truncate(value)
    return event


def _escape_values(_: object, __: str, event: EventDict) -> EventDict:
    """Removes what turns the direction of a terminal's line, or is not seen on it; JSON escapes it."""
    return {key: shown_line(value) if isinstance(value, str) else value for key, value in event.items()}


def _truncate(value: str | bytes) -> str:
    start = value[:MAX_VALUE_LENGTH]
    text = start if isinstance(start, str) else start.decode("ascii", "backslashreplace")
    return f"{text}... ({len(value)} in all)"


def _safe_value(value: object) -> str | int | float | None:
    """What can be rendered without a call of the value's own methods: they may be what raised."""
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value  # type: ignore[return-value]
    if isinstance(value, int) and kind is int and value.bit_length() <= _MAX_BITS:
        return value
    if isinstance(value, str) and kind is str:
        return value if len(value) <= MAX_VALUE_LENGTH else _truncate(value)
    return f"<{kind.__name__}>"


def _render_line(level: str, event: str, facts: Mapping[str, object]) -> str:
    """A line of JSON without the processors; for plain values."""
    return json.dumps({**facts, "event": event, "level": level, "timestamp": datetime.now(UTC).isoformat()})


def configure_logging(log_format: Format, level: Level) -> None:
    """Called once, before anything logs. `auto`: console on a terminal, else JSON."""
    terminal = _is_terminal(sys.stderr)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _truncate_values,
    ]
    last: list[Processor]
    if log_format == "json" or (log_format == "auto" and not terminal):
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=True)]
    else:
        # Plain tracebacks: the fancy ones show every local variable, mails and keys among them.
        plain = structlog.dev.plain_traceback
        last = [_escape_values, structlog.dev.ConsoleRenderer(colors=terminal, exception_formatter=plain)]
    writer = LineWriter(sys.stderr, _dropped_lines_renderer([*shared, *last]))
    atexit.register(writer.flush)
    structlog.configure(
        processors=[_LevelFilter(_NUMBERS[level.upper()]), *shared, *last],
        wrapper_class=_Logger,
        logger_factory=_LineLogger(writer),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    logging.getLogger().handlers[:] = [_Handler(writer, formatter)]
    set_level(level)


def set_level(level: Level) -> None:
    """Changes the least severe event that is logged, for all loggers at once; `set_up` was called before."""
    number = _NUMBERS[level.upper()]
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, _LevelFilter):
            processor.number = number
    # Libraries tell much that is no event of ours; what they warn of is.
    logging.getLogger().setLevel(max(number, logging.WARNING))


def dropped_lines() -> int:
    """How many lines this process could not write since `set_up`."""
    lines = structlog.get_config()["logger_factory"]
    return lines.writer.dropped if isinstance(lines, _LineLogger) else 0


def log_uncaught_exceptions() -> None:
    """Sends warnings and exceptions that nothing can catch through the log: Python itself would wait for the reader."""
    logging.captureWarnings(True)
    sys.excepthook = _log_crash
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_thread_failed


def _log_crash(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    log.critical("process.crashed", exc_info=error)


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    of = getattr(unraisable.object, "__qualname__", type(unraisable.object).__name__)
    log.error("process.unraisable_exception", object=of, exc_info=unraisable.exc_value)


def _log_thread_failed(failed: threading.ExceptHookArgs) -> None:
    name = failed.thread.name if failed.thread is not None else ""
    log.error("process.thread_failed", thread=name, exc_info=failed.exc_value)


def _dropped_lines_renderer(processors: list[Processor]) -> Callable[[int], str]:
    """Renders the line that tells of dropped ones; whatever the level, it is written."""
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=processors, wrapper_class=structlog.BoundLogger)

    def notice(lines: int) -> str:
        return str(log.error("log.lines_dropped", count=lines))

    return notice


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False
