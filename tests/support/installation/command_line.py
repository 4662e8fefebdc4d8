"""An installation that is operated by commands, each of which runs in its own process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.installation.settings import program_settings
from tests.support.process import CompletedCommand, Program, run_cli

ADMIN = "admin@example.org"
WEBHOOK = "https://hooks.slack.com/services/T000/B000/abcdefgh"


@dataclass
class CommandLine:
    """`await cli("domain", "list")` runs one command in `folder` and waits for its end."""

    folder: Path
    env: dict[str, object] = field(default_factory=dict)

    async def __call__(
        self, *args: str, stdin: str | None = None, env: Mapping[str, object] | None = None
    ) -> CompletedCommand:
        data = None if stdin is None else stdin.encode()
        done = await run_cli(*args, env={**self.env, **(env or {})}, cwd=self.folder, stdin=data)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    async def json(self, *args: str, stdin: str | None = None) -> Any:
        return (await self(*args, "--json", stdin=stdin)).ok().json()

    async def error_line(self, *args: str, code: int = 1, stdin: str | None = None) -> str:
        done = await self(*args, stdin=stdin)
        lines = done.stderr.splitlines()
        assert done.code == code, (done.code, done.stdout, done.stderr)
        assert len(lines) == 1, lines
        assert lines[0].startswith("emailrouter: ")
        return lines[0]

    @asynccontextmanager
    async def run_smtp(self) -> AsyncIterator[None]:
        """Runs an smtp process during the block. The configuration of the commands then has its address."""
        program = Program("smtp", env=self.env, cwd=self.folder)
        await program.start()
        configured = self.env["smtp.listen"]
        try:
            self.env["smtp.listen"] = (await program.ready())["smtp"]
            yield
        finally:
            self.env["smtp.listen"] = configured
            assert await program.terminate() == 0


async def initialise(folder: Path, url: str | None = None) -> CommandLine:
    """Creates an installation with its first workspace, user and API key.

    url: the URL of an empty PostgreSQL database, or None for SQLite.
    """
    cli = CommandLine(folder, program_settings(url or f"sqlite:///{folder / 'emailrouter.db'}", folder))
    if url is not None:
        (await cli("migrate")).ok()
    (await cli("init", "--email", ADMIN)).ok()
    return cli
