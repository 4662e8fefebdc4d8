"""An installation that is worked on by its command line, as its operator does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.process import Finished, run_cli

ADMIN = "admin@example.org"
WEBHOOK = "https://hooks.slack.com/services/T000/B000/abcdefgh"


@dataclass
class Office:
    """`await office("domain", "list")`: one command, to its end, in a folder of its own."""

    folder: Path
    env: dict[str, object] = field(default_factory=dict)

    async def __call__(self, *args: str, stdin: str | None = None, env: Mapping[str, object] | None = None) -> Finished:
        octets = None if stdin is None else stdin.encode()
        done = await run_cli(*args, env={**self.env, **(env or {})}, cwd=self.folder, stdin=octets)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    async def json(self, *args: str, stdin: str | None = None) -> Any:
        """What a command that succeeds prints with `--json`."""
        return (await self(*args, "--json", stdin=stdin)).ok().json()

    async def refused(self, *args: str, code: int = 1, stdin: str | None = None) -> str:
        """The one line of a command that does not succeed."""
        done = await self(*args, stdin=stdin)
        lines = done.stderr.splitlines()
        assert done.code == code, (done.code, done.stdout, done.stderr)
        assert len(lines) == 1, lines
        assert lines[0].startswith("emailrouter: ")
        return lines[0]


def settings(url: str, data_dir: Path) -> dict[str, object]:
    return {
        "database.url": url,
        "server.data_dir": str(data_dir),
        "server.hostname": "mx1.host.test",
        "delivery.allow_private_networks": True,
        "dns.nameservers": ["127.0.0.1:9"],
    }


async def opened_office(folder: Path, url: str | None = None) -> Office:
    """A new installation with its first workspace, user and key."""
    office = Office(folder, settings(url or f"sqlite:///{folder / 'office.db'}", folder))
    if url is not None:
        (await office("migrate")).ok()
    (await office("init", "--email", ADMIN)).ok()
    return office
