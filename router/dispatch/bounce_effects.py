"""Decides what follows from a bounce for the recipients of a reply. Pure.

Everybody who knows the token of a recipient can write such a message, so only the state of that recipient depends on
it. A report without a token only counts for the recipients that it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from router.enumerations import ReplyKind, ReplyState
from router.mail.delivery_reports import BounceReport, RecipientReport, ReportAction
from router.model import Message

NO_CODE = "no code"
# What a message at the address of bounces is. `mail` is marked as sent by a list or in bulk.
BounceMeaning = Literal["report", "note", "mail", "answer"]

_WORST_FIRST: tuple[ReportAction, ...] = ("failed", "delayed", "delivered", "relayed", "expanded")
# The states in which a recipient's server may have received the message. `sending` and `retrying`: the connection to
# the smarthost was lost after the final dot.
_SUBMITTED: frozenset[ReplyState] = frozenset({"sending", "retrying", "sent", "delayed"})


@dataclass(frozen=True, slots=True)
class ReplyTarget:
    """A recipient of a reply."""

    reply_id: str
    reply_message_id: str
    address: str
    address_key: str
    state: ReplyState
    delivery_id: str
    kind: ReplyKind


@dataclass(frozen=True, slots=True)
class RecipientEffect:
    """What is reported about a recipient. `code` is an SMTP reply code, `text` the answer with its status code."""

    target: ReplyTarget
    action: ReportAction
    code: int | None
    text: str


def find_meaning(message: Message, report: BounceReport) -> BounceMeaning:
    """Returns what the message is: a report, an automatic note, or the answer of a person to the wrong address."""
    if report.is_report or message.automatic == "bounce":
        return "report"
    if not message.reverse_path or message.automatic in ("auto-reply", "loop"):
        return "note"
    return "mail" if message.automatic else "answer"


def find_effects(report: BounceReport, address_key: str, targets: Sequence[ReplyTarget]) -> list[RecipientEffect]:
    """Returns at most one effect for each recipient, the worst one that is reported.

    Args:
        address_key: The recipient that the token names, `""` without a token.
        targets: The recipients of the reply. Without a known reply, those of the ticket that the report names.
    """
    effects = []
    only = targets[0] if len({target.address_key for target in targets}) == 1 else None
    for target in targets:
        if address_key:
            found = list(report.recipients) if target.address_key == address_key else []
        else:
            found = [
                each
                for each in report.recipients
                if target.address_key in each.addresses or (not each.addresses and target is only)
            ]
        is_meant = target.address_key == address_key or (not address_key and target is only)
        if not report.recipients and is_meant:
            found = [RecipientReport((), "delayed" if report.is_delay else "failed")]
        if found:
            worst = min(
                found, key=lambda each: (_WORST_FIRST.index(each.action), target.address_key not in each.addresses)
            )
            effects.append(RecipientEffect(target, worst.action, worst.code, _describe(worst, target)))
    return effects


def next_state(effect: RecipientEffect) -> ReplyState | None:
    """Returns the state that the recipient takes; None if it keeps its state.

    A failure is final: a delay that is reported later does not change it.
    """
    state = effect.target.state
    if effect.action == "failed" and state in _SUBMITTED:
        return "bounced"
    return "delayed" if effect.action == "delayed" and state == "sent" else None


def tells_of_failure(report: BounceReport) -> bool:
    """Whether mail to somebody has failed; so it is for a message that is no readable report."""
    if not report.recipients:
        return not report.is_delay
    return any(each.action == "failed" for each in report.recipients)


def is_delivery_report(effect: RecipientEffect) -> bool:
    """Whether the report says that the message arrived somewhere, which changes no state."""
    return effect.action not in ("failed", "delayed") and effect.target.state in _SUBMITTED


def _describe(report: RecipientReport, target: ReplyTarget) -> str:
    text = report.text.removeprefix(report.status).strip()
    described = " ".join(part for part in (report.status, text) if part)
    if report.addresses and target.address_key not in report.addresses:
        described += f" ({report.addresses[-1]})"  # the address to which the recipient forwards
    return described.strip() or (NO_CODE if report.code is None else "")
