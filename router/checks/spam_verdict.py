"""The verdict of a spam filter about a message. Pure."""

from __future__ import annotations

from dataclasses import dataclass

# The actions of rspamd that mean spam. `greylist` and `soft reject` mean nothing after the message is accepted.
_SPAM_ACTIONS = frozenset({"add header", "rewrite subject", "reject", "discard", "quarantine"})


@dataclass(frozen=True, slots=True)
class SpamSymbol:
    """One finding of the filter, and what it adds to the score. The texts are those of the filter."""

    name: str
    score: float
    description: str = ""


@dataclass(frozen=True, slots=True)
class SpamVerdict:
    """What a spam filter says about a message.

    Attributes:
        source: The filter, such as `rspamd`.
        required: The score from which the filter marks a message.
        action: The action that the filter recommends, in its own words, such as `add header`.
    """

    source: str
    score: float
    required: float
    action: str
    symbols: tuple[SpamSymbol, ...] = ()

    def is_spam(self, spam_score: float | None) -> bool:
        """Whether the message is spam: by the recommended action, or by its score if `spam_score` is given."""
        return self.action in _SPAM_ACTIONS if spam_score is None else self.score >= spam_score
