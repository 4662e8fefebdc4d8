"""What happens to messages that fail a check: the settings of a workspace, and those of an alias that override them.

Stored as JSON with the settings that differ (`check_policy` of workspaces and aliases). Pure.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from router.choice import Choice
from router.enumerations import CHECK_ACTION, CheckAction
from router.errors import Refused

# A score that no message reaches: `spamScore` is a number of rspamd, whose thresholds are below 1,000.
MAX_SPAM_SCORE = 1000.0


@dataclass(frozen=True, slots=True)
class CheckPolicy:
    """The settings in effect.

    Attributes:
        on_fail: What happens if DMARC fails. With the DMARC policy `none`, at most `flag`.
        on_spam: What happens to spam, according to rspamd or to a blocked sender.
        spam_score: The score of rspamd from which a message is spam; None for the thresholds of rspamd.
    """

    on_fail: CheckAction = "flag"
    on_spam: CheckAction = "quarantine"
    spam_score: float | None = None

    def holds_spam(self, *, has_spam_filter: bool) -> bool:
        """Whether a check can hold a message as spam, so that its post must wait for the checks."""
        return self.on_fail == "quarantine" or (has_spam_filter and self.on_spam == "quarantine")


DEFAULT_POLICY = CheckPolicy()
_NAMES = tuple(field.name for field in fields(CheckPolicy))
# The names of the settings in the REST API.
PUBLIC_NAMES = {"on_fail": "onFail", "on_spam": "onSpam", "spam_score": "spamScore"}
ON_FAIL: Choice[CheckAction] = Choice("onFail", CHECK_ACTION.values, labels=CHECK_ACTION.labels)
ON_SPAM: Choice[CheckAction] = Choice("onSpam", CHECK_ACTION.values, labels=CHECK_ACTION.labels)


def merge(*stored: str) -> CheckPolicy:
    """Returns the defaults, overridden by each JSON text in turn: that of the workspace, then that of the alias."""
    if all(text == "{}" for text in stored):
        return DEFAULT_POLICY
    values = asdict(DEFAULT_POLICY)
    for text in stored:
        values |= read_overrides(text)
    return CheckPolicy(**values)


def effective_values(*stored: str) -> dict[str, Any]:
    """Returns the settings of `merge` by field name."""
    return asdict(merge(*stored))


def read_overrides(text: str) -> dict[str, Any]:
    """Returns the settings of a stored JSON text, without those of other versions."""
    return {name: value for name, value in json.loads(text).items() if name in _NAMES}


def change_overrides(text: str, changes: Mapping[str, Any]) -> str:
    """Returns the JSON text with changed settings. A value of None removes a setting, which is then inherited.

    Args:
        changes: By field name of `CheckPolicy`.

    Raises:
        Refused: A value is not allowed.
    """
    overrides = read_overrides(text)
    for name, value in changes.items():
        if value is None:
            overrides.pop(name, None)
        else:
            overrides[name] = _validate(name, value)
    return json.dumps(overrides, sort_keys=True)


def audited_values(values: Mapping[str, Any], names: Collection[str]) -> dict[str, str]:
    """Returns the named settings as texts for the audit log, by their names in the REST API; "" if one is not set."""
    return {
        public: "" if values.get(name) is None else f"{values[name]:g}" if name == "spam_score" else values[name]
        for name, public in PUBLIC_NAMES.items()
        if name in names
    }


def _validate(name: str, value: Any) -> Any:
    if name == "on_fail":
        return ON_FAIL.parse(value)
    if name == "on_spam":
        return ON_SPAM.parse(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_SPAM_SCORE:
        raise Refused(
            "invalid_request", f"spamScore must be a number above 0 and at most {MAX_SPAM_SCORE:g}", "spamScore"
        )
    return float(value)
