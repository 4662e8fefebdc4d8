"""Measures the pages of the dashboard: `python -m bench.dashboard [sqlite] [postgres] [--tickets N] [--spam PERCENT]`.

Requests the pages of a large installation from `emailrouter api` as a signed-in admin, one request at a time. Prints
the response size and response times of each URL, and marks URLs over a target.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from api.dashboard.views import PAGES
from bench.filled import Dataset, create_dataset, run_statement
from bench.installation import KINDS, bench_installation
from router.admin import paging
from router.admin.access.sessions import SessionService
from router.admin.access.users import UserService
from router.admin.installation.overview import RANGES
from router.admin.templates.canned_responses import CannedResponseService
from router.admin.templates.templates import TemplateService
from router.clock import SystemClock
from router.contents.pool import Parser
from router.enumerations import DELIVERY_STATE, REPLY_STATE, TICKET_SORT
from router.model import Actor
from router.secrets import SecretBox, new_key
from tests.support.process import Program

TICKETS = 100_000
TIMES = 15
TARGET_MS = 60.0
TARGET_BYTES = 100_000
# Pages that are not measured; their size does not depend on the number of tickets.
_CONSTANT_PAGES = {
    *("/sign-in", "/set-password", "/welcome", "/live"),
    *("/tickets/{id}/messages/{message}/html", "/manage/templates/{id}/html"),
}


def visits(dataset: Dataset, others: dict[str, str]) -> dict[str, list[str]]:
    number = dataset.count - 3000
    deep = paging.encode_cursor(dataset.id("ticket", dataset.count // 10))
    ticket, delivery, message = (dataset.id(prefix, number + 1) for prefix in ("ticket", "dlv", "msg"))
    main, small, busy, hook = dataset.aliases[0], dataset.aliases[9], dataset.users[0], dataset.integrations[0]
    found = {
        "/": ["/"],
        "/account": ["/account"],
        "/tickets": [
            *("/tickets", f"/tickets?cursor={deep}", "/tickets?status=resolved", f"/tickets?aliasId={small}"),
            *(f"/tickets?assignedTo={busy}&aliasId={main}", "/tickets?q=hello", "/tickets?q=invoice+refund"),
            *(f"/tickets?q=order{number}", "/tickets?q=nobodywrote&status=open"),
        ],
        "/tickets/spam": ["/tickets/spam", f"/tickets/spam?cursor={deep}", f"/tickets/spam?aliasId={small}"],
        "/tickets/mine": ["/tickets/mine", "/tickets/mine?status=resolved"],
        "/tickets/unassigned": ["/tickets/unassigned", f"/tickets/unassigned?cursor={deep}"],
        "/tickets/open": [f"/tickets/open?sort={sort}" for sort in TICKET_SORT.values],
        "/tickets/{id}": [f"/tickets/{ticket}"],
        "/tickets/delete": [f"/tickets/delete?t-{ticket}=1&list=spam"],
        "/tickets/{id}/tags": [f"/tickets/{ticket}/tags"],
        "/tickets/{id}/allow-sender": [f"/tickets/{ticket}/allow-sender"],
        "/tickets/{id}/block-sender": [f"/tickets/{ticket}/block-sender"],
        "/tickets/{id}/delete": [f"/tickets/{ticket}/delete"],
        "/tickets/{id}/messages/{message}/text": [f"/tickets/{ticket}/messages/{message}/text"],
        "/tickets/{id}/messages/{message}/quoted": [f"/tickets/{ticket}/messages/{message}/quoted"],
        "/activity": ["/activity"],
        "/activity/overview": [f"/activity/overview?days={days}" for days in RANGES],
        "/activity/audit": [
            *("/activity/audit", "/activity/audit?kind=user&group=change", "/activity/audit?q=nothing"),
            f"/activity/audit?userId={busy}&since=2020-01-01",
        ],
        "/activity/deliveries": [
            "/activity/deliveries",
            *(f"/activity/deliveries?state={state}" for state in DELIVERY_STATE.values),
            f"/activity/deliveries?integrationId={hook}",
            f"/activity/deliveries?state=pending&integrationId={hook}",
        ],
        "/activity/deliveries/{id}": [f"/activity/deliveries/{delivery}"],
        "/activity/trace": [
            f"/activity/trace?q={number:011x}@customer.test",
            f"/activity/trace?q={number}",
            "/activity/trace?q=nobody@customer.test",
        ],
        "/activity/trace/{id}": [f"/activity/trace/{message}"],
        "/activity/health": ["/activity/health"],
        "/activity/outbox": ["/activity/outbox", *(f"/activity/outbox?state={state}" for state in REPLY_STATE.values)],
        "/set-up": ["/set-up"],
    }
    for page in PAGES:
        if page.method == "GET" and page.path.startswith("/manage"):
            noun = page.path.partition("/{")[0].rpartition("/")[2]
            path = page.path.replace("{id}", others.get(noun, ""))
            found[page.path] = [f"{path}?sender=@spam7.test" if path.endswith("-senders/remove") else path]
    return found


async def add_manage_data(dataset: Dataset) -> tuple[str, dict[str, str]]:
    """Adds rows that `create_dataset` omits.

    Returns the session token of an admin, and the ids of objects whose pages in `/manage` are measured.
    """
    database = dataset.installation.database
    await database.open()
    try:
        suffix = "substr(m.id, 5)"
        await run_statement(database, "UPDATE messages SET rfc_message_id = substr(id, 20) || '@customer.test'")
        await run_statement(
            database,
            "INSERT INTO ticket_messages (ticket_id, message_id, recipient, rfc_message_id, tag, joined_by, created_at)"
            f" SELECT 'ticket_' || {suffix}, m.id, 'support@example.org', m.rfc_message_id, '', '', m.received_at"
            " FROM messages m",
        )
        await run_statement(
            database,
            "INSERT INTO ticket_events (id, ticket_id, workspace_id, sequence, at, type, actor_type, actor_id, user_id)"
            " SELECT 'evt_' || substr(t.id, 8), t.id, t.workspace_id, 2, t.received_at + 60000000, 'ticket.claimed', "
            "'user', t.assigned_to, t.assigned_to FROM tickets t WHERE t.assigned_to IS NOT NULL",
        )
        await run_statement(
            database,
            "INSERT INTO attempts (delivery_id, n, started_at, finished_at, outcome, status, latency) SELECT d.id, 1, "
            "d.created_at, d.created_at, 'sent', 200, 90000 FROM deliveries d WHERE d.state <> 'pending'",
        )
        await run_statement(database, "ANALYZE")
        actor, clock = Actor(dataset.installation.workspace_id, "admin"), SystemClock()
        busy = await UserService(database, clock, base_url="").get(actor, dataset.users[0])
        login = await SessionService(database, clock, SecretBox(new_key())).start(busy, address="127.0.0.1")
        ids = {"aliases": dataset.aliases[3], "integrations": dataset.integrations[3], "users": dataset.users[3]}
        await TemplateService(database, clock, Parser().sanitize_template, link_base=None).create(
            actor, name="Received", body="Hello {name}"
        )
        await CannedResponseService(database, clock, link_base=None).create(actor, title="Hours", body="9 to 5")
        tables = ("domains", "tags", "templates", "canned_responses")
        for noun, table in (("keys", "api_keys"), *((table.replace("_", "-"), table) for table in tables)):
            ids[noun] = (await run_statement(database, f"SELECT id FROM {table} ORDER BY id LIMIT 1"))[0]["id"]
        return login.token, ids
    finally:
        await database.close()


async def measure(dataset: Dataset, folder: Path, times: int) -> dict[str, tuple[int, list[float]]]:
    """Returns for each URL the response size in bytes, and the milliseconds of each request."""
    token, others = await add_manage_data(dataset)
    urls = visits(dataset, others)
    missing = {page.path for page in PAGES if page.method == "GET"} - set(urls) - _CONSTANT_PAGES
    if missing:
        raise RuntimeError(f"pages that are not measured: {sorted(missing)}")
    unlimited = {"api.session_requests_per_minute": 0}
    found: dict[str, tuple[int, list[float]]] = {}
    headers = {"Cookie": f"er_session={token}", "Accept": "text/html"}
    async with (
        Program("api", env=dataset.installation.env | unlimited, cwd=folder) as program,
        aiohttp.ClientSession(headers=headers, cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        root = f"http://{(await program.ready(60))['api']}"
        for path in (path for paths in urls.values() for path in paths):
            durations, size = [], 0
            for attempt in range(times + 2):
                started_at = time.perf_counter()
                async with http.get(root + path) as response:
                    size = len(await response.read())
                    if response.status != 200:
                        raise RuntimeError(f"{path}: {response.status}")
                if attempt >= 2:
                    durations.append((time.perf_counter() - started_at) * 1000)
            found[path] = size, durations
    return found


def report(kind: str, count: int, found: dict[str, tuple[int, list[float]]]) -> bool:
    print(f"\n{kind}, {count:,} tickets: kB, ms (median, maximum)")
    over = 0
    for path, (size, durations) in found.items():
        median = statistics.median(durations)
        heavy = median > TARGET_MS or size > TARGET_BYTES
        over += heavy
        print(f"  {size / 1000:6.1f} {median:8.1f} {max(durations):8.1f}  {path}{'  OVER' if heavy else ''}")
    print(f"{kind}: {len(found)} URLs, {over} over {TARGET_BYTES // 1000} kB or {TARGET_MS:.0f} ms")
    return not over


async def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=" or ".join(KINDS))
    parser.add_argument("--tickets", type=int, default=TICKETS)
    parser.add_argument("--spam", type=int, default=0, metavar="PERCENT", help="tickets that are spam")
    parser.add_argument("--times", type=int, default=TIMES)
    arguments = parser.parse_args()
    all_met = True
    for kind in arguments.kinds or KINDS:
        with tempfile.TemporaryDirectory() as name:
            async with bench_installation(kind, Path(name), aliases=150, webhooks=20) as installation:
                dataset = await create_dataset(installation, arguments.tickets, spam=arguments.spam)
                all_met &= report(kind, arguments.tickets, await measure(dataset, Path(name), arguments.times))
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
