"""A correct setup, problems of the host, and failing checks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from emailrouter.check import run as check_run
from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, ok
from router.dns.resolver import DnsResolver
from router.secrets import KEY_FILE
from tests.support.installation.checked import CheckedInstallation, assert_line, line_texts, make_statvfs

UNITS = Path(__file__).parents[3] / "systemd"


@asynccontextmanager
async def respond_with(data: bytes) -> AsyncIterator[int]:

    async def handle_client(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle_client, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def test_correct_setup_has_no_failures(setup: CheckedInstallation) -> None:
    async with (
        respond_with(b"220 mx1.host.test ESMTP\r\n") as smtp,
        respond_with(b"HTTP/1.1 200 OK\r\n\r\n") as api,
    ):
        setup.settings.update({"smtp.listen": [f"127.0.0.1:{smtp}"], "api.listen": f"127.0.0.1:{api}"})
        setup.settings["checks.enabled"] = True
        lines = await setup.run_checks()
    assert line_texts(lines, "fail") == []
    # The test may run as root, and its webhooks and SMTP port are on loopback, so these checks can warn.
    expected = {"user", "webhooks", "smtp port"}
    assert {line.check for line in lines if line.status == "warn"} <= expected, line_texts(lines, "warn")
    for check in (
        "database",
        "clock",
        "disk",
        "secret key",
        "tls",
        "name servers",
        "resolver",
        "hostname",
        "reverse dns",
        "api port",
        "loss audit",
    ):
        assert any(line.check == check and line.status == "ok" for line in lines), check
    assert any("TLSA 3 1 1 " in line.fix for line in lines), "the text to publish"
    assert any("v=STSv1" in line.fix for line in lines)
    assert any("v=TLSRPTv1" in line.fix for line in lines)
    assert len(setup.slack.posts) == 0, "nothing is posted"


async def test_name_servers_of_resolv_conf(setup: CheckedInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.dns.servers.DNS_PORT", setup.dns.port)
    path = setup.folder / "resolv.conf"
    path.write_bytes(b"nameserver dns.example.test\nnameserver 127.0.0.1\n")
    setup.dns.edns_failure = "FORMERR"
    lines = await setup.run_checks(resolver=DnsResolver(timeout=5, lifetime=10, resolv_conf=path))
    found = [line for line in lines if line.check == "name servers"]
    assert [line.status for line in found] == ["ok", "warn", "ok"]
    assert found[0].text == f"127.0.0.1 (from {path})"
    assert found[1].text == f"ignored in {path}: nameserver dns.example.test"
    assert "without EDNS" in found[2].text


async def test_no_name_server(setup: CheckedInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.dns.servers.DNS_PORT", 1)
    path = setup.folder / "none"
    lines = await setup.run_checks(resolver=DnsResolver(timeout=5, lifetime=10, resolv_conf=path))
    assert_line(lines, "warn", f"name servers: 127.0.0.1: {path} contains no usable name server", "[dns] nameservers")


@pytest.mark.parametrize(
    ("found", "status", "text"),
    [
        ({"f_bavail": 10}, "fail", "mail is temporarily rejected with 452"),
        ({"f_bavail": 1_000_000}, "warn", "mail will soon be temporarily rejected"),
        ({"f_favail": 10}, "fail", "10 of 10000000 inodes"),
        ({"f_favail": 50_000}, "warn", "inodes are free"),
    ],
)
async def test_full_disk(setup: CheckedInstallation, found: dict[str, int], status: str, text: str) -> None:
    setup.settings["smtp.min_free_bytes"] = 100_000_000
    fix = "df -i" if "inodes" in text else "[retention] raw_messages"
    assert_line(await setup.run_checks(statvfs=make_statvfs(**found)), status, text, fix)


async def test_other_program_on_ports(setup: CheckedInstallation) -> None:
    async with (
        respond_with(b"220 exim.test ESMTP Exim\r\n") as port,
        respond_with(b"220 old.test ESMTP Email Router\r\n") as renamed,
        respond_with(b"HTTP/1.1 404 Not Found\r\n") as other,
    ):
        listen = [f"127.0.0.1:{port}", f"127.0.0.1:{renamed}"]
        setup.settings.update({"smtp.listen": listen, "api.listen": f"127.0.0.1:{other}"})
        lines = await setup.run_checks()
    assert_line(lines, "fail", f"127.0.0.1:{renamed} responds with another name than [server] hostname", "Restart")
    assert_line(lines, "fail", "another program responds", f"sport = :{port}")
    assert_line(lines, "fail", "api port: another program responds", f"sport = :{other}")


async def test_listener_behind_a_proxy(setup: CheckedInstallation) -> None:
    """The listener waits for the header of the PROXY protocol, and other hosts reach it although it is on loopback."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.readline()).startswith(b"PROXY "):
            writer.write(b"220 mx1.host.test ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        proxy = {"smtp.proxy_protocol": True, "smtp.trusted_networks": ["127.0.0.0/8"]}
        setup.settings.update(proxy | {"smtp.listen": [f"127.0.0.1:{port}"]})
        lines = await setup.run_checks()
    assert [line.status for line in lines if line.check == "smtp port"] == ["ok"]


async def test_sockets_of_systemd_on_loopback(setup: CheckedInstallation) -> None:
    """The process that uses the sockets knows their addresses. The configuration does not contain them."""
    setup.settings["smtp.listen"] = "systemd"
    async with respond_with(b"220 mx1.host.test ESMTP\r\n") as port:
        lines = await setup.run_checks(listening_smtp=lambda: [f"127.0.0.1:{port}", "/run/smtp.sock"])
    assert_line(lines, "ok", f"127.0.0.1:{port} responds", "")
    assert_line(lines, "warn", "mail is accepted on loopback only", "ListenStream=0.0.0.0:25")


async def test_program_not_ready(setup: CheckedInstallation) -> None:
    """The readiness check fails, for example because the SQLite file was moved."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        alive = b"/healthz" in await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if alive else b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        setup.settings["api.listen"] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        lines = await setup.run_checks()
    assert_line(lines, "fail", "api port", "/readyz")


async def test_systemd_units(setup: CheckedInstallation, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    lines = await setup.run_checks(systemd_directory=tmp_path, unit_directories=[empty])
    assert_line(lines, "warn", "the units are not installed", "docs/install-source.md")
    lines = await setup.run_checks(systemd_directory=tmp_path, unit_directories=[UNITS])
    assert not [line for line in lines if line.check == "systemd" and line.status != "ok"]
    (empty / "emailrouter.service").write_text("[Service]\nExecStart=/bin/true\n")
    lines = await setup.run_checks(systemd_directory=tmp_path, unit_directories=[empty])
    if "could not be determined" not in str(lines):
        assert_line(lines, "warn", "has the exposure level 9", "systemctl edit")


async def test_failing_or_hanging_check_is_a_result(
    setup: CheckedInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: CheckContext) -> list[CheckResult]:
        raise ZeroDivisionError("error")

    async def hanging(_: CheckContext) -> list[CheckResult]:
        await asyncio.Event().wait()
        return []

    async def working(_: CheckContext) -> list[CheckResult]:
        return [ok("working", "no problem")]

    monkeypatch.setattr(check_run, "CHECKS", (broken, hanging, working))
    monkeypatch.setattr(check_run, "CHECK_SECONDS", 0.05)
    lines = await setup.run_checks()
    assert [line.check for line in lines] == ["broken", "hanging", "working"]
    assert [line.status for line in lines] == ["fail", "fail", "ok"]


async def test_check_changes_nothing(setup: CheckedInstallation) -> None:
    (setup.folder / KEY_FILE).unlink()
    before = sorted(path.name for path in setup.folder.iterdir())
    await setup.run_checks()
    assert sorted(path.name for path in setup.folder.iterdir()) == before
