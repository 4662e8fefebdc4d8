"""Models of the checks of a message's sender."""

from __future__ import annotations

from typing import Self

from api.schema.shape import Answer, Time
from router.admin.tickets.conversation import MessageView
from router.checks.results import CheckState
from router.mail.auth_results import AuthMethod, AuthWord


class AuthResultAnswer(Answer):
    """The result of a method of sender authentication, for DKIM of one signature."""

    method: AuthMethod
    """Method of sender authentication."""
    result: AuthWord
    """Result of the method."""
    domain: str
    """Domain that the result is about: of the envelope sender or the client (SPF), of the signature (DKIM), of the From
    field (DMARC), or the host name of the client (iprev); empty without one."""
    selector: str
    """Selector of a DKIM signature; empty without one."""
    reason: str
    """Explanation of the result; empty without one."""


class SpamSymbolAnswer(Answer):
    """A finding of the spam filter."""

    name: str
    """Name of the finding in the spam filter."""
    score: float
    """What the finding adds to the score."""
    description: str
    """Explanation of the spam filter; empty without one."""


class SpamVerdictAnswer(Answer):
    """The verdict of the spam filter."""

    source: str
    """Spam filter, such as `rspamd`."""
    score: float
    """Score of the message."""
    required: float
    """Score from which the filter marks a message as spam."""
    action: str
    """Action that the filter recommends, such as `no action` or `add header`."""
    symbols: list[SpamSymbolAnswer]
    """Findings of the filter."""


class ChecksAnswer(Answer):
    """The checks of a message's sender. During another check, the earlier results are returned."""

    state: CheckState
    """`pending` until the first results, `done`, or `skipped` if the sender was not checked."""
    at: Time | None
    """When the sender was checked; null before that."""
    rechecked: bool
    """Whether the results are those of a later check, with the DNS of its day."""
    summary: str
    """Results in one line; empty without any."""
    warning: str
    """What readers of the message are warned of; empty without a warning."""
    detail: list[AuthResultAnswer]
    """Result of each method, and of each DKIM signature."""
    relay_results: list[AuthResultAnswer]
    """Results that the trusted relay of the message reported itself; not checked."""
    spam: SpamVerdictAnswer | None
    """Verdict of the spam filter; null without one."""

    @classmethod
    def from_view(cls, view: MessageView) -> Self:
        results = view.checks.results
        return cls.from_model(
            results,
            state=view.checks.state,
            at=results.checked_at,
            warning=view.warning,
            detail=results.results,
        )
