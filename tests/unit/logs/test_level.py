"""Changes of the log level, and the output for terminals."""

import json
import logging

import pytest
import structlog

from emailrouter import log


def events(text: str) -> list[str]:
    return [json.loads(line)["event"] for line in text.splitlines()]


def test_level_changes_for_loggers_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure_logging("json", "info")
    logger = structlog.get_logger()
    library = logging.getLogger("some.library")

    def log_at_every_level() -> list[str]:
        for level in ("debug", "info", "warning", "error"):
            getattr(logger, level)(level)
        try:
            raise ValueError
        except ValueError:
            logger.exception("exception")
        library.info("library, info")
        library.warning("library, warning")
        library.error("library, error")
        return events(capsys.readouterr().err)

    assert log_at_every_level() == ["info", "warning", "error", "exception", "library, warning", "library, error"]
    log.set_level("error")
    assert log_at_every_level() == ["error", "exception", "library, error"]
    log.set_level("debug")
    assert log_at_every_level()[:2] == ["debug", "info"]


def test_terminal_output_escapes_bidirectional_characters(capsys: pytest.CaptureFixture[str]) -> None:
    for log_format in ("console", "json"):
        log.configure_logging(log_format, "info")
        structlog.get_logger().info("smtp.refused", reverse_path="a\u202e@\u200fb\u200b.test")
    console, line = capsys.readouterr().err.splitlines()
    assert "a@b.test" in console
    assert "\\u202e" in line


def test_terminal_tracebacks_omit_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure_logging("console", "info")
    body = "the text of a private message"
    try:
        raise ValueError(len(body))
    except ValueError:
        structlog.get_logger().exception("test.failed")
    output = capsys.readouterr().err
    assert "ValueError" in output
    assert body not in output
