"""A database with everything a mail needs, for one bench: a workspace, a verified domain, aliases, webhooks.

`installed("sqlite" | "postgres", folder, ...)` yields it with nothing running. PostgreSQL is a server of the bench's
own, on the disk, with fsync on; its processes' CPU time can be read apart (`database_cpu`). The settings of
`BenchInstallation.env` are the defaults of the program but for what a bench on one machine runs into: the limits by
address and the pace of webhooks.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

import trustme

from bench.mtas import DOMAIN
from bench.processes import cpu_seconds
from router.store import migrate
from tests.support.installation import Installation, store_at
from tests.support.postgres import PostgresServer, private_postgres
from tests.support.process import environment

Kind = Literal["sqlite", "postgres"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgres")
# Whatever the tests' server turns down that a real one has by default.
_REAL = {"shared_buffers": "128MB", "wal_level": "replica"}


# In place of what the tests' installations leave out: a bench measures the program's own defaults.
_DEFAULT = ("smtp.min_free_bytes", "dns.nameservers")
_SETTINGS: dict[str, object] = {
    "server.hostname": f"mx.{DOMAIN}",
    "smtp.max_connections": 5000,
    "smtp.max_connections_per_ip": 5000,
    "smtp.max_mails_per_minute_per_ip": 100_000_000,  # counted, and never reached
    "delivery.per_second": 100_000.0,
    "delivery.burst": 1000,
    "delivery.digest_after": 1_000_000,
}


class BenchInstallation(Installation):
    """env: settings for `emailrouter` (see `tests.support.process.environment`)."""

    database_cpu: Callable[[], float] | None = None

    @property
    def kind(self) -> str:
        return self.store.kind

    @property
    def url(self) -> str:
        return self.store.url

    @property
    def env(self) -> dict[str, object]:
        return {key: value for key, value in self.settings.items() if key not in _DEFAULT}

    @property
    def addresses(self) -> list[str]:
        """The aliases, in the order they were made."""
        return [f"{name}@{self.domain_name}" for name in self.aliases]


@asynccontextmanager
async def installed(
    kind: Kind,
    folder: Path,
    *,
    aliases: int = 1,
    webhooks: int = 1,
    webhook: Callable[[str], str] | None = None,
    migrate_with: tuple[Sequence[str], dict[str, object]] | None = None,
) -> AsyncIterator[BenchInstallation]:
    """kind: of the database. webhook: the URL of the channel with a name; without it none is ever posted to.
    migrate_with: the command and settings of another checkout's program, which makes the schema instead of this one's.

    The aliases `support`, `alias1`, ... take turns with the webhooks `team0`, `team1`, ...
    """
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a bench waits for its own preparations
    async with AsyncExitStack() as stack:
        url, cpu = f"sqlite:///{folder / 'emailrouter.db'}", None
        if kind == "postgres":
            parent = Path(tempfile.gettempdir())  # a folder that the server's own user may enter
            server = await stack.enter_async_context(private_postgres(fsync=True, settings=_REAL, parent=parent))
            url, cpu = await server.create_database(), _cpu_of(server)
        made = BenchInstallation(store_at(url), {**_SETTINGS, "server.data_dir": str(folder)}, real_time=True)
        made.database_cpu = cpu
        if migrate_with is not None:
            command, settings = migrate_with
            env = environment(made.env | settings)
            subprocess.run(command, check=True, env=env, cwd=folder, stdout=subprocess.DEVNULL)  # noqa: ASYNC221 - a bench waits for its own preparations
        async with made.opened():
            if migrate_with is None:
                await migrate.migrate(made.database)
            await made.seed_domain(DOMAIN)
            integrations = []
            for n in range(webhooks):
                target = webhook(f"team{n}") if webhook else "https://hooks.slack.test/services/T0/B0/none"
                integrations.append(await made.add_integration(f"team{n}", webhook=target))
            for n in range(aliases):
                await made.add_alias(f"alias{n}" if n else "support", integrations[n % webhooks])
        yield made


def _cpu_of(server: PostgresServer) -> Callable[[], float]:
    root = server.root
    assert root is not None
    postmaster = int((root / "data" / "postmaster.pid").read_text().split()[0])
    return lambda: cpu_seconds(postmaster, descendants=True)


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A new certificate with a P-256 key, and the key, as files."""
    issued = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    chain, key = folder / "cert.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    return chain, key


def smtp_port(ready: dict[str, object]) -> int:
    """The port in the program's `ready` line."""
    addresses = ready["smtp"]
    assert isinstance(addresses, list)
    return int(str(addresses[0]).rpartition(":")[2])
