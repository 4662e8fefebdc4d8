"""The loss audit: checks that no accepted message and no reply was lost. Reads only.

    accepted = ticketed + repeated                          numbers of aliases, for each message
    expected = delivered + pending + dead + held as spam    numbers of deliveries, for each message

A message, its tickets and its deliveries are written in one transaction, so a difference indicates a bug, a database
fault or a manual change. So are a reply and the deliveries of its recipients, whose states change together. Checks the
newest `MAX_MESSAGES` messages, as many of the newest tickets and replies, and all pending deliveries.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.store.database import QueryExecutor

MAX_LISTED_IDS = 5
# Bounds the duration of the audit on a large database.
MAX_MESSAGES = 20_000


@dataclass(frozen=True, slots=True)
class LossAuditReport:
    """Counts over the newest messages, and up to `MAX_LISTED_IDS` ids for each kind of fault.

    Attributes:
        accepted: The number of aliases that each message was accepted for, summed over the messages.
        repeated: The part of `accepted` for aliases that had already received the same message.
        events: Ticket events, one for each ticket of each message.
        spam: Deliveries that wait because their ticket is held as spam.
        expected: Ticket events with an integration. Each must have one delivery.
        duplicated: Deliveries in addition to the first of each ticket event.
        repeats: Recently received duplicates. A duplicate counts once for each of its aliases.
        incomplete_messages: Messages with a wrong number of tickets or a missing delivery.
        stuck_deliveries: Pending deliveries that no worker will send.
        mismatched_replies: Replies with a recipient that has no delivery in the same state.
    """

    messages: int
    accepted: int
    repeated: int
    events: int
    expected: int
    delivered: int
    pending: int
    dead: int
    spam: int
    duplicated: int
    repeats: int
    incomplete_messages: tuple[str, ...]
    damaged_messages: tuple[str, ...]
    stuck_deliveries: tuple[str, ...]
    mismatched_replies: tuple[str, ...]
    empty_tickets: tuple[str, ...]

    @property
    def summary(self) -> str:
        unposted = self.events - self.expected
        return (
            f"accepted {self.accepted} = ticketed {self.events} + repeated {self.repeated}; ticketed {self.events} = "
            f"delivered {self.delivered} + pending {self.pending} + dead {self.dead} + held as spam {self.spam} + "
            f"without integration {unposted}"
        )

    def list_faults(self) -> list[str]:
        faults = []
        if self.accepted != self.events + self.repeated:
            faults.append(
                f"accepted for {self.accepted} aliases, but ticketed for {self.events} and repeated for {self.repeated}"
            )
        deliveries = self.delivered + self.pending + self.dead + self.spam
        if self.expected != deliveries - self.duplicated:
            faults.append(f"{self.expected} ticket events have an integration, but there are {deliveries} deliveries")
        if self.duplicated:
            faults.append(f"{self.duplicated} ticket events have more than one delivery")
        for ids, description in (
            (self.incomplete_messages, "messages with missing tickets or deliveries"),
            (self.damaged_messages, "messages with incomplete raw data"),
            (self.stuck_deliveries, "pending deliveries that are never attempted"),
            (self.mismatched_replies, "replies with a recipient that lacks its delivery"),
            (self.empty_tickets, "tickets without a message"),
        ):
            if ids:
                faults.append(f"{description}: {', '.join(ids)}")
        return faults


async def audit_losses(transaction: QueryExecutor) -> LossAuditReport:
    """Runs the audit. One statement reads the totals, so they are consistent while mail arrives."""
    totals = await transaction.fetch_one("loss_audit_totals", max_examined=MAX_MESSAGES)
    repeats = await transaction.fetch_one("loss_audit_repeats")
    assert totals is not None and repeats is not None  # noqa: S101, PT018 - aggregates without GROUP BY: always a row

    async def ids(query: str, **values: int) -> tuple[str, ...]:
        return tuple(row["id"] for row in await transaction.fetch_all(query, limit=MAX_LISTED_IDS, **values))

    return LossAuditReport(
        messages=totals["messages"],
        accepted=totals["accepted"],
        repeated=totals["repeated"],
        events=totals["events"],
        expected=totals["queued"],
        delivered=totals["delivered"],
        pending=totals["pending"],
        dead=totals["dead"],
        spam=totals["spam"],
        duplicated=totals["duplicated"],
        repeats=repeats["repeats"],
        incomplete_messages=await ids("loss_audit_mismatched_messages", max_examined=MAX_MESSAGES),
        damaged_messages=await ids("loss_audit_damaged_messages", max_examined=MAX_MESSAGES),
        stuck_deliveries=await ids("loss_audit_stuck_deliveries"),
        mismatched_replies=await ids("loss_audit_mismatched_replies", max_examined=MAX_MESSAGES),
        empty_tickets=await ids("loss_audit_empty_tickets", max_examined=MAX_MESSAGES),
    )
