"""A log call never raises an exception, and logs what can be rendered."""

import json
import logging
import sys
import warnings
from typing import Any, NoReturn

import pytest
import structlog

from emailrouter import log


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class BrokenStr(str):
    def __str__(self) -> str:
        raise RuntimeError("no str")

    def encode(self, *_: object) -> bytes:
        raise RuntimeError("no encode")


def _recursive_list() -> list[object]:
    items: list[object] = []
    items.append(items)
    return items


def _nested_list() -> list[object]:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


VALUES: dict[str, object] = {
    "repr raises": Unprintable(),
    "repr raises inside a list": [Unprintable()],
    "key whose repr raises": {Unprintable(): 1},
    "key that JSON does not allow": {(1, 2): 3},
    "contains itself": _recursive_list(),
    "deeply nested": _nested_list(),
    "surrogate": "\ud800",
    "control characters": "\x00\x1b[2J\r\n",
    "huge integer": 10**5000,
    "huge text": "x" * 10_000_000,
    "huge bytes": b"\xff" * 10_000_000,
    "huge list": ["x" * 1000] * 1000,
    "str subclass": BrokenStr("x"),
    "NaN": float("nan"),
}


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_unusual_values(log_format: log.Format, value: object, capfd: pytest.CaptureFixture[str]) -> None:
    log.configure_logging(log_format, "info")
    structlog.get_logger().info("smtp.accepted", message_id="msg_1", value=value)
    structlog.get_logger().info("next")
    output = capfd.readouterr().err
    assert "smtp.accepted" in output
    assert "msg_1" in output
    assert "next" in output.splitlines()[-1]
    assert len(output) < 3 * log.MAX_LINE_LENGTH
    if log_format == "json":
        first, _ = [json.loads(line) for line in output.splitlines()]
        assert (first["event"], first["message_id"], first["level"]) == ("smtp.accepted", "msg_1", "info")


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_traceback_is_kept_if_a_value_cannot_be_rendered(value: object, capfd: pytest.CaptureFixture[str]) -> None:
    log.configure_logging("json", "info")
    try:
        raise LookupError("original error")
    except LookupError:
        structlog.get_logger().exception("smtp.temporary_failure", value=value)
    line = json.loads(capfd.readouterr().err)
    assert (line["event"], line["level"]) == ("smtp.temporary_failure", "error")
    assert "LookupError: original error" in line["exception"]


def test_exception_whose_str_raises(capfd: pytest.CaptureFixture[str]) -> None:
    class UnprintableError(Exception):
        __repr__ = __str__ = Unprintable.__repr__

    log.configure_logging("json", "info")
    try:
        raise UnprintableError
    except UnprintableError:
        structlog.get_logger().exception("smtp.temporary_failure")
    assert json.loads(capfd.readouterr().err)["event"] == "smtp.temporary_failure"


def test_recursion_error_is_truncated(capfd: pytest.CaptureFixture[str]) -> None:
    def again(n: int) -> int:
        return again(n + 1) + other(n)

    def other(n: int) -> int:
        return again(n + 1)

    log.configure_logging("json", "info")
    try:
        again(0)
    except RecursionError:
        structlog.get_logger().exception("smtp.temporary_failure")
    output = capfd.readouterr().err
    assert json.loads(output)["event"] == "smtp.temporary_failure"
    assert len(output) <= log.MAX_LINE_LENGTH + 1


def _raise_error(*_: object) -> NoReturn:
    raise RuntimeError("processor error")


@pytest.mark.parametrize("position", [0, -1])
def test_failing_processor(position: int, capfd: pytest.CaptureFixture[str]) -> None:
    log.configure_logging("json", "info")
    logger = structlog.get_logger()
    logger.info("before")
    structlog.get_config()["processors"].insert(position, _raise_error)
    logger.info("smtp.accepted", message_id="msg_1", value=Unprintable())
    _, line = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert (line["event"], line["message_id"], line["log_error"]) == ("smtp.accepted", "msg_1", "RuntimeError")


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("%d mails", ("many",)),
        ("%s", (Unprintable(),)),
        ("%s %s", ("one",)),
        ("\ud800%s", (b"\xff",)),
        (Unprintable(), ()),
    ],
)
def test_invalid_records_of_libraries(
    message: Any, arguments: tuple[object, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    log.configure_logging("json", "info")
    logging.getLogger("some.library").error(message, *arguments)
    line = json.loads(capfd.readouterr().err)
    assert (line["logger"], line["level"]) == ("some.library", "error")


def test_warnings_and_unraisable_exceptions_are_logged(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's default hooks write to standard error, which can block the thread of the event loop."""
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr("threading.excepthook", None)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log.configure_logging("json", "info")
        log.log_uncaught_exceptions()
        warnings.warn("something is old", DeprecationWarning, stacklevel=1)

        class Finalized:
            def __del__(self) -> None:
                raise LookupError("in a finalizer")

        Finalized()
        logging.captureWarnings(False)
    warned, unraisable = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert warned["logger"] == "py.warnings"
    assert "something is old" in warned["event"]
    assert unraisable["event"] == "process.unraisable_exception"
    assert "in a finalizer" in unraisable["exception"]


def test_dropped_lines_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    class ClosedStream:
        encoding = "utf-8"

        def write(self, _: str) -> NoReturn:
            raise OSError("closed")

        def isatty(self) -> NoReturn:
            raise ValueError("closed")

    monkeypatch.setattr(sys, "stderr", ClosedStream())
    log.configure_logging("auto", "info")
    for _ in range(3):
        structlog.get_logger().info("x")
    logging.getLogger("some.library").error("x")
    assert log.dropped_lines() == 4
