"""What the rooms tell whoever counts: a few calls at the places where something becomes true.

Promise: a call costs about a microsecond, never waits, never raises, and carries nothing of a mail but its size. Every
text that is passed is one of a fixed few (the name of a reply, the word of an outcome, the pattern of a route), so
that no counter grows with what strangers send. Who calls: the two doors, the accept, the contents, the dispatcher. Who
counts:
`emailrouter.metrics.meter.PrometheusMeter`; `UNMETERED` where nobody wants to know.
"""

from __future__ import annotations

from typing import Final, Literal, Protocol

Parsed = Literal["clean", "warnings", "failed"]


class Meter(Protocol):
    """One for each process. Times are seconds, sizes are octets."""

    def connected(self) -> None:
        """A peer opened an SMTP connection."""

    def refused(self, reason: str) -> None:
        """A connection, sender, recipient or mail was refused; `reason` is the name of the reply in `smtp.replies`."""

    def accepted(self, octets: int, *, repeat: bool) -> None:
        """A mail is committed and will hear `250`; a repeat wrote nothing new."""

    def routed(self, aliases: int, *, ticketed: int, repeated: int, owed: int) -> None:
        """What a mail came to: the distinct aliases it was accepted for, as the door knew them before the commit, and
        as the transaction tells after it how many got a ticket event, how many had the mail already, and how many
        ticket events are owed to an integration.
        """

    def committed(self, seconds: float) -> None:
        """A mail's way through the group commit, from handing it in to its result, also a failure."""

    def parsed(self, result: Parsed) -> None:
        """A mail was parsed for people to read; `failed`: no parser got through, it is shown as it came."""

    def attempted(self, outcome: str, deliveries: int, seconds: float) -> None:
        """One request, an attempt for so many deliveries (several in a digest), had its answer.

        outcome: a word of `router.dispatch.outbox.outcome_word`. seconds: how long the far side took.
        """

    def delivered(self, seconds: float) -> None:
        """A delivery arrived, so long after its mail was accepted."""

    def requested(self, method: str, route: str, status: str, seconds: float | None) -> None:
        """An HTTP request had its answer.

        method, route: as they are registered (`GET`, `/api/domains/{id}`), "none" where nothing is. status: the class
        of the answer (`2xx`), "none" for one that was cut off. seconds: None for a stream, which lasts as it likes.
        """


class Unmetered:
    """Counts nothing."""

    def connected(self) -> None:
        """See `Meter`."""

    def refused(self, reason: str) -> None:
        """See `Meter`."""

    def accepted(self, octets: int, *, repeat: bool) -> None:
        """See `Meter`."""

    def routed(self, aliases: int, *, ticketed: int, repeated: int, owed: int) -> None:
        """See `Meter`."""

    def committed(self, seconds: float) -> None:
        """See `Meter`."""

    def parsed(self, result: Parsed) -> None:
        """See `Meter`."""

    def attempted(self, outcome: str, deliveries: int, seconds: float) -> None:
        """See `Meter`."""

    def delivered(self, seconds: float) -> None:
        """See `Meter`."""

    def requested(self, method: str, route: str, status: str, seconds: float | None) -> None:
        """See `Meter`."""


UNMETERED: Final[Meter] = Unmetered()
