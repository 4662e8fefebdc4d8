"""Models of the settings of sender checks, of a workspace and of an alias."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from api.schema.shape import Answer, Body, documented
from router.checks import policy
from router.enumerations import CHECK_ACTION, CheckAction


def _require_empty(values: Sequence[str]) -> Sequence[str]:
    if values:
        raise ValueError("must be empty: refusing messages is not supported yet")
    return values


# No values yet: messages are not refused because of these checks.
Refusals = Annotated[list[str], AfterValidator(_require_empty), Field(json_schema_extra={"maxItems": 0})]
CheckActionName = Annotated[str, documented(CHECK_ACTION)]
SpamScore = Annotated[float, Field(json_schema_extra={"exclusiveMinimum": 0, "maximum": policy.MAX_SPAM_SCORE})]


class SenderChecksAnswer(Answer):
    """What happens to messages that fail a check of their sender: the settings in effect."""

    on_fail: CheckAction
    """If DMARC fails. With the DMARC policy `none` of the sender's domain, at most `flag`."""
    on_spam: CheckAction
    """If rspamd says that the message is spam, or its sender is blocked with the action `spam`."""
    spam_score: float | None
    """Score of rspamd from which a message is spam; null for the thresholds of rspamd."""
    reject: Refusals = Field(default_factory=list)
    """Always empty: no message is refused because of these checks."""


class AliasSenderChecksAnswer(Answer):
    """The settings of an alias that override those of the workspace."""

    on_fail: CheckAction | None = None
    """If DMARC fails; null for the setting of the workspace."""
    on_spam: CheckAction | None = None
    """If the message is spam; null for the setting of the workspace."""
    spam_score: float | None = None
    """Score of rspamd from which a message is spam; null for the setting of the workspace."""
    reject: Refusals = Field(default_factory=list)
    """Always empty: no message is refused because of these checks."""


class SenderChecksChange(Body):
    """Settings to change. Settings that are not given stay unchanged.

    In a workspace, null restores the default; for an alias, null selects the setting of the workspace.
    """

    on_fail: CheckActionName | None = None
    """What happens if DMARC fails (default: `flag`)."""
    on_spam: CheckActionName | None = None
    """What happens to spam (default: `quarantine`)."""
    spam_score: SpamScore | None = None
    """Score of rspamd from which a message is spam (default: the thresholds of rspamd)."""
    reject: Refusals | None = None
    """Must be empty; other values are not supported yet."""

    def changes(self) -> dict[str, Any]:
        """Returns the given settings by field name of `CheckPolicy`."""
        return {name: getattr(self, name) for name in policy.PUBLIC_NAMES if name in self.model_fields_set}


def _read_policy(text: str) -> policy.CheckPolicy:
    return policy.merge(text)


# From the column `check_policy`.
StoredSenderChecks = Annotated[SenderChecksAnswer, BeforeValidator(_read_policy)]
StoredAliasSenderChecks = Annotated[AliasSenderChecksAnswer, BeforeValidator(policy.read_overrides)]
