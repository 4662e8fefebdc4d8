"""Posts domain alerts to the integrations that receive the domain's tickets.

An alert reports that a domain was verified, that its records are missing or correct again, that its verification was
lost, or that another workspace, which is not named, has verified it. The alert is stored in the transaction of the
reported change; after a crash it may be posted again. docs/decisions/0008-domain-alerts.md says why alerts bypass the
outbox.
"""

from __future__ import annotations

import structlog

from router.channels.contract import OperatorAlert, SendFailure, SendOutcome, SendRetry
from router.channels.poster import Poster
from router.clock import SECOND, Clock
from router.local_time import DEFAULT_TIMEZONE
from router.model import Domain, Integration, Micros, Workspace
from router.store.database import Database, fetch_model, fetch_models

RETRY_PERIOD: Micros = 86_400 * SECOND
MAX_DOMAINS = 50
MAX_INTEGRATIONS = 20
TITLE = "Domain alert"

log = structlog.get_logger()


class DomainAlerts:
    """Posts alerts. Use one instance per process, because it remembers which integrations need no retry."""

    def __init__(self, database: Database, clock: Clock, poster: Poster) -> None:
        self._database = database
        self._clock = clock
        self._poster = poster
        # (domain id, alert time, integration id) of posts that need no retry while other integrations are retried.
        self._posted: set[tuple[str, Micros, str]] = set()

    async def post_pending(self) -> int:
        """Posts the pending alerts; returns the number of alerts that need no retry. Raises `Unavailable`."""
        done = 0
        after = ""
        while True:
            domains = await fetch_models(
                self._database, Domain, "domain_pending_alerts", after=after, limit=MAX_DOMAINS
            )
            for domain in domains:
                done += await self._post_alert(domain)
            if len(domains) < MAX_DOMAINS:
                return done
            after = domains[-1].id

    async def _post_alert(self, domain: Domain) -> bool:
        at = domain.alert_at or 0
        workspace = await fetch_model(self._database, Workspace, "workspace_by_id", id=domain.workspace_id)
        integrations = await fetch_models(
            self._database,
            Integration,
            "domain_alert_integrations",
            workspace_id=domain.workspace_id,
            domain_id=domain.id,
            limit=MAX_INTEGRATIONS,
        )
        name, timezone = (workspace.name, workspace.timezone) if workspace else ("", DEFAULT_TIMEZONE)
        alert = OperatorAlert(TITLE, domain.alert, name, at, timezone)
        retries = 0
        for integration in integrations:
            key = (domain.id, at, integration.id)
            if key in self._posted:
                continue
            outcome = await self._send(integration, alert)
            if isinstance(outcome, SendRetry):
                retries += 1
                log.warning(
                    "domain.alert_retry_scheduled",
                    domain_id=domain.id,
                    integration_id=integration.id,
                    reason=outcome.reason,
                )
            else:
                self._posted.add(key)
                _log_outcome(domain, integration, outcome)
        if retries and 0 <= self._clock.now() - at < RETRY_PERIOD:
            return False
        await self._database.execute("domain_clear_alert", id=domain.id, alert_at=at)
        self._posted = {key for key in self._posted if key[0] != domain.id}
        return True

    async def _send(self, integration: Integration, alert: OperatorAlert) -> SendOutcome:
        prepared = self._poster.prepare(integration)
        if isinstance(prepared, SendFailure):
            return prepared
        return await prepared.send(prepared.channel.render_alert(alert))


def _log_outcome(domain: Domain, integration: Integration, outcome: SendOutcome) -> None:
    facts = {"domain": domain.name, "domain_id": domain.id, "integration_id": integration.id, "status": outcome.status}
    if isinstance(outcome, SendFailure):
        log.warning("domain.alert_failed", reason=outcome.reason, **facts)
    else:
        log.info("domain.alert_sent", **facts)
