"""Who makes the load: Postfix's `smtp-source` where it is found, else `bench.load`; a process of its own either way.

`smtp-source` is C and leaves the most of the machine to the server; it knows no TLS, so STARTTLS is always
`bench.load`'s. `send` returns what was accepted in which time and never less: a load that was not taken whole is an
error with what the server said.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from bench.load import Load


@dataclass(frozen=True)
class Sent:
    """What a load came to."""

    mails: int
    seconds: float


class LoadError(Exception):
    """The server did not take all of it."""


@dataclass(frozen=True)
class Sender:
    """smtp_source: the program, or None for the built-in generator."""

    smtp_source: Path | None

    @property
    def name(self) -> str:
        """What the figures were made with."""
        return "smtp-source" if self.smtp_source else "built-in"

    async def send(self, load: Load, port: int) -> Sent:
        """Sends it to 127.0.0.1:port. Raises `LoadError`."""
        if self.smtp_source is None or load.starttls or load.handshake:
            return await built_in(load, port)
        return await self._smtp_source(self.smtp_source, load, port)

    async def _smtp_source(self, program: Path, load: Load, port: int) -> Sent:
        if load.per_connection not in (0, 1):
            raise ValueError("smtp-source sends one mail a connection, or all")
        options = ["-s", str(load.concurrency), "-m", str(load.mails), "-l", str(load.size)]
        options += ["-f", "ada@sender.test", "-t", load.recipient, *(["-d"] if load.per_connection == 0 else [])]
        began = time.perf_counter()
        await _run([str(program), *options, f"127.0.0.1:{port}"], load.timeout, _libraries(program))
        return Sent(load.mails, time.perf_counter() - began)


def find_smtp_source(named: str | None) -> Sender:
    """The sender to use. named: what the command line said, a path, `none`, or None for whatever is in PATH."""
    if named == "none":
        return Sender(None)
    found = shutil.which(named or "smtp-source")
    if named and not found:
        raise SystemExit(f"no such program: {named}")
    return Sender(Path(found).resolve() if found else None)


async def built_in(load: Load, port: int) -> Sent:
    """The built-in generator in a process of its own. Raises `LoadError`."""
    command = [sys.executable, "-m", "bench.load", f"127.0.0.1:{port}", "--to", load.recipient]
    command += ["--size", str(load.size), "--mails", str(load.mails), "--concurrency", str(load.concurrency)]
    command += ["--per-connection", str(load.per_connection), "--timeout", str(load.timeout)]
    command += ["--starttls"] * load.starttls + ["--handshake"] * load.handshake
    said = json.loads(await _run(command, load.timeout + 10, {}))
    if said["accepted"] != load.mails:
        raise LoadError(f"{said['accepted']} of {load.mails} mails were taken: {said['refused']}")
    return Sent(said["accepted"], said["seconds"])


def _libraries(program: Path) -> dict[str, str]:
    """A copy that was unpacked and not installed has its libraries beside it."""
    beside = program.parent.parent / "lib" / "postfix"
    return {"LD_LIBRARY_PATH": str(beside)} if beside.is_dir() else {}


async def _run(command: list[str], timeout: float, env: dict[str, str]) -> str:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env={**os.environ, **env})
    try:
        async with asyncio.timeout(timeout):
            out, err = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode:
        raise LoadError(f"{Path(command[0]).name} ended with {process.returncode}: {err.decode()[-1000:]}")
    return out.decode()
