"""Finds addresses to which mail does not arrive."""

from __future__ import annotations

from collections.abc import Iterable

from router.clock import SECOND
from router.mail.mailboxes import normalize_address
from router.model import Micros
from router.store.database import QueryExecutor

# An address is undeliverable after this many permanent bounces within the time.
MAX_BOUNCES = 3
BOUNCE_WINDOW: Micros = 30 * 24 * 3600 * SECOND


async def find_undeliverable(
    executor: QueryExecutor, workspace_id: str, addresses: Iterable[str], now: Micros
) -> list[str]:
    """Returns those of the addresses to which mail of the workspace bounced permanently several times."""
    found = []
    for address in dict.fromkeys(addresses):
        row = await executor.fetch_one(
            "reply_bounces_of_address",
            workspace_id=workspace_id,
            address_key=normalize_address(address),
            since=now - BOUNCE_WINDOW,
            limit=MAX_BOUNCES,
        )
        if row is not None and row["bounces"] >= MAX_BOUNCES:
            found.append(address)
    return found
