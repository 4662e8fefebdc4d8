"""The loss audit: whether the rows prove that every accepted mail is where the promise says.

    accepted = ticketed + repeated             for each message, counted in aliases
    owed     = delivered + pending + dead      for each ticket event with an integration

A message's row says for how many aliases it was accepted and how many of these had the mail already; its links say what
it was joined to and which integration a delivery is owed to. All of it is written in the one transaction of the accept,
so an imbalance means a fault in the program, in the database, or in hands that changed rows. Reads only; bounded by the
number of newest messages.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.store.database import QueryExecutor

MAX_LISTED_IDS = 5
# A second or two of reading on a large database.
MAX_MESSAGES = 20_000


@dataclass(frozen=True, slots=True)
class LossAuditReport:
    """Counts of the newest messages, and the ids of what is wrong (a few of each kind)."""

    messages: int
    accepted: int
    repeated: int
    events: int
    expected: int
    delivered: int
    pending: int
    dead: int
    duplicated: int
    repeats: int
    incomplete_messages: tuple[str, ...]
    damaged_messages: tuple[str, ...]
    stuck_deliveries: tuple[str, ...]
    empty_tickets: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The two equations with their numbers."""
        none = self.events - self.expected
        return (
            f"accepted {self.accepted} = ticketed {self.events} + repeated {self.repeated}; ticketed {self.events} = "
            f"delivered {self.delivered} + pending {self.pending} + dead {self.dead} + without integration {none}"
        )

    def list_faults(self) -> list[str]:
        """What is wrong, a sentence each; empty when the books balance."""
        found = []
        if self.accepted != self.events + self.repeated:
            found.append(
                f"accepted for {self.accepted} aliases, but ticketed for {self.events} and repeated for {self.repeated}"
            )
        if self.expected != self.delivered + self.pending + self.dead - self.duplicated:
            told = self.delivered + self.pending + self.dead
            found.append(f"{self.expected} ticket events have an integration, but there are {told} deliveries")
        if self.duplicated:
            found.append(f"{self.duplicated} ticket events have more than one delivery")
        for ids, what in (
            (self.incomplete_messages, "messages with missing tickets or deliveries"),
            (self.damaged_messages, "messages with incomplete raw data"),
            (self.stuck_deliveries, "pending deliveries that are never attempted"),
            (self.empty_tickets, "tickets without a message"),
        ):
            if ids:
                found.append(f"{what}: {', '.join(ids)}")
        return found


async def audit_losses(transaction: QueryExecutor) -> LossAuditReport:
    """Counts now. Mail may come in meanwhile: each figure is of one statement, and so consistent in itself."""
    sums = await transaction.fetch_one("loss_audit_totals", max_examined=MAX_MESSAGES)
    repeats = await transaction.fetch_one("loss_audit_repeats")
    assert sums is not None and repeats is not None  # noqa: S101, PT018 - aggregates without GROUP BY: always a row

    async def ids(query: str, **values: int) -> tuple[str, ...]:
        return tuple(row["id"] for row in await transaction.fetch_all(query, limit=MAX_LISTED_IDS, **values))

    return LossAuditReport(
        messages=sums["messages"],
        accepted=sums["accepted"],
        repeated=sums["repeated"],
        events=sums["events"],
        expected=sums["queued"],
        delivered=sums["delivered"],
        pending=sums["pending"],
        dead=sums["dead"],
        duplicated=sums["duplicated"],
        repeats=repeats["repeats"],
        incomplete_messages=await ids("loss_audit_mismatched_messages", max_examined=MAX_MESSAGES),
        damaged_messages=await ids("loss_audit_damaged_messages", max_examined=MAX_MESSAGES),
        stuck_deliveries=await ids("loss_audit_stuck_deliveries"),
        empty_tickets=await ids("loss_audit_empty_tickets", max_examined=MAX_MESSAGES),
    )
