"""A log call never raises, regardless of values and processors; the line contains what can be rendered."""

import json
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
import structlog

from emailrouter import log


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class Text(str):
    def __str__(self) -> str:
        raise RuntimeError("no str")

    def encode(self, *_: object) -> bytes:
        raise RuntimeError("no encode")


def _endless() -> list[object]:
    endless: list[object] = []
    endless.append(endless)
    return endless


def _deep() -> list[object]:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


VALUES: dict[str, object] = {
    "repr raises": Unprintable(),
    "inside a list": [Unprintable()],
    "a key": {Unprintable(): 1},
    "a key of no JSON": {(1, 2): 3},
    "contains itself": _endless(),
    "deep": _deep(),
    "surrogate": "\ud800",
    "control characters": "\x00\x1b[2J\r\n",
    "a huge number": 10**5000,
    "a huge text": "x" * 10_000_000,
    "huge bytes": b"\xff" * 10_000_000,
    "a huge list": ["x" * 1000] * 1000,
    "a text of its own": Text("x"),
    "not a number": float("nan"),
}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Restores logging, which is global to the process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_values(log_format: log.Format, value: object, capfd: pytest.CaptureFixture[str]) -> None:
    log.configure_logging(log_format, "info")
    structlog.get_logger().info("smtp.accepted", message_id="msg_1", value=value)
    structlog.get_logger().info("next")
    said = capfd.readouterr().err
    assert "smtp.accepted" in said
    assert "msg_1" in said
    assert "next" in said.splitlines()[-1]
    assert len(said) < 3 * log.MAX_LINE_LENGTH
    if log_format == "json":
        first, _ = [json.loads(line) for line in said.splitlines()]
        assert (first["event"], first["message_id"], first["level"]) == ("smtp.accepted", "msg_1", "info")


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_a_traceback_stays_when_a_value_cannot_be_rendered(value: object, capfd: pytest.CaptureFixture[str]) -> None:
    log.configure_logging("json", "info")
    try:
        raise LookupError("the fault")
    except LookupError:
        structlog.get_logger().exception("smtp.temporary_failure", value=value)
    line = json.loads(capfd.readouterr().err)
    assert (line["event"], line["level"]) == ("smtp.temporary_failure", "error")
    assert "LookupError: the fault" in line["exception"]


def test_an_exception_that_has_no_text(capfd: pytest.CaptureFixture[str]) -> None:
    class Mute(Exception):  # noqa: N818 - it has nothing to say
        __repr__ = __str__ = Unprintable.__repr__

    log.configure_logging("json", "info")
    try:
        raise Mute
    except Mute:
        structlog.get_logger().exception("smtp.temporary_failure")
    assert json.loads(capfd.readouterr().err)["event"] == "smtp.temporary_failure"


def test_a_traceback_without_an_end(capfd: pytest.CaptureFixture[str]) -> None:
    def again(n: int) -> int:
        return again(n + 1) + other(n)

    def other(n: int) -> int:
        return again(n + 1)

    log.configure_logging("json", "info")
    try:
        again(0)
    except RecursionError:
        structlog.get_logger().exception("smtp.temporary_failure")
    said = capfd.readouterr().err
    assert json.loads(said)["event"] == "smtp.temporary_failure"
    assert len(said) <= log.MAX_LINE_LENGTH + 1


def _fails(*_: object) -> NoReturn:
    raise RuntimeError("a processor's fault")


@pytest.mark.parametrize("place", [0, -1])
def test_a_processor(place: int, capfd: pytest.CaptureFixture[str]) -> None:
    log.configure_logging("json", "info")
    logger = structlog.get_logger()
    logger.info("before")  # the logger is in use, with its processors
    structlog.get_config()["processors"].insert(place, _fails)
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
def test_what_libraries_log(message: Any, arguments: tuple[object, ...], capfd: pytest.CaptureFixture[str]) -> None:
    log.configure_logging("json", "info")
    logging.getLogger("some.library").error(message, *arguments)
    line = json.loads(capfd.readouterr().err)
    assert (line["logger"], line["level"]) == ("some.library", "error")


def test_what_python_would_print_itself(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Python itself would wait for the reader of standard error, in the thread of the event loop."""
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
    class Gone:
        encoding = "utf-8"

        def write(self, _: str) -> NoReturn:
            raise OSError("gone")

        def isatty(self) -> NoReturn:
            raise ValueError("closed")

    monkeypatch.setattr(sys, "stderr", Gone())
    log.configure_logging("auto", "info")
    for _ in range(3):
        structlog.get_logger().info("x")
    logging.getLogger("some.library").error("x")
    assert log.dropped_lines() == 4
