"""How the page of a ticket shows the sender checks of a message: a verdict of a few words, and the results as a list.

A verdict is about the domain of the sender address, never about the person or the contents. It agrees with what
`router.checks.decision` warns of, whatever the settings do about it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from router.admin.tickets.sender_checks import SenderChecks
from router.admin.tickets.timeline import MessageExcerpt, Timeline
from router.checks.spam_verdict import SpamSymbol
from router.mail.auth_results import AuthMethod, AuthResult
from router.model import Micros
from router.unicode_security import deceptive_domain, safe_identifier

# The findings of the spam filter that a page shows, those with the greatest effect on the score first.
MAX_SYMBOLS = 10
MAX_DOMAIN_LENGTH = 80  # characters
VerdictKind = Literal["verified", "unverified", "forged", "pending"]

_LABELS: Mapping[AuthMethod, tuple[str, str]] = {
    "dmarc": ("DMARC", "Whether SPF or DKIM confirms the domain of the sender address"),
    "dkim": ("DKIM", "Whether a signature of the domain fits the message"),
    "spf": ("SPF", "Whether the sending server may send for the domain of the envelope"),
    "iprev": ("iprev", "Whether the address of the sending server and its host name confirm each other"),
    "arc": ("ARC", "Whether the results of earlier servers are signed"),
}
_PENDING_HINT = "The sender is being checked. This takes a few seconds."
_VERIFIED_HINT = "The message comes from {domain}. This says nothing about the person or the contents."
_FORGED_HINT = (
    "{domain} did not authenticate this message: the sender address may be forged. Some mailing lists and "
    "forwarding services also cause this."
)
_UNVERIFIED_HINT = "Nothing confirms that the sender address is genuine, and nothing contradicts it."
_RELAYED_HINT = (
    "A server that forwards mail to you handed the message on, so that the sender could not be checked fully."
)
_SEVERAL_HINT = "The From field names no single valid domain, so none authenticated the message."
_UNANSWERED_HINT = "The sender address could not be checked in time."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader sees first. `domain` is `""` if the verdict is about no domain."""

    kind: VerdictKind
    word: str
    hint: str
    domain: str = ""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A result of a method. `help` says what the method checks."""

    label: str
    help: str
    result: str
    domain: str
    selector: str
    reason: str


@dataclass(frozen=True, slots=True)
class VerdictView:
    """The verdict on a message and its reasons.

    Attributes:
        relay_results: What the relay of the message reported itself.
        score: Score, required score and action of the spam filter in words; "" without a filter.
        is_queued: Whether the message waits for a check.
        version: Changes with the results.
    """

    verdict: Verdict
    rows: tuple[ResultRow, ...]
    relay_results: tuple[ResultRow, ...]
    source: str
    score: str
    symbols: tuple[SpamSymbol, ...]
    checked_at: Micros | None
    rechecked: bool
    is_queued: bool

    @property
    def version(self) -> str:
        return f"{self.checked_at or 0} {int(self.is_queued)}"


def build_views(timeline: Timeline) -> dict[str, VerdictView]:
    """Returns the views of those messages whose sender is checked, by message id."""
    excerpts = [entry.excerpt for entry in timeline.entries if entry.excerpt is not None]
    views = ((excerpt.message.id, build_view(excerpt)) for excerpt in excerpts)
    return {message_id: view for message_id, view in views if view is not None}


def newest_warning(timeline: Timeline) -> str:
    """Returns the warning of the newest message, or `""`."""
    return next((entry.excerpt.warning for entry in reversed(timeline.entries) if entry.excerpt is not None), "")


def build_view(excerpt: MessageExcerpt) -> VerdictView | None:
    """Returns None for a message whose sender was not checked."""
    checks, results = excerpt.checks, excerpt.checks.results
    verdict = _find_verdict(checks, excerpt.message.from_address)
    if verdict is None:
        return None
    spam = results.spam
    return VerdictView(
        verdict=verdict,
        rows=_build_rows(results.results),
        relay_results=_build_rows(results.relay_results),
        source=spam.source if spam else "",
        score=f"{spam.score:g} of {spam.required:g}, {spam.action}" if spam else "",
        symbols=tuple(sorted(spam.symbols, key=lambda each: -abs(each.score))[:MAX_SYMBOLS]) if spam else (),
        checked_at=results.checked_at,
        rechecked=results.rechecked,
        is_queued=checks.is_queued,
    )


def display_domain(domain: str) -> str:
    """Returns a stranger's domain without invisible characters; a deceptive one as A-labels.

    Only the end of a long domain is shown, because its owner is named there.
    """
    shown = deceptive_domain(f"@{domain}") or safe_identifier(domain)
    return shown if len(shown) <= MAX_DOMAIN_LENGTH else f"\N{HORIZONTAL ELLIPSIS}{shown[1 - MAX_DOMAIN_LENGTH :]}"


def _find_verdict(checks: SenderChecks, from_address: str) -> Verdict | None:
    if checks.state == "pending":
        return Verdict("pending", "Checking sender", _PENDING_HINT)
    if checks.state == "skipped":
        return None
    facts, dmarc = checks.results.facts, checks.results.find("dmarc")
    # Without a From field, the facts are about MAIL FROM, whose address is shown.
    word = facts.dmarc or (dmarc.result if dmarc is not None else "")
    domain = display_domain((dmarc.domain if dmarc else "") or from_address.rpartition("@")[2])
    if word == "pass" or (word == "none" and facts.aligned):
        return Verdict("verified", "Verified", _VERIFIED_HINT.format(domain=domain), domain)
    if (word == "fail" and not facts.is_relayed) or (facts.is_own_domain and not facts.aligned):
        hint = _UNANSWERED_HINT if word == "temperror" else _FORGED_HINT.format(domain=domain)
        return Verdict("forged", "May be forged", hint, domain)
    if word == "permerror" and not facts.from_domain:
        return Verdict("forged", "May be forged", _SEVERAL_HINT)
    if facts.is_relayed:
        return Verdict("unverified", "Not verified", _RELAYED_HINT)
    return Verdict("unverified", "Not verified", _UNANSWERED_HINT if word == "temperror" else _UNVERIFIED_HINT)


def _build_rows(results: Sequence[AuthResult]) -> tuple[ResultRow, ...]:
    return tuple(
        ResultRow(
            *_LABELS[method], each.result, display_domain(each.domain), safe_identifier(each.selector), each.reason
        )
        for method in _LABELS
        for each in results
        if each.method == method
    )
