"""The stored results of the checks of a message. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from router.checks.decision import SenderFacts
from router.checks.spam_verdict import SpamSymbol, SpamVerdict
from router.mail.auth_results import AuthMethod, AuthResult, AuthWord
from router.model import Micros

# `pending`: no result is stored, and the message waits for its check. `skipped`: no check was needed.
CheckState = Literal["pending", "done", "skipped"]
_METHODS: tuple[AuthMethod, ...] = ("spf", "dkim", "dmarc", "iprev", "arc")


@dataclass(frozen=True, slots=True)
class MessageChecks:
    """The results of the checks of one message.

    Attributes:
        checked_at: None while the state is `pending`.
        rechecked: Whether a later check replaced the first one, with the DNS of its day.
        results: Ours: one for each method, for DKIM one for each signature.
        relay_results: Those that a trusted relay reported in its own Authentication-Results.
        spam: The verdict of the spam filter, or None.
        facts: The other facts of the decision.
    """

    state: CheckState
    checked_at: Micros | None = None
    rechecked: bool = False
    results: tuple[AuthResult, ...] = ()
    relay_results: tuple[AuthResult, ...] = ()
    spam: SpamVerdict | None = None
    facts: SenderFacts = field(default_factory=SenderFacts)

    def find(self, method: AuthMethod) -> AuthResult | None:
        """Returns the result of a method: for DKIM, of the first signature that passes, or else of the first one."""
        found = [result for result in self.results if result.method == method]
        return next((result for result in found if result.result == "pass"), found[0] if found else None)

    def words(self) -> dict[AuthMethod, AuthWord]:
        """Returns the word of each method that has a result."""
        found = ((method, self.find(method)) for method in _METHODS)
        return {method: result.result for method, result in found if result is not None}

    @property
    def summary(self) -> str:
        """Returns the results in one line; "" without any.

        `DMARC pass (example.com)` says all. Otherwise, the methods that say something are named.
        """
        found = [result for method in ("dmarc", "dkim", "spf") if (result := self.find(method)) is not None]
        if not found:
            return ""
        if found[0].method == "dmarc" and found[0].result == "pass":
            return _describe(found[0])
        return ", ".join(_describe(result) for result in found if result.result != "none") or "no SPF, DKIM or DMARC"


def _describe(result: AuthResult) -> str:
    return f"{result.method.upper()} {result.result}" + (f" ({result.domain})" if result.domain else "")


def without_results(reason: str, checked_at: Micros, facts: SenderFacts | None = None) -> MessageChecks:
    """Returns the checks of a message that could not be authenticated."""
    results = tuple(AuthResult(method, "temperror", reason=reason) for method in ("spf", "dkim", "dmarc"))
    return MessageChecks("done", checked_at, results=results, facts=facts or SenderFacts())


def from_row(row: Mapping[str, Any]) -> MessageChecks:
    """Builds the checks from a row of `message_checks`."""
    return MessageChecks(
        state=row["state"],
        checked_at=row["checked_at"],
        rechecked=bool(row["rechecked"]),
        results=_read_results(row["results"]),
        relay_results=_read_results(row["relay_results"]),
        spam=_read_spam(json.loads(row["spam"])),
        facts=SenderFacts(**json.loads(row["facts"])),
    )


def summarize(results: str) -> str:
    """Returns `MessageChecks.summary` of the stored results."""
    return MessageChecks("done", results=_read_results(results)).summary


def to_values(checks: MessageChecks) -> dict[str, object]:
    """Returns the values of the columns, except `message_id`."""
    return {
        "state": checks.state,
        "checked_at": checks.checked_at,
        "rechecked": int(checks.rechecked),
        "results": _write_results(checks.results),
        "relay_results": _write_results(checks.relay_results),
        "spam": json.dumps(None if checks.spam is None else asdict(checks.spam)),
        "facts": json.dumps({name: value for name, value in asdict(checks.facts).items() if value}),
    }


def _write_results(results: Sequence[AuthResult]) -> str:
    return json.dumps([{name: value for name, value in asdict(result).items() if value} for result in results])


def _read_results(text: str) -> tuple[AuthResult, ...]:
    return tuple(AuthResult(**result) for result in json.loads(text))


def _read_spam(value: dict[str, Any] | None) -> SpamVerdict | None:
    if value is None:
        return None
    return SpamVerdict(**{**value, "symbols": tuple(SpamSymbol(**symbol) for symbol in value["symbols"])})
