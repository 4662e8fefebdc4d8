"""Generates load in a separate process, with Postfix's `smtp-source` or with `bench.load`.

`smtp-source` is written in C and leaves more CPU to the server. It has no TLS, so `bench.load` sends over STARTTLS.
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
from typing import Protocol

from bench.load import Load


@dataclass(frozen=True)
class SendResult:
    """The number of accepted messages, and the duration of the load in seconds."""

    mails: int
    seconds: float


class LoadError(Exception):
    """The server did not accept the whole load, or the load generator failed."""


class Sender(Protocol):
    """Sends loads."""

    async def send(self, load: Load, port: int) -> SendResult:
        """Sends the load to 127.0.0.1:port. Raises `LoadError` or TimeoutError."""
        ...


@dataclass(frozen=True)
class LoadSender:
    """Sends loads. `smtp_source` is the path of the program, or None for the built-in generator."""

    smtp_source: Path | None

    @property
    def name(self) -> str:
        return "smtp-source" if self.smtp_source else "built-in"

    async def send(self, load: Load, port: int) -> SendResult:
        """Sends the load to 127.0.0.1:port. Raises `LoadError` or TimeoutError."""
        if self.smtp_source is None or load.starttls or load.handshake:
            return await send_with_built_in(load, port)
        return await self._smtp_source(self.smtp_source, load, port)

    async def _smtp_source(self, program: Path, load: Load, port: int) -> SendResult:
        if load.per_connection not in (0, 1):
            raise ValueError("smtp-source sends one mail a connection, or all")
        options = ["-s", str(load.concurrency), "-m", str(load.mails), "-l", str(load.size)]
        options += ["-f", "ada@sender.test", "-t", load.recipient, *(["-d"] if load.per_connection == 0 else [])]
        began = time.perf_counter()
        await _run([str(program), *options, f"127.0.0.1:{port}"], load.timeout, _library_path(program))
        return SendResult(load.mails, time.perf_counter() - began)


def choose_sender(option: str | None) -> LoadSender:
    """Returns the sender for the value of `--smtp-source`.

    `none` means the built-in generator. None means `smtp-source` in PATH, else the built-in generator.
    """
    if option == "none":
        return LoadSender(None)
    found = shutil.which(option or "smtp-source")
    if option and not found:
        raise SystemExit(f"no such program: {option}")
    return LoadSender(Path(found).resolve() if found else None)


async def send_with_built_in(load: Load, port: int) -> SendResult:
    """Sends the load with `bench.load`. Raises `LoadError` or TimeoutError."""
    command = [sys.executable, "-m", "bench.load", f"127.0.0.1:{port}", "--to", load.recipient]
    command += ["--size", str(load.size), "--mails", str(load.mails), "--concurrency", str(load.concurrency)]
    command += ["--per-connection", str(load.per_connection), "--timeout", str(load.timeout)]
    command += ["--starttls"] * load.starttls + ["--handshake"] * load.handshake + ["--mixed"] * load.mixed
    result = json.loads(await _run(command, load.timeout + 10, {}))
    if result["accepted"] != load.mails:
        raise LoadError(f"{result['accepted']} of {load.mails} mails were accepted: {result['refused']}")
    return SendResult(result["accepted"], result["seconds"])


def _library_path(program: Path) -> dict[str, str]:
    """Returns LD_LIBRARY_PATH for Postfix's libraries in the same tree as the program; empty if there are none."""
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
