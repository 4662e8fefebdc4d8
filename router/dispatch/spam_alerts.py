"""Posts an alert once a day to each workspace in which new mail was held as spam.

Such mail is posted nowhere else, so without the alert nobody might look for a message that is not spam. A process
claims an alert in the database before it posts it, and records it afterwards: several hosts post it once. After a crash
or a failure it is posted again when the claim has expired, possibly a second time. Alerts bypass the outbox
(docs/decisions/0008-domain-alerts.md).
"""

from __future__ import annotations

import structlog

from router.channels.contract import OperatorAlert, SendFailure, SendOutcome, SendSuccess
from router.channels.poster import Poster
from router.clock import SECOND, Clock
from router.model import Integration, Micros
from router.store.database import Database, Row, fetch_model

ALERT_PERIOD: Micros = 86_400 * SECOND
# How long a claim holds, and so the pause before the next attempt after a failure.
RETRY_PERIOD: Micros = 3600 * SECOND
# Maximum number of tickets whose messages are counted.
MAX_TICKETS = 10_000
TITLE = "Spam alert"
SPAM_PATH = "/tickets/spam"

log = structlog.get_logger()


class SpamAlerts:
    """Posts the alerts. `link_base` is that of links to tickets; None for no link."""

    def __init__(self, database: Database, clock: Clock, poster: Poster, *, link_base: str | None) -> None:
        self._database = database
        self._clock = clock
        self._poster = poster
        self._link_base = link_base

    async def post_due(self) -> int:
        """Posts the alerts that are due; returns their number. Raises `Unavailable`."""
        now = self._clock.now()
        due = await self._database.fetch_all("spam_alert_due", after=now - ALERT_PERIOD + 1, now=now)
        posted = 0
        for workspace in due:
            posted += await self._post(workspace)
        return posted

    async def _post(self, workspace: Row) -> bool:
        workspace_id, now = workspace["id"], self._clock.now()
        last = workspace["spam_alerted_at"]
        counts = await self._database.fetch_one(
            "spam_alert_counts",
            workspace_id=workspace_id,
            since=last if last <= now else now - ALERT_PERIOD,
            limit=MAX_TICKETS,
        )
        if counts is None or not counts["messages"]:
            return False
        integration = await fetch_model(
            self._database, Integration, "spam_alert_integration", workspace_id=workspace_id
        )
        if integration is None or not await self._claim(workspace):
            return False
        link = None if self._link_base is None else self._link_base.rstrip("/") + SPAM_PATH
        text = describe_counts(counts["messages"], counts["aliases"])
        alert = OperatorAlert(TITLE, text, workspace["name"], now, workspace["timezone"], link=link)
        outcome = await self._send(integration, alert)
        facts = {"workspace_id": workspace_id, "integration_id": integration.id, "messages": counts["messages"]}
        if not isinstance(outcome, SendSuccess):
            log.warning("spam.alert_failed", reason=outcome.reason, **facts)
            return False
        async with self._database.transaction() as transaction:
            await transaction.execute("spam_alert_record", id=workspace_id, now=now)
            await transaction.execute("spam_alert_unclaim", name=_claim_name(workspace_id))
        log.info("spam.alert_sent", **facts)
        return True

    async def _claim(self, workspace: Row) -> bool:
        """Claims the alert, unless another process has claimed it or has posted it since `workspace` was read."""
        now, name = self._clock.now(), _claim_name(workspace["id"])
        async with self._database.transaction() as transaction:
            if not await transaction.execute("maintenance_claim", name=name, now=now, after=now - RETRY_PERIOD + 1):
                return False
            last = await transaction.fetch_one("spam_alert_last", id=workspace["id"])
            is_due = last is not None and last["spam_alerted_at"] == workspace["spam_alerted_at"]
            if not is_due:
                await transaction.execute("spam_alert_unclaim", name=name)
            return is_due

    async def _send(self, integration: Integration, alert: OperatorAlert) -> SendOutcome:
        prepared = self._poster.prepare(integration)
        if isinstance(prepared, SendFailure):
            return prepared
        return await prepared.send(prepared.channel.render_alert(alert))


def describe_counts(messages: int, aliases: int) -> str:
    more = "+" if messages >= MAX_TICKETS else ""
    return (
        f"{messages:,}{more} {'mail' if messages == 1 else 'mails'} held as spam, "
        f"{aliases:,} {'alias' if aliases == 1 else 'aliases'}. "
        "Nothing is posted about them until a person releases their tickets."
    )


def _claim_name(workspace_id: str) -> str:
    return f"spam_alert.{workspace_id}"
