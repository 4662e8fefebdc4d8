"""Creates installations for benchmarks, without a running program.

PostgreSQL is a separate server with fsync on and its data in the system's folder for temporary files. The program's
limits are the defaults, except those that a benchmark on one machine would reach.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

import trustme

from bench.mtas import DOMAIN
from bench.processes import cpu_seconds, program_command
from router.store import migrate
from tests.support.dns import DnsStandIn
from tests.support.installation import Installation, closed_store
from tests.support.postgres import PostgresServer, private_postgres
from tests.support.process import environment

Kind = Literal["sqlite", "postgres"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgres")
# PostgreSQL's defaults for two settings that `tests.support.postgres` reduces.
_REAL = {"shared_buffers": "128MB", "wal_level": "replica"}


# A benchmark measures the program's defaults, so these settings of test installations are removed. A DNS server of the
# benchmark answers the questions about senders.
_DEFAULT = ("smtp.min_free_bytes", "checks.enabled")
_SETTINGS: dict[str, object] = {
    "server.hostname": f"mx.{DOMAIN}",
    "smtp.max_connections": 5000,
    "smtp.max_connections_per_ip": 5000,
    "smtp.max_mails_per_minute_per_ip": 100_000_000,  # messages are counted, but the limit is never reached
    "delivery.per_second": 100_000.0,
    "delivery.burst": 1000,
    "delivery.digest_after": 1_000_000,
}


class BenchInstallation(Installation):
    """A test installation. `env` has the settings for a started program (see `tests.support.process.environment`)."""

    database_cpu: Callable[[], float] | None = None
    checkout: Path | None = None

    @property
    def kind(self) -> str:
        return self.store.kind

    @property
    def url(self) -> str:
        return self.store.url

    @property
    def env(self) -> dict[str, object]:
        imports = {} if self.checkout is None else {"PYTHONPATH": str(self.checkout)}
        return {key: value for key, value in self.settings.items() if key not in _DEFAULT} | imports

    @property
    def addresses(self) -> list[str]:
        return [f"{name}@{self.domain_name}" for name in self.aliases]


@asynccontextmanager
async def bench_installation(
    kind: Kind,
    folder: Path,
    *,
    aliases: int = 1,
    webhooks: int = 1,
    webhook: Callable[[str], str] | None = None,
    checkout: Path | None = None,
) -> AsyncIterator[BenchInstallation]:
    """Creates an installation. The aliases use the webhooks in turn.

    Args:
        webhook: Returns the URL for a channel name. Without it, the webhooks are on a host that does not exist.
        checkout: The source tree of the program that creates the schema; None for this tree.
    """
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else runs during the preparation
    async with AsyncExitStack() as stack:
        url, cpu = f"sqlite:///{folder / 'emailrouter.db'}", None
        if kind == "postgres":
            parent = Path(tempfile.gettempdir())  # a folder that PostgreSQL's user can enter
            server = await stack.enter_async_context(private_postgres(fsync=True, settings=_REAL, parent=parent))
            url, cpu = await server.create_database(), _server_cpu(server)
        dns = await stack.enter_async_context(DnsStandIn())
        own = {"server.data_dir": str(folder), "dns.nameservers": [dns.address]}
        made = BenchInstallation(closed_store(url), {**_SETTINGS, **own}, real_time=True)
        made.database_cpu, made.checkout = cpu, checkout
        if checkout is not None:
            command = program_command("migrate", checkout)
            subprocess.run(command, check=True, env=environment(made.env), cwd=folder, stdout=subprocess.DEVNULL)  # noqa: ASYNC221 - nothing else runs during the preparation
        async with made.open_database():
            if checkout is None:
                await migrate.migrate(made.database)
            await made.seed_domain(DOMAIN)
            integrations = []
            for n in range(webhooks):
                target = webhook(f"team{n}") if webhook else "https://hooks.slack.test/services/T0/B0/none"
                integrations.append(await made.add_integration(f"team{n}", webhook=target))
            for n in range(aliases):
                await made.add_alias(f"alias{n}" if n else "support", integrations[n % webhooks])
        yield made


def _server_cpu(server: PostgresServer) -> Callable[[], float]:
    root = server.root
    assert root is not None
    postmaster = int((root / "data" / "postmaster.pid").read_text().split()[0])
    return lambda: cpu_seconds(postmaster, descendants=True)


def write_certificate(folder: Path) -> tuple[Path, Path]:
    issued = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    chain, key = folder / "cert.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    return chain, key


def smtp_port(ready: dict[str, object]) -> int:
    addresses = ready["smtp"]
    assert isinstance(addresses, list)
    return int(str(addresses[0]).rpartition(":")[2])
