"""The filters of the audit log against a plain selection in Python, with a bounded number of entries for a page."""

import datetime as dt
import json
import random
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest

from router import ids
from router.admin import audit
from router.enumerations import AUDIT_ACTIONS
from router.filters import AuditFilter
from router.model import AuditEntry
from router.store.fragments import model_values
from tests.support.installation import Installation
from tests.support.refusal import refused_code

ZONE = ZoneInfo("Asia/Kathmandu")
START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
WORDS = ("Ada 100%", "under_score", "Öl!", "10.0.0.1")


async def insert_entries(installation: Installation, users: list[str], count: int) -> list[AuditEntry]:
    """Inserts random entries of ten days, which returns newest first."""
    chosen = random.Random(19)
    moments = sorted(chosen.sample(range(10 * 86_400_000), count), reverse=True)
    entries = []
    for ms in moments:
        at = int(START.timestamp() * 1000) + ms
        entry = AuditEntry(
            id=f"{ids.first_id_at('evt', at)[:-4]}{chosen.randrange(1000):04d}",
            workspace_id=installation.actor.workspace_id,
            at=at * 1000,
            user_id=chosen.choice([*users, None]),
            key_id=None,
            address=chosen.choice(["10.0.0.1", "192.0.2.7"]),
            action=chosen.choice(AUDIT_ACTIONS),
            target="ws_x",
            detail=json.dumps({"name": chosen.choice(WORDS)}, ensure_ascii=False),
        )
        entries.append(entry)
    async with installation.database.transaction() as transaction:
        for entry in entries:
            await transaction.execute("audit_insert", **model_values(entry))
    return entries


async def read_all(installation: Installation, audit_filter: AuditFilter, *, limit: int = 20) -> tuple[list[str], int]:
    """Returns the ids of all pages, and the number of incomplete pages."""
    found: list[str] = []
    cursor, incomplete = None, 0
    for _ in range(200):
        page = await installation.services.audit.list(
            installation.actor, audit_filter, limit=limit, cursor=cursor, zone=ZONE
        )
        found += [entry.id for entry in page.items]
        incomplete += page.is_incomplete
        cursor = page.next_cursor
        if cursor is None:
            return found, incomplete
    raise AssertionError("the pages do not end")


def local_day(entry: AuditEntry) -> str:
    return dt.datetime.fromtimestamp(entry.at / 1_000_000, ZONE).date().isoformat()


async def test_filters_select_what_python_selects(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    users = [str((await installation.add_actor("agent")).user_id) for _ in range(2)]
    entries = await insert_entries(installation, users, 300)
    inserted = {entry.id for entry in entries}
    verbs = {"delete": ("delete", "revoke"), "run": ("test", "replay"), "create": ("create",)}
    cases: list[tuple[dict[str, str], Callable[[AuditEntry], bool]]] = [
        ({"userId": users[0]}, lambda entry: entry.user_id == users[0]),
        ({"kind": "domain"}, lambda entry: entry.action.startswith("domain.")),
        ({"group": "sign_in"}, lambda entry: "sign_in" in entry.action),
        *(
            ({"group": group}, lambda entry, names=names: entry.action.partition(".")[2] in names)
            for group, names in verbs.items()
        ),
        ({"kind": "key", "group": "sign_in"}, lambda _: False),
        ({"since": "2026-03-04"}, lambda entry: local_day(entry) >= "2026-03-04"),
        ({"until": "2026-03-04"}, lambda entry: local_day(entry) <= "2026-03-04"),
        (
            {"since": "2026-03-05", "until": "2026-03-05", "userId": users[1]},
            lambda entry: local_day(entry) == "2026-03-05" and entry.user_id == users[1],
        ),
        *(({"q": word}, lambda entry, word=word: word in entry.detail + entry.address) for word in WORDS),
        ({"q": "ADA"}, lambda entry: "Ada" in entry.detail),
        ({"q": "Agent"}, lambda entry: entry.user_id in users),
    ]
    for scanned in (audit.MAX_SCANNED, 50):
        monkeypatch.setattr(audit, "MAX_SCANNED", scanned)
        for query, matches in cases:
            found, incomplete = await read_all(installation, AuditFilter.from_query(query))
            expected = [entry.id for entry in entries if matches(entry)]
            found = [each for each in found if each in inserted]
            assert found == expected, (query, scanned)
            assert scanned == 50 or not incomplete, query
    monkeypatch.setattr(audit, "MAX_SCANNED", 50)
    page = await installation.services.audit.list(installation.actor, AuditFilter(q="nothing like this"))
    assert (page.items, page.is_incomplete) == ((), True)


async def test_invalid_filters_are_refused(installation: Installation) -> None:
    service, actor = installation.services.audit, installation.actor
    for name in ("since", "until"):
        for text in ("tomorrow", "0001-01-01", "9999-12-31"):
            given = AuditFilter.from_query({name: text})
            assert await refused_code(service.list(actor, given)) == ("invalid_request", name)
    assert await refused_code(service.list(actor, AuditFilter(q="x" * 300))) == ("invalid_request", "q")
