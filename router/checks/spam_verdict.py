"""The verdict of a spam filter about a message. Pure."""

from __future__ import annotations

from dataclasses import dataclass


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
