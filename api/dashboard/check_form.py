"""The form for the sender checks of the workspace or of an alias, with the effect of its choices before saving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from router.checks import policy
from router.checks.effect import CheckEffect
from router.enumerations import CHECK_ACTION
from router.errors import Refused

# The field of the button that shows the effect instead of saving.
PREVIEW = "preview"
# What each action means for the people who read the posts.
_CONSEQUENCES = {
    "show": "The result is a line of the post.",
    "flag": "The post begins with a warning, and the message has one in the dashboard.",
    "quarantine": "Nothing is posted until a person releases the ticket from the list of spam.",
}
_LIMIT = "If the domain does not ask for this (DMARC policy none), only warns."


@dataclass(frozen=True, slots=True)
class ActionChoice:
    """One choice of a radio group. The value "" inherits the setting of the workspace."""

    value: str
    label: str
    consequence: str


@dataclass(frozen=True, slots=True)
class CheckForm:
    """The contents of the form, with the texts of its fields.

    Attributes:
        values: The texts of the settings by their names in the REST API, "" for one that is not set.
        on_fail, on_spam: The choices of each setting.
        score_hint: What an empty spam score means.
        effect: The effect of the submitted choices, or None if they were not to be previewed.
    """

    values: Mapping[str, str]
    on_fail: tuple[ActionChoice, ...]
    on_spam: tuple[ActionChoice, ...]
    score_hint: str
    effect: CheckEffect | None


def workspace_form(stored: str, effect: CheckEffect | None = None) -> CheckForm:
    """`stored` is the column `check_policy` of the workspace."""
    return CheckForm(
        values=_texts(policy.effective_values(stored)),
        on_fail=_choices(_LIMIT),
        on_spam=_choices(""),
        score_hint="Empty for the thresholds of rspamd.",
        effect=effect,
    )


def alias_form(stored: str, inherited: policy.CheckPolicy, effect: CheckEffect | None = None) -> CheckForm:
    """`stored` is the column `check_policy` of the alias, `inherited` the policy of the workspace."""
    score = "the thresholds of rspamd" if inherited.spam_score is None else f"{inherited.spam_score:g}"
    return CheckForm(
        values=_texts(policy.read_overrides(stored)),
        on_fail=(_inherit(inherited.on_fail), *_choices(_LIMIT)),
        on_spam=(_inherit(inherited.on_spam), *_choices("")),
        score_hint=f"Empty for that of the workspace ({score}).",
        effect=effect,
    )


def read_changes(form: Mapping[str, str]) -> dict[str, object]:
    """Returns the submitted settings by field name of `CheckPolicy`; None for an empty one. Raises `Refused`."""
    return {
        "on_fail": form.get("onFail") or None,
        "on_spam": form.get("onSpam") or None,
        "spam_score": _read_score(form.get("spamScore", "").strip()),
    }


def _read_score(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise Refused("invalid_request", "spamScore must be a number, such as 8", "spamScore") from None


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    return policy.audited_values(values, policy.PUBLIC_NAMES)


def _inherit(action: str) -> ActionChoice:
    return ActionChoice("", "Same as the workspace", f"Currently: {CHECK_ACTION.label(action)}.")


def _choices(limit: str) -> tuple[ActionChoice, ...]:
    return tuple(
        ActionChoice(value, CHECK_ACTION.label(value), f"{text} {limit}".strip() if value == "quarantine" else text)
        for value, text in _CONSEQUENCES.items()
    )
