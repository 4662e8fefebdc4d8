"""What a check says: one line for each thing it looked at, with the fix in words where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Line:
    """check: the group's word. text: what was found. fix: what to do; of an `ok` line, what one may do."""

    check: str
    status: Status
    text: str
    fix: str = ""


def ok(check: str, text: str, offer: str = "") -> Line:
    """All is well. offer: something to publish or to do, for who wants it."""
    return Line(check, "ok", text, offer)


def warn(check: str, text: str, fix: str) -> Line:
    """It works, but somebody should look."""
    return Line(check, "warn", text, fix)


def fail(check: str, text: str, fix: str) -> Line:
    """It does not work, or will not for long; `emailrouter check` exits 1."""
    return Line(check, "fail", text, fix)
