"""The doctor finds each broken set-up and names the fix; where all is right it finds nothing."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from emailrouter.check import run as doctor
from emailrouter.check.facts import Facts
from emailrouter.check.line import Line, ok
from router.dns.resolver import DnsResolver
from router.secrets import KEY_FILE, SecretBox, new_key
from tests.check.setup import DOMAIN, HOST, Moved, Setup, disk_with, free_port, right
from tests.support.dns import DnsStandIn
from tests.support.process import Program

UNITS = Path(__file__).parents[2] / "systemd"


@pytest.fixture
async def setup(tmp_path: Path, dns_server: DnsStandIn) -> AsyncIterator[Setup]:
    async with right(tmp_path, dns_server) as found:
        yield found


@asynccontextmanager
async def saying(words: bytes) -> AsyncIterator[int]:
    """Another program that says this on a port."""

    async def said(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(said, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


def about(lines: list[Line], status: str) -> list[str]:
    return [f"{line.check}: {line.text} -> {line.fix}" for line in lines if line.status == status]


def holds(lines: list[Line], status: str, text: str, fix: str) -> None:
    found = [line for line in lines if line.status == status and text in f"{line.check}: {line.text}"]
    assert found, about(lines, "fail") + about(lines, "warn")
    assert any(fix in line.fix for line in found), [line.fix for line in found]


async def test_where_all_is_right_nothing_fails(setup: Setup) -> None:
    async with (
        saying(b"220 mx1.router.test ESMTP\r\n") as smtp,
        saying(b"HTTP/1.1 200 OK\r\n\r\n") as api,
    ):
        setup.settings |= {"smtp.listen": [f"127.0.0.1:{smtp}"], "api.listen": f"127.0.0.1:{api}"}
        lines = await setup.lines()
    assert about(lines, "fail") == []
    # What a test on loopback cannot have.
    expected = {"user", "configuration", "smtp port"}
    assert {line.check for line in lines if line.status == "warn"} <= expected, about(lines, "warn")
    for check in (
        "database",
        "clock",
        "disk",
        "secret key",
        "tls",
        "name servers",
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


async def test_the_name_servers_of_the_machine(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skipped lines and a server without EDNS are named."""
    monkeypatch.setattr("router.dns.servers.PORT", setup.dns.port)
    path = setup.folder / "resolv.conf"
    path.write_bytes(b"nameserver dns.example.test\nnameserver 127.0.0.1\n")
    setup.dns.edns_failure = "FORMERR"
    lines = await setup.lines(resolver=DnsResolver(timeout=5, lifetime=10, resolv_conf=path))
    found = [line for line in lines if line.check == "name servers"]
    assert [line.status for line in found] == ["ok", "warn", "ok"]
    assert found[0].text == f"127.0.0.1 (from {path})"
    assert found[1].text == f"skipped in {path}: nameserver dns.example.test"
    assert "without EDNS" in found[2].text


