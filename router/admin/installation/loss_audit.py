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

SHOWN = 5
# A second or two of reading on a large database.
NEWEST = 20_000


@dataclass(frozen=True, slots=True)
class LossAuditReport:
    """Counts of the newest messages, and the ids of what is wrong (a few of each kind)."""

    messages: int
    accepted: int
    repeated: int
    events: int
    owed: int
    delivered: int
    pending: int
    dead: int
    doubled: int
    repeats: int
    offenders: tuple[str, ...]
    damaged: tuple[str, ...]
    stuck: tuple[str, ...]
    empty: tuple[str, ...]

    @property
    def sums(self) -> str:
        """The two equations with their numbers."""
        none = self.events - self.owed
        return (
            f"accepted {self.accepted} = ticketed {self.events} + repeated {self.repeated}; ticketed {self.events} = "
            f"delivered {self.delivered} + pending {self.pending} + dead {self.dead} + without integration {none}"
        )

    def faults(self) -> list[str]:
        """What is wrong, a sentence each; empty when the books balance."""
        found = []
        if self.accepted != self.events + self.repeated:
            found.append(
                f"accepted for {self.accepted} aliases, but ticketed for {self.events} and repeated for {self.repeated}"
            )
        if self.owed != self.delivered + self.pending + self.dead - self.doubled:
            told = self.delivered + self.pending + self.dead
            found.append(f"{self.owed} ticket events have an integration, but there are {told} deliveries")
        if self.doubled:
            found.append(f"{self.doubled} ticket events have more than one delivery")
        for ids, what in (
            (self.offenders, "messages with missing tickets or deliveries"),
            (self.damaged, "messages with incomplete raw data"),
            (self.stuck, "pending deliveries that are never attempted"),
            (self.empty, "tickets without a message"),
        ):
            if ids:
                found.append(f"{what}: {', '.join(ids)}")
        return found


async def balance(transaction: QueryExecutor) -> LossAuditReport:
    """Counts now. Mail may come in meanwhile: each figure is of one statement, and so consistent in itself."""
    sums = await transaction.fetch_one("balance_newest", most=NEWEST)
    repeats = await transaction.fetch_one("balance_repeats")
    assert sums is not None and repeats is not None  # noqa: S101, PT018 - aggregates without GROUP BY: always a row

    async def ids(query: str, **values: int) -> tuple[str, ...]:
        return tuple(row["id"] for row in await transaction.fetch_all(query, shown=SHOWN, **values))

    return LossAuditReport(
        messages=sums["messages"],
        accepted=sums["accepted"],
        repeated=sums["repeated"],
        events=sums["events"],
        owed=sums["owed"],
        delivered=sums["delivered"],
        pending=sums["pending"],
        dead=sums["dead"],
        doubled=sums["doubled"],
        repeats=repeats["repeats"],
        offenders=await ids("balance_offenders", most=NEWEST),
        damaged=await ids("balance_damaged", most=NEWEST),
        stuck=await ids("balance_stuck"),
        empty=await ids("balance_empty_tickets", most=NEWEST),
    )
