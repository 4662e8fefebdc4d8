"""The rules between the durations of `[checks]`."""

from datetime import timedelta
from pathlib import Path

import pytest

from config.checks import MAX_DEADLINE, ChecksSettings
from config.load import ConfigError, load
from config.values import format_duration
from router.checks.check_queue import LEASE
from router.clock import to_micros


def read(tmp_path: Path, text: str) -> ChecksSettings:
    file = tmp_path / "emailrouter.toml"
    file.write_text(f"[checks]\n{text}", encoding="utf-8")
    return load(file, {}).checks


def test_a_short_deadline_limits_the_defaults(tmp_path: Path) -> None:
    checks = read(tmp_path, 'deadline = "500ms"')
    half = timedelta(milliseconds=500)
    assert (checks.effective_post_wait, checks.effective_rspamd_timeout) == (half, half)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('deadline = "3s"\nrspamd_timeout = "4s"', r'checks\.rspamd_timeout = "4s": must be at most checks\.deadline'),
        ('post_wait = "6s"', r'checks\.post_wait = "6s": must be at most checks\.deadline \("5s"\)'),
        ('deadline = "1m"', r'checks\.deadline = "1m": must be at most "30s"'),
    ],
)
def test_durations_that_do_not_fit_are_rejected(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        read(tmp_path, text)


def test_a_message_is_claimed_for_longer_than_its_checks_take() -> None:
    assert to_micros(MAX_DEADLINE) * 2 <= LEASE
    assert read_deadline_help().endswith("temperror.")
    assert format_duration(MAX_DEADLINE) in read_deadline_help()


def read_deadline_help() -> str:
    return str(ChecksSettings.model_fields["deadline"].description)
