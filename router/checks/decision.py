"""Decides what follows for a ticket from the checks of a message: nothing, a warning, or a mark as spam. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from router.checks.policy import CheckPolicy
from router.checks.spam_verdict import SpamVerdict
from router.enumerations import CheckAction

_SEVERITY: tuple[CheckAction, ...] = ("show", "flag", "quarantine")


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """What the decision needs beside the verdict of the spam filter.

    Attributes:
        from_domain: The domain of the From address, or else of MAIL FROM, in A-labels; "" if there is no single one.
        dmarc: The word of DMARC, "" without one.
        dmarc_policy: The policy of the domain for failures, after `t=y`.
        aligned: Whether SPF or DKIM passes for the From domain, also where it has no DMARC record.
        is_relayed: Whether a host that forwards mail sent the message, so that a failure is only shown.
        is_own_domain: Whether From, or else MAIL FROM, names an active domain of the workspace.
        allowed: The entry of the allow list that holds, or "".
        blocked: The entry of the block list that holds, or "".
        is_authenticated: Whether DMARC passes or, without a DMARC record, a signature of the From domain.
    """

    from_domain: str = ""
    dmarc: str = ""
    dmarc_policy: Literal["", "none", "quarantine", "reject"] = ""
    aligned: bool = False
    is_relayed: bool = False
    is_own_domain: bool = False
    allowed: str = ""
    blocked: str = ""
    is_authenticated: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Why the message is spam, and what its reader is warned of, as sentences without a period; "" for neither."""

    spam_reason: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class _Finding:
    action: CheckAction
    spam_reason: str
    warning: str


def decide(facts: SenderFacts, spam: SpamVerdict | None, policy: CheckPolicy) -> Decision:
    """Returns the most severe consequence of all findings; of equally severe ones, the first."""
    if facts.allowed:
        return Decision()
    findings = [
        each
        for each in (_judge_sender(facts, policy), _judge_block_list(facts, policy), _judge_spam(spam, policy))
        if each is not None and each.action != "show"
    ]
    if not findings:
        return Decision()
    worst = max(findings, key=lambda each: _SEVERITY.index(each.action))
    return Decision(spam_reason=worst.spam_reason) if worst.action == "quarantine" else Decision(warning=worst.warning)


def _judge_block_list(facts: SenderFacts, policy: CheckPolicy) -> _Finding | None:
    if not facts.blocked:
        return None
    text = f"The sender is blocked ({facts.blocked})"
    return _Finding(policy.on_spam, text, text)


def _judge_spam(spam: SpamVerdict | None, policy: CheckPolicy) -> _Finding | None:
    if spam is None or not spam.is_spam(policy.spam_score):
        return None
    required = spam.required if policy.spam_score is None else policy.spam_score
    text = f"{spam.source} rates this message as spam (score {spam.score:.1f} of {required:.1f})"
    return _Finding(policy.on_spam, text, text)


def _judge_sender(facts: SenderFacts, policy: CheckPolicy) -> _Finding | None:
    own = "your domain " if facts.is_own_domain else ""
    address = f"sender address is at {own}{facts.from_domain}"
    forged = f"This message may be forged: its {address}, which did not authenticate it"
    # A host that forwards mail can break what authenticated a message, so its DMARC has no consequence.
    if facts.dmarc == "fail" and not facts.is_relayed:
        action = policy.on_fail
        if action == "quarantine" and facts.dmarc_policy == "none":
            action = "flag"
        if action == "show" and facts.is_own_domain:
            action = "flag"
        return _Finding(action, f"The {address}, which did not authenticate the message (DMARC)", forged)
    if facts.dmarc == "permerror" and not facts.from_domain and policy.on_fail != "show":
        return _Finding("flag", "", "This message may be forged: its From field names no single valid domain")
    if not facts.is_own_domain or facts.aligned:
        return None
    if facts.dmarc == "temperror":
        return _Finding("flag", "", f"This message may be forged: its {address}, which could not be checked in time")
    return _Finding("flag", "", forged)
