"""The verdict of a spam filter about a message. Pure."""

from __future__ import annotations

from dataclasses import dataclass

# The actions of rspamd that mean spam. `greylist` and `soft reject` mean nothing after the message is accepted. rspamd
# also refuses a message for other reasons than its score, such as a virus.
REFUSING_ACTIONS = frozenset({"reject", "discard", "quarantine"})
_MARKING_ACTIONS = frozenset({"add header", "rewrite subject"})


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
        """Whether the message is spam. `spam_score` replaces the score from which the filter marks messages."""
        if self.action in REFUSING_ACTIONS:
            return True
        return self.action in _MARKING_ACTIONS if spam_score is None else self.score >= spam_score
