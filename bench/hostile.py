"""Measures legitimate mail during an attack: `python -m bench.hostile [--quick]`.

`bench.swarm` attacks one `emailrouter smtp` while this program sends messages from other addresses. Timed replies on
separate connections show stalls of the server's event loop.

Targets: all messages accepted, p99 of the session time below 1 s, memory below 256 MiB, no stall over 250 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import client
from bench.installation import KINDS, Kind, bench_installation, smtp_port
from bench.processes import Child, cpu_seconds, end_on_sigterm, peak_bytes, program_command, temporary_folder
from tests.support.smtp import dot_stuff

_ALL_KINDS = ("slow command", "slow data", "noop", "endless line", "endless data")
_MAIL_EVERY, _PROBE_EVERY = 0.05, 0.02  # intervals in seconds
_PROBES_A_SESSION = 50  # RSET commands in a session; fewer than the server's limit of commands without a message
_MIB = 1048576


@dataclass(frozen=True)
class Attack:
    """The parameters of an attack. `scale` multiplies the number of clients of each kind."""

    kinds: Sequence[str]
    seconds: float
    scale: float
    max_connections: int


@dataclass
class Observations:
    """What this program observed during a period. Times are in seconds.

    Attributes:
        answers: The results of the sessions that sent a message.
        probes: The times from RSET to its reply.
        own_delays: The delays of this program's own event loop.
    """

    answers: list[client.SmtpResult] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)
    lost_probes: int = 0
    own_delays: list[float] = field(default_factory=list)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the clients, for 6 s")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--apart", action="store_true", help="one kind after the other, for --seconds each")
    parser.add_argument("--max-connections", type=int, default=4000)
    options = parser.parse_args()
    scale, seconds = (0.1, 6.0) if options.quick else (1.0, options.seconds)
    attacks = [(kind,) for kind in _ALL_KINDS] if options.apart else [_ALL_KINDS]
    folder = temporary_folder()
    for number, kinds in enumerate(attacks):
        attack = Attack(kinds, seconds, scale, options.max_connections)
        await _attack(options.database, folder / str(number), attack)


async def _attack(database: Kind, folder: Path, attack: Attack) -> None:
    limits = {"smtp.max_connections": attack.max_connections, "smtp.max_connections_per_ip": None}
    async with bench_installation(database, folder) as installation:
        with Child("smtp", program_command("smtp"), folder=folder, env=installation.env | limits) as child:
            port = smtp_port(child.wait_ready())
            baseline = await _watch(port, installation.addresses[0], 2.0)
            before = cpu_seconds(child.pid)
            swarm = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.swarm", str(port), "--to", installation.addresses[0]),
                *("--seconds", str(attack.seconds), "--scale", str(attack.scale), "--kinds", *attack.kinds),
                stdout=asyncio.subprocess.PIPE,
            )
            observations = await _watch(port, installation.addresses[0], attack.seconds)
            busy = (cpu_seconds(child.pid) - before) / attack.seconds
            out, _ = await swarm.communicate()
            peak = peak_bytes(child.pid)
        faults = [event for event in child.events() if event.get("level") in ("error", "critical")]
    print(f"\n{', '.join(attack.kinds)}")
    print(f"  server: {busy:.0%} of a core, peak {peak / _MIB:.0f} MiB, {len(faults)} errors in its log")
    _report(baseline, observations, peak)
    attacker_counts = sorted(json.loads(out or b"{}").items())
    print("  attackers: " + ", ".join(f"{what} {count}" for what, count in attacker_counts), flush=True)


async def _watch(port: int, recipient: str, seconds: float) -> Observations:
    observations = Observations()
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    await asyncio.gather(
        _mail(port, recipient, end, observations), _probe(port, end, observations), _tick(end, observations)
    )
    return observations


async def _mail(port: int, recipient: str, end: float, observations: Observations) -> None:
    loop = asyncio.get_running_loop()
    sessions: list[asyncio.Task[client.SmtpResult]] = []
    while loop.time() < end:
        n = len(sessions)
        head = f"From: Ada <ada@sender.test>\r\nSubject: Good\r\nMessage-ID: <{n}.{loop.time()}@good.test>\r\n\r\n"
        content = dot_stuff(head.encode() + b"The door is stuck, and it rains in.\r\n" * 100)
        sessions.append(loop.create_task(client.send(port, recipient, [content], local=f"127.0.9.{n % 20 + 10}")))
        await asyncio.sleep(_MAIL_EVERY)
    observations.answers = await asyncio.gather(*sessions)


async def _probe(port: int, end: float, observations: Observations) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < end:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.9.2", 0))
            await reader.readuntil(b"\r\n")
            for _ in range(_PROBES_A_SESSION):
                started_at = loop.time()
                writer.write(b"RSET\r\n")
                await reader.readuntil(b"\r\n")
                observations.probes.append(loop.time() - started_at)
                await asyncio.sleep(_PROBE_EVERY)
                if loop.time() >= end:
                    break
            writer.close()
        except (OSError, EOFError):
            observations.lost_probes += 1
            await asyncio.sleep(_PROBE_EVERY)


async def _tick(end: float, observations: Observations) -> None:
    loop = asyncio.get_running_loop()
    while (started_at := loop.time()) < end:
        await asyncio.sleep(0.01)
        observations.own_delays.append(loop.time() - started_at - 0.01)


def _report(baseline: Observations, observations: Observations, peak: int) -> None:
    accepted = [answer for answer in observations.answers if answer.code == 250]
    sessions = [answer.seconds for answer in observations.answers]
    sessions_before = client.format_durations([answer.seconds for answer in baseline.answers])
    print(f"  before: session {sessions_before}; reply {client.format_durations(baseline.probes)}")
    print(
        f"  attack: session {client.format_durations(sessions)}; reply {client.format_durations(observations.probes)}"
    )
    delays = client.format_durations(observations.own_delays)
    print(f"  delays of this program: {delays}; probes lost: {observations.lost_probes}")
    refused = {answer.text for answer in observations.answers if answer.code != 250}
    examples = sorted(refused)[:3] if refused else ""
    print(f"  legitimate messages: {len(accepted)} of {len(observations.answers)} accepted {examples}")
    verdicts = {
        "all legitimate mail accepted": len(accepted) == len(observations.answers),
        "p99 under 1 s": client.percentile(sessions, 0.99) < 1.0,
        "memory under 256 MiB": peak < 256 * _MIB,
        "no reply over 250 ms": max(observations.probes, default=9.0) < 0.25,
    }
    print("  " + ", ".join(f"{'met' if met else 'MISSED'}: {what}" for what, met in verdicts.items()))


if __name__ == "__main__":
    end_on_sigterm()
    asyncio.run(main())
