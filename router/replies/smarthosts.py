"""The states of smarthosts, and the mail that waits for them, as statements of the caller's transaction.

Mail is queued for a smarthost. When a domain gets a smarthost of its own, or loses it, its queued mail is moved. All
transactions lock smarthosts before deliveries.
"""

from __future__ import annotations

from router.model import Micros
from router.replies.sending import INSTALLATION
from router.store.database import Statement, StatementGenerator

# Maximum number of deliveries that one statement parks or makes due.
PARK_STEP = 500


def save_smarthost(
    smarthost_id: str, url: str, now: Micros, *, is_changed: bool, domain: str = ""
) -> StatementGenerator[None]:
    """Adds a smarthost, or resets it, so that its parked mail is due now.

    Args:
        url: Without a password; "" for none.
        is_changed: Whether its password may be another one. Another URL always resets it.
        domain: The name of its domain, whose queued mail is moved from the smarthost of the installation.
    """
    saved = yield Statement("smarthost_save", [{"id": smarthost_id, "url": url, "is_changed": int(is_changed)}])
    if not saved:
        return
    # More than PARK_STEP parked deliveries are made due by the claims.
    yield Statement("smarthost_unpark", [{"id": smarthost_id, "now": now, "limit": PARK_STEP}])
    if domain:
        yield from _move(INSTALLATION, smarthost_id, now, domain=domain)


def remove_smarthost(smarthost_id: str, now: Micros) -> StatementGenerator[None]:
    """Removes the smarthost of a domain. Its queued mail goes to that of the installation."""
    yield Statement("smarthost_delete", [{"id": smarthost_id}])
    yield from _move(smarthost_id, INSTALLATION, now)


def _move(from_id: str, to_id: str, now: Micros, *, domain: str = "") -> StatementGenerator[None]:
    row: dict[str, object] = {"from_id": from_id, "to_id": to_id, "domain": domain}
    yield Statement("smarthost_move_parked", [row | {"now": now}])
    yield Statement("smarthost_move_waiting", [row])