async def test_no_name_server_at_all(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.dns.servers.PORT", 1)
    path = setup.folder / "none"
    lines = await setup.lines(resolver=DnsResolver(timeout=5, lifetime=10, resolv_conf=path))
    holds(lines, "warn", f"name servers: 127.0.0.1: {path} names no name server that can be used", "[dns] nameservers")


Breaking = Callable[[Setup], object]  # what it returns is awaited where it can be


def _files(text: str, name: str = "chain.pem") -> Breaking:
    return lambda setup: (setup.folder / name).write_text(text)


def _expired(setup: Setup) -> None:
    setup.certificate(
        HOST, not_before=datetime.now(UTC) - timedelta(days=90), not_after=datetime.now(UTC) - timedelta(days=1)
    )


def _wrong_order(setup: Setup) -> None:
    leaf = setup.certificate(HOST, not_after=datetime.now(UTC) + timedelta(days=60))
    pems = [blob.bytes() for blob in leaf.cert_chain_pems]
    (setup.folder / "chain.pem").write_bytes(b"".join(reversed(pems)))


def _leaf_alone(setup: Setup) -> None:
    leaf = setup.certificate(HOST, not_after=datetime.now(UTC) + timedelta(days=60))
    (setup.folder / "chain.pem").write_bytes(leaf.cert_chain_pems[0].bytes())


def _foreign_issuer(setup: Setup) -> None:
    leaf = setup.certificate(HOST, not_after=datetime.now(UTC) + timedelta(days=60))
    stranger = trustme.CA().create_child_ca()
    (setup.folder / "chain.pem").write_bytes(leaf.cert_chain_pems[0].bytes() + stranger.cert_pem.bytes())


def _no_txt_no_mx(setup: Setup) -> None:
    setup.dns.set(DOMAIN, "MX", "5 old.example.net.")
    setup.dns.remove(f"_emailrouter.{DOMAIN}")


async def _reseal(setup: Setup, url: str, key: str | None = None) -> None:
    sealed = SecretBox(key or setup.key).seal(json.dumps({"webhookUrl": url}))
    await setup.execute("UPDATE integrations SET sealed_settings = :sealed", sealed=sealed)


async def _message_without_ticket(setup: Setup) -> None:
    await setup.execute(
        "INSERT INTO messages (id, workspace_id, reverse_path, helo, peer, protocol, tls, received_by, size, "
        "received_at, rfc_message_id, reference_ids, from_address, from_name, subject, automatic) "
        "VALUES ('msg_lost', :workspace, '', '', '', '', '', '', 1, 1, '', '[]', '', '', '', '')",
        workspace=setup.workspace_id,
    )


def _set(**settings: object) -> Breaking:
    return lambda setup: setup.settings.update({key.replace("__", "."): value for key, value in settings.items()})


BROKEN: dict[str, tuple[Breaking, str, str, str]] = {
    # --- the certificate
    "no certificate": (
        lambda s: [s.settings.pop(key) for key in ("smtp.tls_cert", "smtp.tls_key")],
        "warn",
        "tls: no certificate",
        "set [smtp] tls_cert",
    ),
    "the file is not there": (
        lambda s: (s.folder / "chain.pem").unlink(),
        "fail",
        "chain.pem is not there",
        "Correct [smtp] tls_cert",
    ),
    "the file is no certificate": (_files("hello"), "fail", "holds no certificate", "must be PEM"),
    "the key is none": (_files("hello", "key.pem"), "fail", "holds no private key", "privkey.pem"),
    "the key of another": (
        lambda s: s.write_key(s.authority.issue_cert("x.test").private_key_pem.bytes()),
        "fail",
        "is the key of another certificate",
        "both files come from one renewal",
    ),
    "everybody may read the key": (
        lambda s: (s.folder / "key.pem").chmod(0o644),
        "fail",
        "everybody may read",
        "chmod 640",
    ),
    "another name": (lambda s: s.certificate("other.test"), "warn", "not for mx1.router.test", "certbot"),
    "expired": (_expired, "fail", "the certificate has expired", "certbot renew"),
    "expires soon": (
        lambda s: s.certificate(HOST, not_after=datetime.now(UTC) + timedelta(days=5)),
        "warn",
        "the certificate expires on",
        "certbot renew",
    ),
    "not valid yet": (
        lambda s: (
            s.certificate(
                HOST, not_before=datetime.now(UTC) + timedelta(days=2), not_after=datetime.now(UTC) + timedelta(days=60)
            )
            and None
        ),
        "fail",
        "which has not come",
        "timedatectl",
    ),
    "the chain is upside down": (_wrong_order, "fail", "wrong order", "certificate first"),
    "the chain is missing": (_leaf_alone, "warn", "the chain is missing", "fullchain.pem"),
    "the chain is another's": (_foreign_issuer, "warn", "broken or in the wrong order", "fullchain.pem"),
    # --- names
    "a hostname that nobody knows": (_set(server__hostname="localhost"), "fail", "localhost is no name", "full name"),
    "no address": (lambda s: s.dns.remove(HOST), "fail", "has no address in the DNS", "Add an A record"),
    "a private address": (lambda s: s.dns.set(HOST, "A", "10.0.0.5"), "warn", "is not public: 10.0.0.5", "public"),
    "no reverse name": (
        lambda s: s.dns.remove("34.216.184.93.in-addr.arpa"),
        "warn",
        "93.184.216.34 has no name",
        "PTR record to mx1.router.test",
    ),
    "an MX host without an address": (
        _set(server__mx_hosts=[{"host": HOST, "priority": 10}, {"host": "mx2.router.test", "priority": 20}]),
        "fail",
        "mx2.router.test has no address",
        "Add an A record",
    ),
    "the DNS does not answer": (
        lambda s: s.dns.fail(HOST, "SERVFAIL"),
        "warn",
        "could not be read",
        "[dns] nameservers",
    ),
    "a verified domain that points elsewhere": (
        _no_txt_no_mx,
        "fail",
        "verified, but its MX record is wrong (5 old.example.net)",
        "Replace these MX records",
    ),
    "a domain whose MX moved while its TXT stays": (
        lambda s: s.dns.set(DOMAIN, "MX", "5 old.example.net."),
        "warn",
        "verified, but its MX record is wrong",
        "Replace these MX records",
    ),
    "no domain": (lambda s: s.execute("DELETE FROM domains"), "warn", "there is no domain", "domain add"),
    # --- the disk
    "the folder is not there": (
        _set(server__data_dir="/nonexistent/emailrouter"),
        "fail",
        "is not there",
        "install -d",
    ),
    # --- keys
    "the key is another one": (
        lambda s: (s.folder / KEY_FILE).write_text(new_key()),
        "fail",
        "the database's secrets were sealed with",
        "every host of one database needs the same",
    ),
    "the key is gone": (lambda s: (s.folder / KEY_FILE).unlink(), "fail", "secrets sealed with a key", "backup"),
    "others may read the key": (lambda s: (s.folder / KEY_FILE).chmod(0o644), "warn", "others may read", "chmod 600"),
    # --- integrations
    "an integration that is failing": (
        lambda s: s.execute("UPDATE integrations SET status = 'failing', last_error = 'Slack answered 404 no_service'"),
        "fail",
        "its deliveries wait: Slack answered 404 no_service",
        "set a new webhook URL",
    ),
    "settings sealed with another key": (
        lambda s: _reseal(s, "https://hooks.slack.com/services/T0/B0/x", new_key()),
        "fail",
        "cannot be read with this host's secret key",
        "secret key back",
    ),
    "a host that does not listen": (
        lambda s: _reseal(s, f"https://localhost:{free_port()}/x"),
        "fail",
        "no connection to localhost",
        "firewall",
    ),
    "a certificate for another host": (
        lambda s: _reseal(s, s.slack.url(host="127.0.0.1")),
        "fail",
        "the certificate of 127.0.0.1 is not accepted",
        "ca-certificates",
    ),
    "a private address that is not allowed": (
        _set(delivery__allow_private_networks=False),
        "fail",
        "which is loopback",
        "public Internet",
    ),
    "no integration": (lambda s: s.execute("DELETE FROM integrations"), "warn", "there is none", "integration add"),
    # --- doors
    "nobody listens": (lambda _: None, "warn", "smtp port: nobody listens", "systemctl start"),
    "an address of another host": (
        _set(smtp__listen=["192.0.2.77:2525"]),
        "fail",
        "192.0.2.77:2525 ",
        "",
    ),
    "mail on loopback alone": (lambda _: None, "warn", "mail is taken on loopback only", "0.0.0.0:25"),
    "the API open to all": (_set(api__listen="0.0.0.0:1"), "warn", "without TLS", "127.0.0.1"),
    "links that nobody can follow": (
        _set(server__public_url="http://127.0.0.1:8080"),
        "warn",
        "public_url is loopback",
        "[server] public_url",
    ),
    # --- books and queue
    "a message without a ticket": (
        _message_without_ticket,
        "fail",
        "accepted for 1 aliases, but ticketed 0",
        "emailrouter trace",
    ),
    # --- what is published
    "a TLSA record of another key": (
        lambda s: s.dns.set(f"_25._tcp.{HOST}", "TLSA", "3 1 1 " + "ab" * 32),
        "fail",
        "is for another key",
        "TLSA 3 1 1",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_each_broken_set_up_is_found_with_its_fix(setup: Setup, case: str) -> None:
    breaking, status, text, fix = BROKEN[case]
    done = breaking(setup)
    if inspect.isawaitable(done):
        await done
    holds(await setup.lines(), status, text, fix)


@pytest.mark.parametrize(
    ("found", "status", "text"),
    [
        ({"f_bavail": 10}, "fail", "mail is put off with 452"),
        ({"f_bavail": 1_000_000}, "warn", "mail is put off soon"),
        ({"f_favail": 10}, "fail", "10 of 10000000 inodes"),
        ({"f_favail": 50_000}, "warn", "inodes are free"),
    ],
)
async def test_a_full_disk(setup: Setup, found: dict[str, int], status: str, text: str) -> None:
    setup.settings["smtp.min_free_bytes"] = 100_000_000
    fix = "df -i" if "inodes" in text else "[retention] raw_messages"
    holds(await setup.lines(statvfs=disk_with(**found)), status, text, fix)


async def test_a_clock_that_is_wrong(setup: Setup) -> None:
    holds(await setup.lines(clock=Moved(3600)), "fail", "differ by 3600", "timedatectl set-ntp true")
    holds(await setup.lines(clock=Moved(-10)), "warn", "differ by", "timedatectl set-ntp true")


async def test_another_program_on_the_ports(setup: Setup) -> None:
    async with saying(b"220 exim.test ESMTP Exim\r\n") as port, saying(b"HTTP/1.1 404 Not Found\r\n") as other:
        setup.settings |= {"smtp.listen": [f"127.0.0.1:{port}"], "api.listen": f"127.0.0.1:{other}"}
        lines = await setup.lines()
    holds(lines, "fail", "another program answers", f"sport = :{port}")
    holds(lines, "fail", "api port: another program answers", f"sport = :{other}")


async def test_a_program_that_is_not_ready(setup: Setup) -> None:
    """Alive, but its health check says that it cannot work, as after its SQLite file was moved away."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        alive = b"/healthz" in await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if alive else b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        setup.settings["api.listen"] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        lines = await setup.lines()
    holds(lines, "fail", "api port", "/readyz")


async def test_the_units(setup: Setup, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    lines = await setup.lines(systemd=tmp_path, unit_folders=[empty])
    holds(lines, "warn", "the units are not installed", "docs/operations.md")
    lines = await setup.lines(systemd=tmp_path, unit_folders=[UNITS])
    assert not [line for line in lines if line.check == "systemd" and line.status != "ok"]
    (empty / "emailrouter.service").write_text("[Service]\nExecStart=/bin/true\n")
    lines = await setup.lines(systemd=tmp_path, unit_folders=[empty])
    if "could not be rated" not in str(lines):
        holds(lines, "warn", "has the exposure 9", "systemctl edit")


async def test_a_check_that_breaks_or_hangs_is_a_line(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: Facts) -> list[Line]:
        raise ZeroDivisionError("oh")

    async def hanging(_: Facts) -> list[Line]:
        await asyncio.Event().wait()
        return []

    async def whole(_: Facts) -> list[Line]:
        return [ok("whole", "well")]

    monkeypatch.setattr(doctor, "CHECKS", (broken, hanging, whole))
    monkeypatch.setattr(doctor, "PATIENCE", 0.05)
    lines = await setup.lines()
    assert [line.check for line in lines] == ["broken", "hanging", "whole"]
    assert [line.status for line in lines] == ["fail", "fail", "ok"]


async def test_it_changes_nothing(setup: Setup) -> None:
    """No key is made where there is none, and no file of a database."""
    (setup.folder / KEY_FILE).unlink()
    before = sorted(path.name for path in setup.folder.iterdir())
    await setup.lines()
    assert sorted(path.name for path in setup.folder.iterdir()) == before


# --- the command


async def _run(*args: str, env: dict[str, object], cwd: Path) -> tuple[int, str]:
    async with Program(*args, env=env, cwd=cwd) as program:
        code = await program.wait()
        return code, b"\n".join(program.stdout).decode()


async def test_the_command_says_it_in_lines_and_in_json(setup: Setup, tmp_path: Path) -> None:
    settings = {**setup.settings, "dns.nameservers": [setup.dns.address]}
    code, text = await _run("check", env=settings, cwd=tmp_path)
    assert code == 1, "the stand-in's authority is not one of this machine's"
    assert "fix: " in text
    assert "integration general: the certificate of localhost is not accepted" in text
    code, text = await _run("check", "--json", env=settings, cwd=tmp_path)
    document = json.loads(text)
    assert (code, document["ok"]) == (1, False)
    assert {"check", "status", "text", "fix"} == set(document["checks"][0])


async def test_the_command_without_a_database_and_with_a_wrong_configuration(
    tmp_path: Path, dns_server: DnsStandIn
) -> None:
    env: dict[str, object] = {"dns.nameservers": [dns_server.address], "server.hostname": HOST}
    code, text = await _run("check", env=env, cwd=tmp_path)
    assert code == 1
    assert "database: there is no database at emailrouter.db" in text
    assert "emailrouter init makes it" in text
    assert not (tmp_path / "emailrouter.db").exists()
    code, text = await _run("check", env={**env, "smtp.max_recipients": 0}, cwd=tmp_path)
    assert code == 2
    assert "smtp.max_recipients" in text


async def test_the_command_with_a_database_that_cannot_be_used(tmp_path: Path, dns_server: DnsStandIn) -> None:
    env: dict[str, object] = {"dns.nameservers": [dns_server.address], "server.hostname": HOST}
    (tmp_path / "emailrouter.db").write_bytes(b"this is no database at all" * 100)
    code, text = await _run("check", env=env, cwd=tmp_path)
    assert code == 1
    assert "cannot be used" in text
    away = {**env, "database.url": "postgresql://nobody@127.0.0.1:1/none", "database.connect_timeout": "1s"}
    code, text = await _run("check", env=away, cwd=tmp_path)
    assert code == 1
    assert "pg_hba.conf" in text
