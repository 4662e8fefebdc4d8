"""Each recorded version is migrated, and the program works with its tickets, keys, settings and queued deliveries.

A migration that a recording contains is frozen: a change of the schema is a new migration.
"""

import smtplib
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from router.admin.installation.loss_audit import audit_losses
from router.store import migrate
from tests.support import mails, seeds
from tests.support.dns import DnsStandIn
from tests.support.installation import DOMAIN, HOST, UNPACED, closed_store, program_settings, split_address
from tests.support.process import Program, run_cli
from tests.support.slack import SlackStandIn
from tests.system.upgrade.recording import Recording, hash_migrations, list_recordings, load_rows, read_recording


@pytest.fixture(params=list_recordings(), ids=lambda file: file.stem)
def recording(request: pytest.FixtureRequest) -> Recording:
    return read_recording(request.param)


def test_recorded_migrations_are_frozen(recording: Recording) -> None:
    assert hash_migrations(migrate.load_migrations())[: recording.version] == recording.hashes


@pytest.fixture(params=["sqlite", "postgres"])
async def settings(
    request: pytest.FixtureRequest,
    recording: Recording,
    tmp_path: Path,
    dns_server: DnsStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, object]:
    """The settings of a program with a database of the recorded version."""
    url = f"sqlite:///{tmp_path / 'emailrouter.db'}"
    if request.param == "postgres":
        url = await request.getfixturevalue("postgres_server").create_database()
    dns_server.set(DOMAIN, "MX", f"10 {HOST}.")
    store = closed_store(url)
    await store.database.open()
    recorded = migrate.load_migrations()[: recording.version]
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "load_migrations", lambda: recorded)
        assert len(await migrate.migrate(store.database)) == recording.version
    await load_rows(store.database, recording)
    await store.database.close()
    own = {**UNPACED, "dns.nameservers": [dns_server.address]}
    return {**program_settings(url, tmp_path, recording.secret_key), **own}


async def test_a_recorded_installation_is_upgraded(
    settings: dict[str, object], recording: Recording, slack: SlackStandIn, tmp_path: Path
) -> None:
    migrated = await run_cli("migrate", env=settings, cwd=tmp_path)
    assert migrated.ok().stdout
    await _assert_nothing_lost(str(settings["database.url"]), recording)
    (tmp_path / "url").write_text(slack.url())
    change = ("integration", "change", "general", "--webhook-url-file", str(tmp_path / "url"))
    (await run_cli(*change, env=settings, cwd=tmp_path)).ok()
    async with Program("serve", env=settings, cwd=tmp_path) as program, aiohttp.ClientSession() as http:
        ready = await program.ready()
        api = _UpgradedApi(http, ready["api"], recording.api_key)
        await _assert_tickets_work(api)
        queued = sum(row["state"] == "pending" for table, row in recording.rows() if table == "deliveries")
        await slack.wait_for(queued, accepted=True)
        _send_reply(split_address(ready["smtp"][0]))
        await slack.wait_for(queued + 1, accepted=True)
        (door,) = await api.tickets("?q=locksmith")
        assert (door["subject"], door["status"]) == ("The door is stuck", "open")
        assert await program.terminate() == 0
    await _assert_nothing_lost(str(settings["database.url"]))


class _UpgradedApi:
    def __init__(self, http: aiohttp.ClientSession, address: str, key: str) -> None:
        self._http = http
        self._address = address
        self._headers = {"Authorization": f"Bearer {key}"}

    async def get(self, path: str) -> Any:
        async with self._http.get(f"http://{self._address}{path}", headers=self._headers) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def tickets(self, query: str = "") -> list[Any]:
        found: list[Any] = (await self.get(f"/api/emails/tickets{query}"))["tickets"]
        return found


async def _assert_nothing_lost(url: str, recording: Recording | None = None) -> None:
    """Asserts that the loss audit passes, and that every recorded row is still there."""
    store = closed_store(url)
    await store.database.open()
    try:
        assert (await audit_losses(store.database)).list_faults() == []
        for table, count in (recording.count_rows() if recording else {}).items():
            (row,) = await seeds.execute(store.database, f"SELECT count(*) AS n FROM {table}")
            assert (table, row["n"]) == (table, count)
    finally:
        await store.database.close()


async def _assert_tickets_work(api: _UpgradedApi) -> None:
    tickets = {(ticket["number"], ticket["subject"]): ticket for ticket in await api.tickets()}
    assert sorted(tickets) == [
        (1, "The door is stuck"),
        (2, "Invoice 42"),
        (3, "Our offers"),
        (4, "Our offers"),
        (5, "Never parsed"),
    ]
    assert [ticket["number"] for ticket in await api.tickets("?status=in_progress")] == [1]
    assert [ticket["number"] for ticket in await api.tickets("?status=resolved")] == [2]
    assert [ticket["number"] for ticket in await api.tickets("?priority=urgent")] == [1]
    assert [ticket["number"] for ticket in await api.tickets("?tag=locks")] == [1]
    assert [ticket["number"] for ticket in await api.tickets("?q=größer")] == [2]
    door = await api.get(f"/api/emails/tickets/{tickets[1, 'The door is stuck']['id']}")
    assert [message["text"].strip() for message in door["messages"]] == [
        "It does not open any more.",
        "It opens again.",
    ]
    assert [event["event"] for event in door["events"]] == [
        "opened",
        "replied",
        "claimed",
        "note",
        "priority",
        "tags",
    ]
    assert [event["sequence"] for event in door["events"]] == [1, 2, 3, 4, 5, 6]
    unparsed = await api.get(f"/api/emails/tickets/{tickets[5, 'Never parsed']['id']}")
    assert unparsed["messages"][0]["text"].strip() == "It does not open any more."


def _send_reply(server: tuple[str, int]) -> None:
    reply = mails.plain(text="The locksmith was here.\n", headers={"In-Reply-To": "<door@customer.test>"})
    with smtplib.SMTP(*server, timeout=10) as client:
        client.sendmail("ada@customer.test", f"support@{DOMAIN}", reply)
