"""An installation for `emailrouter check`: everything is correct until a test breaks one thing."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import trustme

from config.schema import Config
from emailrouter.check import run
from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult
from router.clock import SECOND, SystemClock
from router.dns.resolver import DnsResolver
from router.secrets import KEY_FILE, fingerprint
from router.store import migrate
from tests.support.dns import DnsStandIn
from tests.support.installation.installation import Installation
from tests.support.installation.opened import program_installation
from tests.support.installation.settings import DOMAIN, HOST, make_config
from tests.support.slack import SlackStandIn


class ShiftedClock:
    """The system clock with its wall-clock time shifted by a number of seconds."""

    def __init__(self, seconds: float = 0) -> None:
        self._seconds = seconds

    def now(self) -> int:
        return SystemClock().now() + int(self._seconds * SECOND)

    def monotonic(self) -> float:
        return SystemClock().monotonic()


@dataclass(frozen=True, slots=True)
class CheckedInstallation:
    """An installation to check, which a test changes before it calls `run_checks`."""

    installation: Installation
    folder: Path
    dns: DnsStandIn
    slack: SlackStandIn
    trust: ssl.SSLContext
    authority: trustme.CA

    @property
    def settings(self) -> dict[str, Any]:
        return self.installation.settings

    @property
    def config(self) -> Config:
        return make_config(self.settings)

    async def run_checks(self, **replacements: Any) -> list[CheckResult]:
        """Runs the checks. replacements: values for fields of `CheckContext`."""
        resolver = DnsResolver([("127.0.0.1", self.dns.port)], timeout=5, lifetime=10)
        found = CheckContext(
            self.config,
            resolver,
            SystemClock(),
            self.installation.database,
            tls_context=self.trust,
            systemd_directory=self.folder / "none",
        )
        return await run.run_checks(replace(found, **replacements))

    def write_certificate(self, *names: str, **options: Any) -> trustme.LeafCert:
        leaf = self.authority.issue_cert(*names, **options)
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        (self.folder / "chain.pem").write_bytes(chain)
        self.write_key(leaf.private_key_pem.bytes())
        return leaf

    def write_key(self, pem: bytes) -> None:
        path = self.folder / "key.pem"
        path.write_bytes(pem)
        path.chmod(0o600)


@asynccontextmanager
async def healthy_installation(folder: Path, dns: DnsStandIn) -> AsyncIterator[CheckedInstallation]:
    """Yields an installation whose settings, certificate, DNS records and webhook are correct.

    Its SMTP and API servers are not running.
    """
    root = trustme.CA()
    authority = root.create_child_ca()
    trust = ssl.create_default_context()
    root.configure_trust(trust)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server)
    installation = program_installation(f"sqlite:///{folder / 'emailrouter.db'}", folder, _settings(folder))
    del installation.settings["server.secret_key"], installation.settings["dns.nameservers"]
    (folder / KEY_FILE).write_text(installation.secret_key)
    (folder / KEY_FILE).chmod(0o600)
    async with SlackStandIn(ssl_context=server) as slack, installation.open_database():
        database = installation.database
        await migrate.migrate(database)
        await database.execute("installation_insert", name="secret_key", value=fingerprint(installation.secret_key))
        await installation.seed(DOMAIN, (), webhook=slack.url(host="localhost"))
        found = CheckedInstallation(installation, folder, dns, slack, trust, authority)
        found.write_certificate(HOST, not_after=datetime.now(UTC) + timedelta(days=60))
        dns.set(HOST, "A", "93.184.216.34")
        dns.set("93.184.216.34", "PTR", f"{HOST}.")
        dns.set(DOMAIN, "MX", f"10 {HOST}.")
        dns.set(f"_emailrouter.{DOMAIN}", "TXT", "emailrouter-verification=token")
        yield found


def _settings(folder: Path) -> dict[str, object]:
    return {
        "server.public_url": "https://tickets.router.test",
        "smtp.listen": [f"127.0.0.1:{free_port()}"],
        "smtp.tls_cert": str(folder / "chain.pem"),
        "smtp.tls_key": str(folder / "key.pem"),
        "api.listen": f"127.0.0.1:{free_port()}",
        "api.trusted_proxies": ["127.0.0.1/32"],
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_statvfs(**values: int) -> Any:
    found = {"f_frsize": 4096, "f_blocks": 25_000_000, "f_bavail": 12_000_000, "f_files": 10**7, "f_favail": 5 * 10**6}
    return lambda _: SimpleNamespace(**found | values)


def line_texts(lines: list[CheckResult], status: str) -> list[str]:
    return [f"{line.check}: {line.text} -> {line.fix}" for line in lines if line.status == status]


def assert_line(lines: list[CheckResult], status: str, text: str, fix: str) -> None:
    found = [line for line in lines if line.status == status and text in f"{line.check}: {line.text}"]
    assert found, line_texts(lines, "fail") + line_texts(lines, "warn")
    assert any(fix in line.fix for line in found), [line.fix for line in found]
