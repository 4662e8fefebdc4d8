"""The servers that a bench compares, each started for the whole run and idle while another is measured.

`running(names, options, folder)` yields them in that order. A `Running` tells the CPU time of all its processes from
the moment of asking, and that of its PostgreSQL apart. Ours are durable: `emailrouter smtp` with every limit, log
line and commit of the product. A peer whose program is not there is left out and named.
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
from bench.installation import Kind, installed, write_certificate
from bench.processes import Child, cpu_seconds, emailrouter, free_port, module, peak_octets, tree
from tests.support.waiting import alive

OURS: dict[str, Kind] = {"ours, SQLite": "sqlite", "ours, PostgreSQL": "postgres"}
BEFORE: dict[str, Kind] = {"before, SQLite": "sqlite", "before, PostgreSQL": "postgres"}
HANDSHAKE = "TLS handshake"
PEERS = {"ours, no store": "door", "stock Sink": "sink", "asyncio limit": "limit", HANDSHAKE: "handshake"}
HARAKA, POSTFIX = "Haraka", "Postfix"
ALL = (*OURS, *BEFORE, *PEERS, HARAKA, POSTFIX)


@dataclass(frozen=True)
class Options:
    """What the command line said: where peers are, and how many processes each server may have.

    before: another checkout of this project with its environment in `.venv`, such as the commit before a change.
    """

    haraka: str | None = None
    postfix: str | None = None
    before: Path | None = None
    processes: int = 1


@dataclass
class Running:
    """A server that listens on 127.0.0.1:port."""

    name: str
    port: int
    children: list[Child]
    database_cpu: Callable[[], float] | None = None
    spool: Path | None = None
    trees: bool = field(default=False)  # its children have children

    def cpu(self) -> float:
        """Seconds of CPU, user and system, of all its processes since they began."""
        return sum(cpu_seconds(child.pid, descendants=self.trees) for child in self.children)

    def peak(self) -> int:
        """The most octets of memory that each of its processes held, added up."""
        pids = [pid for child in self.children for pid in (tree(child.pid) if self.trees else [child.pid])]
        return sum(peak_octets(pid) for pid in pids if alive(pid))

    def tidy(self) -> None:
        """After a measurement: a queue that only grows would slow the next one, and says nothing."""
        if self.spool is not None:
            for mail in self.spool.rglob("*"):
                if mail.is_file():
                    mail.unlink(missing_ok=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options every comparison has."""
    parser.add_argument("--smtp-source", metavar="PATH", help="Postfix's load generator; `none` for the built-in one")
    parser.add_argument("--haraka", metavar="PATH", help="its program, where it is not in PATH")
    parser.add_argument("--postfix", metavar="ROOT", help="the root it is unpacked under, where that is not /")
    parser.add_argument("--before", metavar="CHECKOUT", type=Path, help="another checkout of this project, with .venv")
    parser.add_argument("--servers", metavar="NAME", nargs="+", choices=ALL, default=list(ALL), help=", ".join(ALL))


@asynccontextmanager
async def running(names: Sequence[str], options: Options, folder: Path) -> AsyncIterator[list[Running]]:
    """Starts the servers, each in a folder of its own; all are gone at the end."""
    tls = write_certificate(folder)
    async with AsyncExitStack() as stack:
        found = []
        for number, name in enumerate(names):
            place = folder / f"{number}-{options.processes}"
            place.mkdir(parents=True)
            if name in OURS:
                found.append(await _ours(stack, name, options, place, tls))
            elif name in BEFORE and options.before is not None:
                found.append(await _ours(stack, name, options, place, tls, checkout=options.before.resolve()))
            elif name in PEERS:
                found.append(_peer(stack, name, options, place, tls))
            elif name == HARAKA and (program := mtas.find_haraka(options.haraka)):
                port = free_port()
                prepared = mtas.haraka(program, place / "haraka", port, options.processes, tls)
                found.append(await _mta(stack, name, prepared, place, port))
            elif name == POSTFIX and (root := mtas.find_postfix(options.postfix)):
                port = free_port()
                found.append(await _mta(stack, name, mtas.postfix(root, place / "postfix", port, tls), place, port))
            else:
                print(f"left out: {name} is not here")
        yield found


async def _ours(
    stack: AsyncExitStack,
    name: str,
    options: Options,
    place: Path,
    tls: tuple[Path, Path],
    *,
    checkout: Path | None = None,
) -> Running:
    """checkout: another one, whose program makes the schema and serves; None is this one."""
    of_checkout: dict[str, object] = {} if checkout is None else {"PYTHONPATH": str(checkout)}
    migrate_with = None if checkout is None else (emailrouter("migrate", checkout), of_checkout)
    kind = (OURS | BEFORE)[name]
    installation = await stack.enter_async_context(installed(kind, place, migrate_with=migrate_with))
    port = free_port()
    certificate = {"smtp.tls_cert": str(tls[0]), "smtp.tls_key": str(tls[1])}
    env = installation.env | certificate | {"smtp.listen": "systemd"} | of_checkout
    children = []
    for n in range(options.processes):
        child = Child(f"smtp{n}", emailrouter("smtp", checkout), folder=place, env=env, port=port)
        children.append(stack.enter_context(child))
    for child in children:
        child.ready()
    return Running(name, port, children, installation.database_cpu)


def _peer(stack: AsyncExitStack, name: str, options: Options, place: Path, tls: tuple[Path, Path]) -> Running:
    port = free_port()
    argv = module("bench.peers", PEERS[name], "--port", str(port), "--cert", str(tls[0]), "--key", str(tls[1]))
    children = [stack.enter_context(Child(f"peer{n}", argv, folder=place)) for n in range(options.processes)]
    for child in children:
        child.ready()
    return Running(name, port, children)


async def _mta(stack: AsyncExitStack, name: str, prepared: mtas.Prepared, place: Path, port: int) -> Running:
    child = stack.enter_context(Child(name.lower(), prepared.argv, folder=place, env=prepared.env))
    _wait_for_port(child, port)
    return Running(name, port, [child], spool=prepared.spool, trees=True)


def _wait_for_port(child: Child, port: int, timeout: float = 20) -> None:
    """Blocks until the server greets; these programs say nothing of it in their logs."""
    end = time.monotonic() + timeout
    while time.monotonic() < end and child.running():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
                if sock.recv(1):
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{child.name} does not answer:\n{child.log.read_text(errors='replace')[-3000:]}")
