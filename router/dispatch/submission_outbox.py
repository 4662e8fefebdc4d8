"""The mail for smarthosts as seen by one process.

Each attempt is committed before the connection to the smarthost, and `final_dot_at` before the data is ended. If the
process is killed, the mail is sent again after its lease; only after `final_dot_at`, it may have been sent before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from router.clock import Clock
from router.dispatch.submission_transaction import SubmissionItem, SubmissionResult, write_submissions
from router.dispatch.submission_work import (
    ClaimResult,
    CompletedSubmission,
    LeaseRenewal,
    Recorded,
    Submission,
    SubmissionClaim,
    SubmissionLimits,
)
from router.lease_owner import is_dead
from router.model import Smarthost
from router.replies.sending import INSTALLATION
from router.replies.smarthosts import save_smarthost
from router.store.database import Database, StatementGenerator, fetch_models, run_statements
from router.store.group_writers import GroupWriters


class SubmissionOutbox:
    """Claims mail and records what happened to it; `owner` identifies this process."""

    def __init__(
        self, database: Database, writers: GroupWriters, clock: Clock, owner: str, limits: SubmissionLimits
    ) -> None:
        self._database = database
        self._writer = writers.open(self._write_group)
        self._clock = clock
        self._owner = owner
        self._limits = limits

    async def find_ready(self) -> list[Smarthost]:
        """Returns the smarthosts with work. Raises `Unavailable`, as all methods do."""
        now = self._clock.now()
        return await fetch_models(
            self._database,
            Smarthost,
            "submission_ready",
            now=now,
            latest_plausible=self._limits.latest_plausible(now),
        )

    async def claim(self, claim: SubmissionClaim) -> ClaimResult:
        return cast("ClaimResult", await self._writer.commit(claim))

    async def renew(self, submission: Submission) -> bool:
        """Extends the lease; returns False if another process has it, or if the mail was removed."""
        return cast("bool", await self._writer.commit(LeaseRenewal(submission)))

    async def begin_final_dot(self, submission: Submission) -> bool:
        """Commits that the data is about to be ended, with a lease for the time of the answer.

        Returns False if the mail must not be sent: another process has the lease, or the mail was removed.
        """
        return cast("bool", await self._writer.commit(LeaseRenewal(submission, is_final=True)))

    async def record(self, completed: CompletedSubmission) -> Recorded:
        return cast("Recorded", await self._writer.commit(completed))

    def _write_group(self, items: Sequence[SubmissionItem]) -> StatementGenerator[Sequence[SubmissionResult]]:
        """Starts the transaction of a group. The time is read now, because a lease must not start in the past."""
        return write_submissions(items, self._clock.now(), self._owner, self._limits)

    async def read_content(self, message_id: str) -> bytes:
        """Returns the stored message; `b""` if it was erased."""
        rows = await self._database.fetch_all("submission_content", message_id=message_id)
        return b"".join(bytes(row["data"]) for row in rows)

    async def start(self, installation_url: str) -> None:
        """Saves the smarthost of the configuration, and releases the mail of dead processes of this host.

        A failing smarthost is probed at once: its password may be another one now.
        """
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            await run_statements(transaction, save_smarthost(INSTALLATION, installation_url, now, is_changed=False))
            await transaction.execute("smarthost_probe_now", id=INSTALLATION, now=now)
        for row in await self._database.fetch_all("submission_open_attempts"):
            if is_dead(row["owner"]):
                await self._database.execute("submission_release", delivery_id=row["delivery_id"], n=row["n"], now=now)

    async def repair(self) -> None:
        """Moves mail whose smarthost was removed while it was queued."""
        await self._database.execute("submission_adopt")
