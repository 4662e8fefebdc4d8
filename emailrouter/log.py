"""Logging of the program and its libraries on standard error: JSON lines, or text for a terminal.

A log call never raises and does not wait for the reader of standard error (`emailrouter.line_writer`). Callers never
pass message bodies or secrets; secret types print as `***`.
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
from router.unicode_security import safe_line

Format = Literal["auto", "console", "json"]
Level = Literal["debug", "info", "warning", "error"]

# Useful values, such as recipients, have at most a few hundred characters.
MAX_VALUE_LENGTH = 8192
# The traceback of a recursion of 1,000 calls fits, if each call takes up to 260 characters.
MAX_LINE_LENGTH = 262144
# Python refuses to convert very large integers to text.
_MAX_BITS = 256

_NUMBERS = logging.getLevelNamesMapping()

log = structlog.get_logger()


class _LevelFilter:
    """Drops events below level `number`.

    A filtering logger class could not change its level later, because structlog caches loggers.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def __call__(self, _: object, method: str, event: EventDict) -> EventDict:
        if _NUMBERS.get(method.upper(), logging.ERROR) < self.number:
            raise structlog.DropEvent
        return event


class _LineTooLongError(ValueError):
    """A rendered line is longer than `MAX_LINE_LENGTH`."""


class _LineLogger:
    def __init__(self, writer: LineWriter) -> None:
        self.writer = writer

    def __call__(self, *_: object) -> _LineLogger:
        """Logger factory of structlog. All loggers share this object."""
        return self

    def msg(self, line: str) -> None:
        if len(line) > MAX_LINE_LENGTH:
            raise _LineTooLongError(f"{len(line)} characters")
        self.writer.write(line)

    debug = info = warning = error = critical = msg


class _Logger(structlog.BoundLoggerBase):
    """A structlog logger whose methods never raise."""

    def debug(self, event: str, **fields: Any) -> None:
        self._log_event("debug", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._log_event("info", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._log_event("warning", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._log_event("error", event, fields)

    def critical(self, event: str, **fields: Any) -> None:
        self._log_event("critical", event, fields)

    def exception(self, event: str, **fields: Any) -> None:
        self._log_event("error", event, {"exc_info": True, **fields})

    def _log_event(self, level: str, event: str, fields: dict[str, Any]) -> None:
        try:
            if fields.get("exc_info") is True:
                # Captured now, because another exception may be current when the event is rendered.
                fields["exc_info"] = sys.exc_info()
            self._proxy_to_logger(level, event, **fields)
        except Exception as error:  # noqa: BLE001 - logging must not fail the caller
            self._log_safely(level, event, fields, error)

    def _log_safely(self, level: str, event: str, fields: dict[str, Any], fault: Exception) -> None:
        """Logs the event with safe values, as a last resort without the processors."""
        try:
            exc_info = fields.pop("exc_info", None)
            plain: dict[str, Any] = {key: _safe_value(value) for key, value in fields.items()}
            plain["log_error"] = type(fault).__name__
            event = str(_safe_value(event))
            try:
                self._proxy_to_logger(level, event, exc_info=exc_info, **plain)
            except Exception:  # noqa: BLE001 - a processor fails even with safe values
                self._logger.msg(_render_line(level, event, plain))
        except Exception:  # noqa: BLE001 - the line cannot be rendered at all
            self._logger.writer.drop()


class _Handler(logging.Handler):
    """Writes the records of the `logging` module. Needs no lock, because `LineWriter` is thread-safe."""

    def __init__(self, writer: LineWriter, formatter: logging.Formatter) -> None:
        super().__init__()
        self._lines = _LineLogger(writer)
        self.setFormatter(formatter)

    def handle(self, record: logging.LogRecord) -> bool:
        """Writes the record and never raises. `logging.Handler` would print a traceback to the same stream."""
        try:
            self._lines.msg(self.format(record))
        except Exception as error:  # noqa: BLE001 - logging must not fail the caller
            fields = {"logger": _safe_value(record.name), "log_error": type(error).__name__}
            try:
                self._lines.msg(_render_line(record.levelname.lower(), str(_safe_value(record.msg)), fields))
            except Exception:  # noqa: BLE001 - the line cannot be rendered at all
                self._lines.writer.drop()
        return True


def _truncate_values(_: object, __: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if isinstance(value, str | bytes) and len(value) > MAX_VALUE_LENGTH:
            event[key] = _truncate(value)
    return event


def _clean_values(_: object, __: str, event: EventDict) -> EventDict:
    """Removes deceptive Unicode characters (`safe_line`), which JSON output escapes."""
    return {key: safe_line(value) if isinstance(value, str) else value for key, value in event.items()}


def _truncate(value: str | bytes) -> str:
    start = value[:MAX_VALUE_LENGTH]
    text = start if isinstance(start, str) else start.decode("ascii", "backslashreplace")
    return f"{text}... ({len(value)} in total)"


def _safe_value(value: object) -> str | int | float | None:
    """Returns a value that renders without calling methods of the original value, which may raise."""
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value  # type: ignore[return-value]
    if isinstance(value, int) and kind is int and value.bit_length() <= _MAX_BITS:
        return value
    if isinstance(value, str) and kind is str:
        return value if len(value) <= MAX_VALUE_LENGTH else _truncate(value)
    return f"<{kind.__name__}>"


def _render_line(level: str, event: str, fields: Mapping[str, object]) -> str:
    return json.dumps({**fields, "event": event, "level": level, "timestamp": datetime.now(UTC).isoformat()})


def configure_logging(log_format: Format, level: Level) -> None:
    """Configures logging. Must be called once, before the first event."""
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
        # Rich tracebacks show local variables, which can contain message contents and keys.
        plain = structlog.dev.plain_traceback
        last = [_clean_values, structlog.dev.ConsoleRenderer(colors=terminal, exception_formatter=plain)]
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
    """Changes the level of all loggers. Requires `configure_logging`."""
    number = _NUMBERS[level.upper()]
    for processor in structlog.get_config()["processors"]:
        if isinstance(processor, _LevelFilter):
            processor.number = number
    # Libraries never log below the level warning.
    logging.getLogger().setLevel(max(number, logging.WARNING))


def dropped_lines() -> int:
    lines = structlog.get_config()["logger_factory"]
    return lines.writer.dropped if isinstance(lines, _LineLogger) else 0


def log_uncaught_exceptions() -> None:
    """Logs warnings and uncaught exceptions.

    Python's own hooks would block while the reader of standard error is slow.
    """
    logging.captureWarnings(True)
    sys.excepthook = _log_crash
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_thread_failed


def _log_crash(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    log.critical("process.crashed", exc_info=error)


def _log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    name = getattr(unraisable.object, "__qualname__", type(unraisable.object).__name__)
    log.error("process.unraisable_exception", object=name, exc_info=unraisable.exc_value)


def _log_thread_failed(failed: threading.ExceptHookArgs) -> None:
    name = failed.thread.name if failed.thread is not None else ""
    log.error("process.thread_failed", thread=name, exc_info=failed.exc_value)


def _dropped_lines_renderer(processors: list[Processor]) -> Callable[[int], str]:
    log = structlog.wrap_logger(structlog.ReturnLogger(), processors=processors, wrapper_class=structlog.BoundLogger)

    def render(lines: int) -> str:
        return str(log.error("log.lines_dropped", count=lines))

    return render


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False
