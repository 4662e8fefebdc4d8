"""The metrics of a running program after real mail."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import aiohttp
import pytest
import trustme
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.metrics.scrape import scrape
from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.installation import Installation, migrated_installation, split_address
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.smtp import RawSmtp, send_mail
from tests.support.waiting import poll_until

SENDER = "ada@customer.test"
VERSION = version("emailrouter")
SUPPORT = "support@example.org"


@pytest.fixture
async def installation(tmp_path: Path, slack: SlackStandIn) -> AsyncIterator[Installation]:
    async with migrated_installation(tmp_path, slack) as found:
        found.settings["metrics.listen"] = "127.0.0.1:0"
        yield found


async def wait_until_parked(installation: Installation) -> None:
    """Waits until the database contains a parked delivery.

    The metrics of the database are cached for at least five seconds, so an earlier scrape would hide the delivery.
    """

    async def count_parked() -> object:
        row = await installation.database.fetch_one("metrics_queue")
        return row and row["parked"]

    await poll_until(count_parked, "a parked delivery")


async def test_metrics_after_real_mail(installation: Installation, slack: SlackStandIn, tmp_path: Path) -> None:
    async with Program("serve", env=installation.settings, cwd=tmp_path) as program:
        facts = await program.ready()
        host, port = split_address(facts["smtp"][0])
        slack.script("general", FixedResponse(200), FixedResponse(404, "no_service"))
        first, second = mails.plain(), mails.with_attachment()
        for content in (first, first):
            assert (await send_mail(host, port, SENDER, [SUPPORT], content)).code == 250
        await program.wait_event("delivery.sent")
        assert (await send_mail(host, port, SENDER, [SUPPORT, "Support+urgent@example.org"], second)).code == 250
        await program.wait_event("delivery.failed")
        await wait_until_parked(installation)
        refused = await send_mail(host, port, SENDER, ["nobody@example.org"], mails.plain())
        assert refused.code == 550
        relayed = await send_mail(host, port, SENDER, ["somebody@elsewhere.test"], mails.plain())
        assert relayed.code == 550
        async with await RawSmtp.connect(host, port):
            metrics = await scrape(facts["metrics"])

    assert metrics("emailrouter_info", version=VERSION, roles="api,deliver,smtp") == 1
    assert metrics("emailrouter_mails_accepted_total", kind="new") == 2
    assert metrics("emailrouter_mails_accepted_total", kind="repeat") == 1
    assert metrics("emailrouter_accepted_bytes_total") == 2 * len(first) + len(second)
    assert metrics("emailrouter_refused_total", reason="no_such_alias") == 1
    assert metrics("emailrouter_refused_total", reason="relay_denied") == 1
    assert metrics("emailrouter_smtp_connections_total") == 6
    assert metrics("emailrouter_smtp_open_connections") == 1
    assert metrics("emailrouter_commit_seconds_count") == 3
    assert metrics("emailrouter_delivery_attempts_total", outcome="sent") == 1
    assert metrics("emailrouter_delivery_attempts_total", outcome="parked") == 1
    assert metrics("emailrouter_delivery_answer_seconds_count") == 2
    assert metrics("emailrouter_delivery_seconds_count") == 1
    assert metrics("emailrouter_mails_parsed_total", result="clean") == 2
    assert metrics("emailrouter_mails_parsed_total", result="failed") == 0
    assert metrics("emailrouter_store_up") == 1
    assert metrics("emailrouter_queue_deliveries", state="parked", target="integration") == 1
    assert metrics("emailrouter_queue_deliveries", state="waiting", target="integration") == 0
    assert metrics("emailrouter_queue_oldest_seconds") > 0
    assert metrics("emailrouter_failing_integrations") == 1
    assert metrics("process_open_fds") > 0

    # the loss audit
    assert metrics("emailrouter_audit_accepted_total") == 3
    assert metrics("emailrouter_audit_ticketed_total") == 2
    assert metrics("emailrouter_audit_repeated_total") == 1
    assert metrics("emailrouter_audit_owed_total") == 2
    assert metrics("emailrouter_audit_messages") == 2
    assert metrics("emailrouter_audit_unticketed_messages") == 0
    states = {state: metrics("emailrouter_audit_ticket_events", state=state) for state in ("delivered", "pending")}
    assert states == {"delivered": 1, "pending": 1}


@pytest.mark.parametrize(("role", "own"), [("smtp", "emailrouter_smtp_open_connections"), ("deliver", ""), ("api", "")])
async def test_each_role_has_metrics(role: str, own: str, installation: Installation, tmp_path: Path) -> None:
    async with Program(role, env=installation.settings, cwd=tmp_path) as program:
        metrics = await scrape((await program.ready())["metrics"])
        assert metrics("emailrouter_info", version=VERSION, roles=role) == 1
        assert ("emailrouter_smtp_open_connections" in metrics.families) == bool(own)


async def test_requests_are_counted_by_route(installation: Installation, tmp_path: Path) -> None:
    async with (
        Program("api", env=installation.settings, cwd=tmp_path) as program,
        aiohttp.ClientSession() as http,
    ):
        facts = await program.ready()

        async def request(method: str, path: str) -> int:
            async with http.request(method, f"http://{facts['api']}{path}") as response:
                await response.read()
                return response.status

        assert [await request("GET", f"/api/domains/dom_{n}") for n in range(3)] == [401] * 3
        assert await request("GET", "/v1/domains/dom_1") == 401
        assert await request("GET", "/healthz") == 200
        assert [await request("GET", f"/api/nowhere/{n}") for n in range(3)] == [404] * 3
        assert await request("DELETE", "/api/domains") == 405
        metrics = await scrape(facts["metrics"])
    route = {"method": "GET", "route": "/api/domains/{id}"}
    assert metrics("emailrouter_http_requests_total", status="4xx", **route) == 4
    assert metrics("emailrouter_http_request_seconds_count", **route) == 4
    assert metrics("emailrouter_http_requests_total", method="GET", route="/healthz", status="2xx") == 1
    assert metrics("emailrouter_http_requests_total", method="none", route="none", status="4xx") == 4
    counted = [name for name, _ in metrics.samples if name == "emailrouter_http_requests_total"]
    assert len(counted) == 3, "unknown paths create no labels"


async def test_certificate_expiry(installation: Installation, tmp_path: Path) -> None:
    name = "emailrouter_certificate_expiry_timestamp_seconds"
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    tls = {"smtp.tls_cert": str(chain), "smtp.tls_key": str(key)}
    authority = trustme.CA()

    def issue(until: datetime) -> None:
        issued = authority.issue_cert("mx1.host.test", not_after=until)
        issued.private_key_pem.write_to_path(key)
        issued.cert_chain_pems[0].write_to_path(chain)

    issue(datetime(2030, 1, 1, tzinfo=UTC))
    async with Program("smtp", env={**installation.settings, **tls}, cwd=tmp_path) as program:
        address = (await program.ready())["metrics"]
        assert (await scrape(address))(name) == datetime(2030, 1, 1, tzinfo=UTC).timestamp()
        issue(datetime(2031, 1, 1, tzinfo=UTC))  # the next scrape reads the file without a session or SIGHUP
        assert (await scrape(address))(name) == datetime(2031, 1, 1, tzinfo=UTC).timestamp()
    async with Program("smtp", env=installation.settings, cwd=tmp_path) as program:
        metrics = await scrape((await program.ready())["metrics"])
        assert metrics.families[name].samples == []


async def test_prometheus_text_format(installation: Installation, tmp_path: Path) -> None:
    async with (
        Program("deliver", env=installation.settings, cwd=tmp_path) as program,
        aiohttp.ClientSession() as http,
    ):
        address = (await program.ready())["metrics"]
        async with http.get(f"http://{address}/metrics") as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            names = {family.name for family in text_string_to_metric_families(await response.text())}
            assert "emailrouter_mails_accepted" in names
        for method, path, status in (("GET", "/", 404), ("GET", "/metrics/x", 404), ("POST", "/metrics", 405)):
            async with http.request(method, f"http://{address}{path}") as response:
                assert response.status == status


async def test_address_in_use_is_reported(installation: Installation, tmp_path: Path) -> None:
    async with Program("deliver", env=installation.settings, cwd=tmp_path) as program:
        used_address = (await program.ready())["metrics"]
        env = {**installation.settings, "metrics.listen": used_address}
        async with Program("deliver", env=env, cwd=tmp_path) as second:
            assert await second.wait() == 1
            assert "another program uses this address" in second.stderr_text


async def test_metrics_are_off_by_default(installation: Installation, tmp_path: Path) -> None:
    async with Program("deliver", env={**installation.settings, "metrics.listen": "off"}, cwd=tmp_path) as program:
        assert "metrics" not in await program.ready()
