"""The checks of the host as lines of the setup page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.admin.installation.reachability import REQUIRED_CHECKS
from router.check_result import CheckResult

_LABELS: Mapping[str, str] = {
    "configuration": "Configuration",
    "hostname": "Host name",
    "reverse dns": "Reverse DNS (PTR)",
    "smtp port": "Port 25",
    "tls": "Certificate",
    "public url": "Public URL",
    "permissions": "Permissions of the file",
    "webhooks": "Private networks",
    "api port": "Port of the API",
    "metrics port": "Port of the metrics",
    "clock": "Clock",
}
_KINDS = ("failing", "warning", "ok")


@dataclass(frozen=True, slots=True)
class CheckLine:
    """A line of the setup page. `badge` and `kind` are the text and the style of its state."""

    label: str
    badge: str
    kind: str
    text: str
    fix: str


def check_lines(results: Sequence[CheckResult]) -> list[CheckLine]:
    """Returns the lines in the order of their importance: required, recommended, passed."""
    lines = [
        CheckLine(
            _LABELS.get(result.check, result.check.capitalize()),
            *_state(result),
            _sentence(result.text),
            "" if result.status == "ok" else _sentence(result.fix),
        )
        for result in results
        if not _is_contradicted(result, results)
    ]
    return sorted(lines, key=lambda line: _KINDS.index(line.kind))


def _is_contradicted(result: CheckResult, results: Sequence[CheckResult]) -> bool:
    """Returns whether another line says that the port which responds is not the one that mail servers need."""
    return result.status == "ok" and any(
        other.status != "ok" for other in results if other.check == result.check == "smtp port"
    )


def _state(result: CheckResult) -> tuple[str, str]:
    if result.status == "ok":
        return "OK", "ok"
    if result.check in REQUIRED_CHECKS:
        return "Required", "failing"
    return ("Wrong", "failing") if result.status == "fail" else ("Recommended", "warning")


def _sentence(text: str) -> str:
    """Returns the text with a capital letter and a full stop. A name such as `public_url` at the beginning is kept."""
    first = text.partition(" ")[0]
    start = text[:1].upper() if first.isalpha() else text[:1]
    return f"{start}{text[1:]}{'' if text.endswith('.') else '.'}"
