"""Queues the deliveries of accepted messages, for the integrations that their aliases have at the commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from router import ids
from router.accept.incoming import AcceptEntry, CheckWaits
from router.model import Micros
from router.store.database import Statement, StatementGenerator


@dataclass(frozen=True, slots=True)
class CurrentIntegration:
    """The integration of an alias at the time of the commit."""

    id: str
    status: str
    workspace_policy: str
    alias_policy: str | None


def read_integrations(new_entries: Sequence[AcceptEntry]) -> StatementGenerator[dict[str, CurrentIntegration]]:
    """Reads the current integration of each alias that has one.

    An alias deleted since RCPT has none, but its ticket is still created.
    """
    targets = {entry.target.alias_key: entry.target for entry in new_entries}
    rows = yield Statement(
        "accept_current_integrations",
        [{"workspace_id": t.workspace_id, "alias_id": t.alias_id} for t in targets.values()],
    )
    found = {
        (row["workspace_id"], row["alias_id"]): CurrentIntegration(
            row["integration_id"], row["integration_status"], row["workspace_policy"], row["alias_policy"]
        )
        for row in rows
        if row["integration_id"] is not None
    }
    known = {key: found.get((target.workspace_id, target.alias_id)) for key, target in targets.items()}
    return {key: integration for key, integration in known.items() if integration is not None}


def queue_deliveries(
    new_entries: Sequence[AcceptEntry], integrations: dict[str, CurrentIntegration], queued: Counter[str]
) -> StatementGenerator[dict[str, list[str]]]:
    """Writes the deliveries; returns the ids of the integrations to wake, by message id.

    A delivery waits for the checks of the sender, but is due at the end of their time whatever is missing.
    """
    due_integrations: dict[str, list[str]] = {}
    deliveries = []
    for entry in new_entries:
        integration = integrations.get(entry.target.alias_key)
        if integration is None or entry.is_bounce:
            continue
        queued[entry.message.id] += 1
        now, waits = entry.message.received_at, entry.mail.check_waits
        is_parked = integration.status == "failing" and not entry.joins_spam
        is_pending = not is_parked and not entry.joins_spam
        if is_pending and waits is None:
            due_integrations.setdefault(entry.message.id, []).append(integration.id)
        wait = 0 if waits is None else _choose_wait(waits, integration, entry)
        deliveries.append(
            {
                "id": ids.new_id("dlv"),
                "workspace_id": entry.message.workspace_id,
                "ticket_id": entry.ticket_id,
                "message_id": entry.message.id,
                "integration_id": integration.id,
                "event": "replied" if entry.joined_by else "opened",
                "created_at": now,
                "expires_at": entry.mail.expires_at,
                "next_attempt_at": now + wait if is_pending else None,
                "parked_at": now if is_parked else None,
                "state": "spam" if entry.joins_spam else "pending",
                "awaiting": None if waits is None or entry.joins_spam else "checks",
            }
        )
    yield Statement("accept_insert_delivery", deliveries)
    return due_integrations


def _choose_wait(waits: CheckWaits, integration: CurrentIntegration, entry: AcceptEntry) -> Micros:
    return waits.choose(
        integration.workspace_policy,
        integration.alias_policy,
        is_suspicious=entry.share.is_suspicious or entry.awaits_author,
    )
