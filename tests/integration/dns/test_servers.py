"""The program starts with any content of /etc/resolv.conf, and follows changes of the file."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from router.dns.resolver import DnsFailure, DnsRecords, DnsResolver, MxRecord
from router.dns.servers import MAX_SERVERS, NameServers, ResolvConf, parse_resolv_conf
from tests.support.dns import DnsStandIn

VALID_LINE = b"nameserver 192.0.2.1\n"


@pytest.fixture
async def dns(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DnsStandIn]:
    """A DNS server whose port replaces the default port, because resolv.conf entries with a port are ignored."""
    async with DnsStandIn() as server:
        monkeypatch.setattr("router.dns.servers.DNS_PORT", server.port)
        server.set("a.test", "MX", "10 b.test.")
        yield server


def resolver_for(path: Path, lifetime: float = 10) -> DnsResolver:
    return DnsResolver(timeout=5, lifetime=lifetime, resolv_conf=path, poll_seconds=0)


@pytest.mark.parametrize(
    ("data", "hosts"),
    [
        (b"", ()),
        (VALID_LINE, ("192.0.2.1",)),
        (VALID_LINE.strip(), ("192.0.2.1",)),
        (b"nameserver\t192.0.2.1 # the office\r\nsearch a.test\r\nnameserver ::1\r\n", ("192.0.2.1", "::1")),
        (b"nameserver fe80::1%eth0\n", ("fe80::1%eth0",)),
        (b"nameserver 2001:DB8::0:1\n" + VALID_LINE + VALID_LINE, ("2001:db8::1", "192.0.2.1")),
        (b"\xef\xbb\xbf" + VALID_LINE, ("192.0.2.1",)),
        (b"# nameserver 192.0.2.9\n;nameserver 192.0.2.9\n" + VALID_LINE, ("192.0.2.1",)),
        (b"search " + b"x" * 64 + b".test " + b"y." * 200 + b"\ndomain \xfc\n" + VALID_LINE, ("192.0.2.1",)),
        (b"options ndots:x timeout:-1 edns0 rotate \xff attempts:99999999999\n" + VALID_LINE, ("192.0.2.1",)),
        (b"# Gr\xfc\xdfe\n" + VALID_LINE, ("192.0.2.1",)),
        (
            b"".join(b"nameserver 192.0.2.%d\n" % n for n in range(99)),
            tuple(f"192.0.2.{n}" for n in range(MAX_SERVERS)),
        ),
    ],
)
def test_valid_lines(data: bytes, hosts: tuple[str, ...]) -> None:
    assert parse_resolv_conf(data) == ResolvConf(hosts)


@pytest.mark.parametrize(
    "line",
    [
        b"nameserver dns.example.test",
        b"nameserver [::1]",
        b"nameserver 127.0.0.1#53",
        b"nameserver 127.0.0.1:53",
        b"nameserver 127.0.0.1\x00",
        b"nameserver 127.0.0.256",
        b"nameserver 1",
        b"nameserver fe80::1%",
        b"nameserver \xfc",
        b"nameserver \xd9\xa1.1.1.1",  # an Arabic digit
        b"nameserver",
        b"Nameserver 192.0.2.9",
        b"nameserver=192.0.2.9",
        b"\x00nameserver 192.0.2.9",
        b"resolver 192.0.2.9",
    ],
)
def test_invalid_lines_are_skipped_and_logged(line: bytes, tmp_path: Path) -> None:
    (tmp_path / "resolv.conf").write_bytes(line + b"\n" + VALID_LINE)
    with capture_logs() as logs:
        servers = NameServers(path=tmp_path / "resolv.conf", poll_seconds=0)
        for _ in range(3):
            assert [server.address for server in servers.current_servers()] == ["192.0.2.1"]
    assert len(servers.skipped) == 1
    assert servers.skipped[0].isprintable()
    assert [(entry["event"], entry["skipped"]) for entry in logs] == [("dns.resolv_conf_invalid", servers.skipped)]


@given(st.binary(max_size=200), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(tmp_path: Path, data: bytes, has_valid_line: bool) -> None:
    path = tmp_path / "resolv.conf"
    path.write_bytes(data + b"\n" + VALID_LINE if has_valid_line else b"nameserver " + data)
    servers = NameServers(path=path, poll_seconds=0)
    assert servers.current_servers()
    if has_valid_line:
        assert "192.0.2.1" in [server.address for server in servers.current_servers()]


def _fifo(path: Path) -> None:
    os.mkfifo(path)


UNUSUAL_FILES: dict[str, Callable[[Path], object]] = {
    "missing": Path.exists,
    "a directory": Path.mkdir,
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a pipe": _fifo,
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(b"\x00" * 100_000),
    "one long line": lambda path: path.write_bytes(b"nameserver " + b"1" * 1_000_000),
    "names alone": lambda path: path.write_bytes(b"nameserver dns.example.test\n"),
}


@pytest.mark.parametrize("create", UNUSUAL_FILES.values(), ids=UNUSUAL_FILES)
async def test_local_server_is_the_default(create: Callable[[Path], object], tmp_path: Path, dns: DnsStandIn) -> None:
    path = tmp_path / "resolv.conf"
    create(path)
    assert await resolver_for(path).query_mx("a.test") == DnsRecords((MxRecord(10, "b.test"),))
    await dns.stop()
    reason = f"{path} contains no usable name server: set [dns] nameservers"
    assert await resolver_for(path, lifetime=1).query_mx("a.test") == DnsFailure(reason)


async def test_changes_of_the_file_are_followed(tmp_path: Path, dns: DnsStandIn) -> None:
    path = tmp_path / "resolv.conf"
    path.write_bytes(b"nameserver 127.0.0.9\n")
    resolver = resolver_for(path)
    assert await resolver.query_mx("a.test") == DnsFailure("the name servers cannot be reached")
    path.write_bytes(b"nameserver 127.0.0.1\n")  # The file is written in place, with the same length.
    assert await resolver.query_mx("a.test") == DnsRecords((MxRecord(10, "b.test"),))
    fresh = tmp_path / "fresh"
    fresh.write_bytes(b"nameserver 127.0.0.9\n")
    fresh.replace(path)
    assert isinstance(await resolver.query_mx("a.test"), DnsFailure)
    path.unlink()
    # Without the file, the default is 127.0.0.1.
    assert await resolver.query_mx("a.test") == DnsRecords((MxRecord(10, "b.test"),))
    path.symlink_to("target")
    (tmp_path / "target").write_bytes(b"nameserver 127.0.0.9\nnameserver 127.0.0.1\n")
    assert await resolver.query_mx("a.test") == DnsRecords((MxRecord(10, "b.test"),))


async def test_edns_state_survives_a_change_of_the_file(tmp_path: Path, dns: DnsStandIn) -> None:
    path = tmp_path / "resolv.conf"
    path.write_bytes(b"nameserver 127.0.0.1\n")
    dns.edns_failure = "NOTIMP"
    resolver = resolver_for(path)
    assert isinstance(await resolver.query_mx("a.test"), DnsRecords)
    path.write_bytes(b"search a.test\nnameserver 127.0.0.1\n")
    assert isinstance(await resolver.query_mx("a.test"), DnsRecords)
    assert dns.edns_queries == 1


def test_file_is_not_read_with_configured_servers(tmp_path: Path) -> None:
    servers = NameServers([("192.0.2.7", 5353)], path=tmp_path / "none", poll_seconds=0)
    assert [(server.address, server.port) for server in servers.current_servers()] == [("192.0.2.7", 5353)]
    assert servers.skipped == ()
