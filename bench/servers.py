"""Starts the servers of a comparison once. A server is idle while another is measured.

The servers in `EMAIL_ROUTER` and `BEFORE` log and commit durably, as in production. A server that is not installed is
skipped.
"""

from __future__ import annotations

import argparse
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import mtas
from bench.installation import Kind, bench_installation, write_certificate
from bench.processes import Child, cpu_seconds, free_port, module_command, peak_bytes, process_tree, program_command
from tests.support.waiting import is_alive

EMAIL_ROUTER: dict[str, Kind] = {"Email Router, SQLite": "sqlite", "Email Router, PostgreSQL": "postgres"}
BEFORE: dict[str, Kind] = {"before, SQLite": "sqlite", "before, PostgreSQL": "postgres"}
BEFORE_AND_AFTER = tuple(zip(BEFORE, EMAIL_ROUTER, strict=True))
HANDSHAKE = "TLS handshake"
PEERS = {
    "Email Router, no store": "smtp",
    "unmodified aiosmtpd": "sink",
    "minimal asyncio": "minimal",
    HANDSHAKE: "handshake",
}
HARAKA, POSTFIX = "Haraka", "Postfix"
ALL = (*EMAIL_ROUTER, *BEFORE, *PEERS, HARAKA, POSTFIX)


@dataclass(frozen=True)
class Options:
    """Options of the servers. `before` is another checkout of this project, with its environment in `.venv`."""

    haraka: str | None = None
    postfix: str | None = None
    before: Path | None = None
    processes: int = 1


@dataclass
class RunningServer:
    """A server that listens on 127.0.0.1:port."""

    name: str
    port: int
    children: list[Child]
    database_cpu: Callable[[], float] | None = None
    spool: Path | None = None
    has_grandchildren: bool = field(default=False)  # whether its children start processes themselves

    def cpu_seconds(self) -> float:
        return sum(cpu_seconds(child.pid, descendants=self.has_grandchildren) for child in self.children)

    def peak_memory(self) -> int:
        pids = [
            pid
            for child in self.children
            for pid in (process_tree(child.pid) if self.has_grandchildren else [child.pid])
        ]
        return sum(peak_bytes(pid) for pid in pids if is_alive(pid))

    def empty_spool(self) -> None:
        """Removes queued messages, so that each measurement starts with an empty queue."""
        if self.spool is not None:
            for mail in self.spool.rglob("*"):
                if mail.is_file():
                    mail.unlink(missing_ok=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--smtp-source", metavar="PATH", help="Postfix's load generator; `none` for the built-in one")
    parser.add_argument("--haraka", metavar="PATH", help="the program, if it is not in PATH")
    parser.add_argument("--postfix", metavar="ROOT", help="the root folder of Postfix, if not /")
    parser.add_argument("--before", metavar="CHECKOUT", type=Path, help="another checkout of this project, with .venv")
    parser.add_argument("--servers", metavar="NAME", nargs="+", choices=ALL, default=list(ALL), help=", ".join(ALL))


@asynccontextmanager
async def started_servers(names: Sequence[str], options: Options, folder: Path) -> AsyncIterator[list[RunningServer]]:
    tls = write_certificate(folder)
    async with AsyncExitStack() as stack:
        found = []
        for number, name in enumerate(names):
            place = folder / f"{number}-{options.processes}"
            place.mkdir(parents=True)
            if name in EMAIL_ROUTER:
                found.append(await _start_email_router(stack, name, options, place, tls))
            elif name in BEFORE and options.before is not None:
                found.append(
                    await _start_email_router(stack, name, options, place, tls, checkout=options.before.resolve())
                )
            elif name in PEERS:
                found.append(_start_peer(stack, name, options, place, tls))
            elif name == HARAKA and (program := mtas.find_haraka(options.haraka)):
                port = free_port()
                prepared = mtas.prepare_haraka(program, place / "haraka", port, options.processes, tls)
                found.append(await _start_mta(stack, name, prepared, place, port))
            elif name == POSTFIX and (root := mtas.find_postfix(options.postfix)):
                port = free_port()
                found.append(
                    await _start_mta(stack, name, mtas.prepare_postfix(root, place / "postfix", port, tls), place, port)
                )
            else:
                print(f"skipped: {name} is not installed")
        yield found


async def _start_email_router(
    stack: AsyncExitStack,
    name: str,
    options: Options,
    place: Path,
    tls: tuple[Path, Path],
    *,
    checkout: Path | None = None,
) -> RunningServer:
    """Starts the smtp processes of one installation.

    `checkout` is the source tree of the program that creates the schema and serves; None for this tree.
    """
    kind = (EMAIL_ROUTER | BEFORE)[name]
    installation = await stack.enter_async_context(bench_installation(kind, place, checkout=checkout))
    port = free_port()
    certificate = {"smtp.tls_cert": str(tls[0]), "smtp.tls_key": str(tls[1])}
    env = installation.env | certificate | {"smtp.listen": "systemd"}
    children = []
    for n in range(options.processes):
        child = Child(f"smtp{n}", program_command("smtp", checkout), folder=place, env=env, port=port)
        children.append(stack.enter_context(child))
    for child in children:
        child.wait_ready()
    return RunningServer(name, port, children, installation.database_cpu)


def _start_peer(
    stack: AsyncExitStack, name: str, options: Options, place: Path, tls: tuple[Path, Path]
) -> RunningServer:
    port = free_port()
    argv = module_command("bench.peers", PEERS[name], "--port", str(port), "--cert", str(tls[0]), "--key", str(tls[1]))
    children = [stack.enter_context(Child(f"peer{n}", argv, folder=place)) for n in range(options.processes)]
    for child in children:
        child.wait_ready()
    return RunningServer(name, port, children)


async def _start_mta(
    stack: AsyncExitStack, name: str, prepared: mtas.PreparedServer, place: Path, port: int
) -> RunningServer:
    child = stack.enter_context(Child(name.lower(), prepared.argv, folder=place, env=prepared.env))
    _wait_for_port(child, port)
    return RunningServer(name, port, [child], spool=prepared.spool, has_grandchildren=True)


def _wait_for_port(child: Child, port: int, timeout: float = 20) -> None:
    """Blocks until the server sends its greeting, because Haraka and Postfix log no `ready` event.

    Raises RuntimeError if the server ends or does not answer in time.
    """
    end = time.monotonic() + timeout
    while time.monotonic() < end and child.is_running():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
                if sock.recv(1):
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{child.name} does not answer:\n{child.log.read_text(errors='replace')[-3000:]}")
