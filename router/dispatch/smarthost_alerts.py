"""Posts an alert to each workspace whose replies wait for a failing smarthost, once for each failure.

A process claims an alert in the database before it posts it: several hosts post it once. After a failure to post, the
claim is removed, and it is posted again. Alerts bypass the outbox (docs/decisions/0008-domain-alerts.md).
"""

from __future__ import annotations

import structlog

from router.channels.contract import OperatorAlert, SendFailure, SendOutcome, SendSuccess
from router.channels.poster import Poster
from router.clock import Clock
from router.model import Integration
from router.store.database import Database, Row, fetch_model

TITLE = "Replies cannot be sent"
OUTBOX_PATH = "/activity/outbox"

log = structlog.get_logger()


class SmarthostAlerts:
    """Posts the alerts. `link_base` is that of links to the dashboard; None for no link."""

    def __init__(self, database: Database, clock: Clock, poster: Poster, *, link_base: str | None) -> None:
        self._database = database
        self._clock = clock
        self._poster = poster
        self._link_base = link_base

    async def post_due(self) -> int:
        """Posts the alerts that are due; returns their number. Raises `Unavailable`."""
        due = await self._database.fetch_all("smarthost_alert_due")
        return sum([await self._post(row) for row in due])

    async def _post(self, row: Row) -> bool:
        workspace_id, now = row["workspace_id"], self._clock.now()
        integration = await fetch_model(
            self._database, Integration, "spam_alert_integration", workspace_id=workspace_id
        )
        claim = f"smarthost_alert.{row['id']}.{workspace_id}"
        # A claim since the smarthost fails is that of this alert.
        if integration is None or not await self._database.execute(
            "maintenance_claim", name=claim, now=now, after=row["failing_since"]
        ):
            return False
        link = None if self._link_base is None else self._link_base.rstrip("/") + OUTBOX_PATH
        alert = OperatorAlert(TITLE, describe_failure(row), row["name"], now, row["timezone"], link=link)
        outcome = await self._send(integration, alert)
        facts = {"smarthost_id": row["id"], "workspace_id": workspace_id, "integration_id": integration.id}
        if not isinstance(outcome, SendSuccess):
            await self._database.execute("spam_alert_unclaim", name=claim)
            log.warning("submission.alert_failed", reason=outcome.reason, **facts)
            return False
        log.info("submission.alert_sent", **facts)
        return True

    async def _send(self, integration: Integration, alert: OperatorAlert) -> SendOutcome:
        prepared = self._poster.prepare(integration)
        if isinstance(prepared, SendFailure):
            return prepared
        return await prepared.send(prepared.channel.render_alert(alert))


def describe_failure(row: Row) -> str:
    """Describes a failing smarthost without its URL, which may contain an access key."""
    name = f"the smarthost of {row['domain'] or 'this installation'}"
    waiting = f"{row['waiting']:,} {'reply waits' if row['waiting'] == 1 else 'replies wait'}"
    return f"{waiting}: {name} is failing: {row['last_error']}. One of them is tried again every 5 minutes to 1 hour."
