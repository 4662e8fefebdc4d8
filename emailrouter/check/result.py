"""What a check says: one result for each thing it looked at, with the fix in words where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CheckStatus = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """check: the group's word. text: what was found. fix: what to do; of an `ok` result, what one may do."""

    check: str
    status: CheckStatus
    text: str
    fix: str = ""


def ok(check: str, text: str, offer: str = "") -> CheckResult:
    """All is well. offer: something to publish or to do, for who wants it."""
    return CheckResult(check, "ok", text, offer)


def warn(check: str, text: str, fix: str) -> CheckResult:
    """It works, but somebody should look."""
    return CheckResult(check, "warn", text, fix)


def fail(check: str, text: str, fix: str) -> CheckResult:
    """It does not work, or will not for long; `emailrouter check` exits 1."""
    return CheckResult(check, "fail", text, fix)
