"""Step 1 of the setup: whether other mail servers can reach this one, with the real checks of this host."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from emailrouter.check import outside_view
from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult
from router.model import Actor
from router.routing.envelope import TEST_MESSAGE_ID_PREFIX
from tests.support import mails
from tests.support.dns import DnsStandIn
from tests.support.installation import HOST
from tests.support.installation.dashboard import FormClient, signed_in_client
from tests.support.installation.http import PASSWORD, ServedInstallation, serve_api, served_settings
from tests.support.stores import Store, sqlite_store

NOT_REACHABLE = "Not reachable from outside yet"
OWN_ADDRESS, PUBLIC_PEER = "93.184.216.34", "198.41.0.4"


@asynccontextmanager
async def serve(store: Store, dns: DnsStandIn, **smtp: object) -> AsyncIterator[ServedInstallation]:
    own = {f"smtp.{name}": value for name, value in smtp.items()}
    async with serve_api(store, served_settings(dns) | own, checks_host=True) as found:
        yield found


@asynccontextmanager
async def listener() -> AsyncIterator[int]:
    """Greets as the SMTP server of this host after a header of the PROXY protocol."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(f"220 {HOST} ESMTP\r\n".encode())
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def accept_from(served: ServedInstallation, peer: str, content: bytes | None = None) -> None:
    target = await served.resolve("support@example.org")
    await served.accept.accept(replace(served.envelope(target), peer=peer), content or mails.plain())


async def deliver_all(served: ServedInstallation) -> None:
    for delivery in (await served.services.deliveries.list(served.actor)).items:
        await served.database.execute("dispatch_mark_delivered", id=delivery.id, now=served.clock.now(), via="message")


async def signed_in_customer(served: ServedInstallation, customer: Actor) -> FormClient:
    """Returns a client of an admin of another workspace."""
    await served.services.users.create(customer, email="eve@other.test", role="admin", password=PASSWORD)
    client = FormClient(served.session, served.root)
    session = await served.services.sessions.sign_in("eve@other.test", PASSWORD, address="127.0.0.1")
    client.cookies["er_session"] = session.token
    return client


async def assert_warned(client: FormClient, *, expected: bool) -> None:
    for path in ("/activity/overview", "/activity"):
        assert (NOT_REACHABLE in (await client.get(path)).visible_text) is expected, path


async def test_a_server_on_loopback_never_works(store: Store, dns_server: DnsStandIn) -> None:
    async with serve(store, dns_server) as served:
        admin, agent = await signed_in_client(served), await signed_in_client(served, "agent")
        page = await admin.get("/set-up")
        assert f"This server {NOT_REACHABLE}" in page.visible_text
        assert f"Host name Required {HOST} has no A or AAAA record. Fix: Add an A record" in page.visible_text
        assert "Port 25 Required Mail is accepted on loopback only" in page.visible_text
        assert "Public URL Recommended" in page.visible_text
        assert page.visible_text.index("Public URL") < page.visible_text.index(" passed")
        assert 'class="unreachable current"' in page.text
        assert 'data-poll="yes"' in page.text
        page = await admin.post_and_follow("/set-up/server/later", {})
        assert ("Continue for now" in page.visible_text, 'class="next current"' in page.text) == (False, True)
        assert f"This server {NOT_REACHABLE}" in page.visible_text
        await served.create_alias()
        for peer in ("127.0.0.1", PUBLIC_PEER):  # the second one can only be from the time of another setting
            await accept_from(served, peer)
            await deliver_all(served)
            page = await admin.get("/set-up")
            assert ("Delivered" in page.visible_text, "Setup complete" in page.visible_text) == (True, False)
            assert "while this server accepts mail on loopback only." in page.visible_text
            assert 'id="step-mail" class="pending"' in page.text
        await served.execute("UPDATE messages SET received_by = 'old.host.test'")  # a new name, or a restored backup
        page = await admin.get("/set-up")
        assert (f"This server {NOT_REACHABLE}" in page.visible_text, "Setup complete" in page.visible_text) == (
            True,
            False,
        )
        await assert_warned(admin, expected=True)
        await assert_warned(agent, expected=True)

        _, customer = await served.create_workspace()
        other = await signed_in_customer(served, customer)
        for client in (other, admin):
            page = await client.get("/set-up")
            assert (NOT_REACHABLE in page.visible_text, "[smtp] listen" in page.visible_text) == (True, False)
            assert (await client.post("/set-up/server/later")).status == 403


async def test_only_a_message_from_outside_completes_the_setup(tmp_path: Path, dns_server: DnsStandIn) -> None:
    dns_server.set(HOST, "A", OWN_ADDRESS)
    proxy = {"proxy_protocol": True, "trusted_networks": ["127.0.0.0/8"]}
    async with (
        listener() as port,
        sqlite_store(tmp_path) as store,
        serve(store, dns_server, listen=[f"127.0.0.1:{port}"], **proxy) as served,
    ):
        admin = await signed_in_client(served)
        page = await admin.get("/set-up")
        assert "This server No problem found" in page.visible_text
        assert f"Reverse DNS (PTR) Recommended {OWN_ADDRESS} has no PTR record. Fix:" in page.visible_text
        await served.create_alias()
        own_test = mails.plain(message_id=f"<{TEST_MESSAGE_ID_PREFIX}1@{HOST}>")
        for peer, content in ((OWN_ADDRESS, None), ("10.0.0.5", None), (PUBLIC_PEER, own_test)):
            await accept_from(served, peer, content)
        await deliver_all(served)
        page = await admin.get("/set-up")
        assert "a message from outside has not arrived" in page.visible_text
        assert "The newest message came from the private address 10.0.0.5." in page.visible_text
        assert "This server No problem found" in page.visible_text
        await assert_warned(admin, expected=False)
        await accept_from(served, PUBLIC_PEER)
        await deliver_all(served)
        page = await admin.get("/set-up")
        assert "This server Done" in page.visible_text
        assert "Setup complete. A message from outside arrived" in page.visible_text
        _, customer = await served.create_workspace()
        other = await signed_in_customer(served, customer)
        # Without the time, which would show when other customers get mail.
        assert "A message from another server arrived, so" in (await other.get("/set-up")).visible_text


async def test_checks_are_shared_and_pages_do_not_wait_long(
    tmp_path: Path, dns_server: DnsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.admin.installation.reachability.BRIEF_SECONDS", 0.01)
    monkeypatch.setattr("router.admin.installation.reachability.PAGE_SECONDS", 0.01)
    started, release = 0, asyncio.Event()

    async def hostname(_: CheckContext) -> list[CheckResult]:
        nonlocal started
        started += 1
        await release.wait()
        return []

    monkeypatch.setattr(outside_view, "CHECKS", (hostname,))
    async with sqlite_store(tmp_path) as store, serve(store, dns_server) as served:
        admin = await signed_in_client(served)
        pages = await asyncio.gather(*(admin.get("/set-up") for _ in range(3)))
        assert [(page.status, "The checks are running" in page.visible_text) for page in pages] == [(200, True)] * 3
        assert started == 1
        release.set()
        monkeypatch.setattr("router.admin.installation.reachability.PAGE_SECONDS", 10)
        assert "The checks are running" not in (await admin.get("/set-up")).visible_text
        await admin.get("/set-up")
        assert started == 1
        served.clock.advance(minutes=1)
        release.clear()
        await admin.get("/activity")
        assert started == 2, "a run that is still waiting ends with the installation"
