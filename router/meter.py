"""What the rooms tell whoever counts: a few calls at the places where something becomes true.

Promise: a call costs about a microsecond, never waits, never raises, and carries nothing of a mail but its size. Every
text that is passed is one of a fixed few (the name of a reply, the word of an outcome, the pattern of a route), so
that no counter grows with what strangers send. Who calls: the two doors, the accept, the contents, the dispatcher. Who
counts:
`emailrouter.metrics.meter.PrometheusMeter`; `UNMETERED` where nobody wants to know.
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

ParseResult = Literal["clean", "warnings", "failed"]


class Meter(Protocol):
    """One for each process. Times are seconds, sizes are octets."""

    def record_connection(self) -> None:
        """A peer opened an SMTP connection."""

    def record_refusal(self, reason: str) -> None:
        """A connection, sender, recipient or mail was refused; `reason` is the name of the reply in `smtp.replies`."""

    def record_accept(self, size: int, *, is_duplicate: bool) -> None:
        """A mail is committed and will hear `250`; a repeat wrote nothing new."""

    def record_routing(self, aliases: int, *, ticketed: int, duplicates: int, queued: int) -> None:
        """What a mail came to: the distinct aliases it was accepted for, as the door knew them before the commit, and
        as the transaction tells after it how many got a ticket event, how many had the mail already, and how many
        ticket events are owed to an integration.
        """

    def record_commit(self, seconds: float) -> None:
        """A mail's way through the group commit, from handing it in to its result, also a failure."""

    def record_parse(self, result: ParseResult) -> None:
        """A mail was parsed for people to read; `failed`: no parser got through, it is shown as it came."""

    def record_attempt(self, outcome: str, deliveries: int, seconds: float) -> None:
        """One request, an attempt for so many deliveries (several in a digest), had its answer.

        outcome: a word of `router.dispatch.outbox.outcome_word`. seconds: how long the far side took.
        """

    def record_delivery(self, seconds: float) -> None:
        """A delivery arrived, so long after its mail was accepted."""

    def record_request(self, method: str, route: str, status: str, seconds: float | None) -> None:
        """An HTTP request had its answer.

        method, route: as they are registered (`GET`, `/api/domains/{id}`), "none" where nothing is. status: the class
        of the answer (`2xx`), "none" for one that was cut off. seconds: None for a stream, which lasts as it likes.
        """


class NullMeter:
    """Counts nothing."""

    def record_connection(self) -> None:
        """See `Meter`."""

    def record_refusal(self, reason: str) -> None:
        """See `Meter`."""

    def record_accept(self, size: int, *, is_duplicate: bool) -> None:
        """See `Meter`."""

    def record_routing(self, aliases: int, *, ticketed: int, duplicates: int, queued: int) -> None:
        """See `Meter`."""

    def record_commit(self, seconds: float) -> None:
        """See `Meter`."""

    def record_parse(self, result: ParseResult) -> None:
        """See `Meter`."""

    def record_attempt(self, outcome: str, deliveries: int, seconds: float) -> None:
        """See `Meter`."""

    def record_delivery(self, seconds: float) -> None:
        """See `Meter`."""

    def record_request(self, method: str, route: str, status: str, seconds: float | None) -> None:
        """See `Meter`."""


NULL_METER: Final[Meter] = NullMeter()
