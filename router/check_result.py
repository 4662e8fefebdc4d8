"""The result of a check, with the fix for a problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CheckStatus = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One result that `emailrouter check` prints.

    `check` names what was checked, such as `disk` or `domain example.com`. `fix` is the suggested action, or "".
    """

    check: str
    status: CheckStatus
    text: str
    fix: str = ""


def ok(check: str, text: str, offer: str = "") -> CheckResult:
    return CheckResult(check, "ok", text, offer)


def warn(check: str, text: str, fix: str) -> CheckResult:
    """Returns a result that needs attention but does not change the exit code."""
    return CheckResult(check, "warn", text, fix)


def fail(check: str, text: str, fix: str) -> CheckResult:
    """Returns a result for a problem that must be fixed. `emailrouter check` then exits with 1."""
    return CheckResult(check, "fail", text, fix)
