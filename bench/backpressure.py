"""Measures memory backpressure: `python -m bench.backpressure [--quick] [--database postgres]`.

Many senders offer large messages at once while others send small ones. A sender retries a rejected message. Targets:
all large messages are accepted, and the smtp process uses less than 512 MiB.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
from pathlib import Path

from bench import client
from bench.installation import KINDS, Kind, bench_installation, smtp_port
from bench.load import filler_body
from bench.processes import Child, end_on_sigterm, peak_bytes, program_command, temporary_folder
from tests.support.smtp import dot_stuff

_PER_ADDRESS = 10
_RETRY_SECONDS = 1.0
_MIB = 1048576
_LARGE = 25 * _MIB


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 senders")
    parser.add_argument("--senders", type=int, default=100)
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--timeout", type=float, default=150.0, help="seconds for the whole run")
    parser.add_argument("--large-mails-to", nargs=2, metavar=("PORT", "ADDRESS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    count = 20 if options.quick else options.senders
    if options.large_mails_to:
        port, recipient = options.large_mails_to
        print(json.dumps(await _send_large_messages(int(port), recipient, count, options.timeout)))
        return
    folder = temporary_folder()
    await _measure(options.database, folder / "run", count, options.timeout)


async def _send_large_messages(port: int, recipient: str, count: int, timeout: float) -> list[dict[str, float]]:
    """Returns a dict for each message: number of tries, duration in seconds, and whether it was accepted."""
    content = filler_body(_LARGE, 0)
    end = asyncio.get_running_loop().time() + timeout

    async def sender(n: int) -> dict[str, float]:
        loop = asyncio.get_running_loop()
        started_at, tries, code = loop.time(), 0, 0
        while code != 250 and loop.time() < end:
            tries += 1
            pieces = [f"Subject: Large {n}\r\nMessage-ID: <{n}@large.test>\r\n\r\n".encode(), content]
            local = f"127.2.{n // _PER_ADDRESS}.1"
            code = (await client.send(port, recipient, pieces, local=local, timeout=max(end - loop.time(), 1.0))).code
            if code != 250:
                await asyncio.sleep(_RETRY_SECONDS)
        return {"tries": tries, "seconds": loop.time() - started_at, "accepted": code == 250}

    return await asyncio.gather(*(sender(n) for n in range(count)))


async def _send_small_messages(port: int, recipient: str, stop: asyncio.Event) -> list[tuple[float, float]]:
    """Sends small messages until `stop` is set.

    Returns a pair for each message: the time of its acceptance, and its duration including retries, in seconds.
    """
    loop = asyncio.get_running_loop()

    async def sender(n: int) -> tuple[float, float]:
        started_at = loop.time()
        content = dot_stuff(f"Subject: Small {n}\r\nMessage-ID: <{n}@small.test>\r\n\r\nIt rains in.\r\n".encode())
        local = f"127.0.9.{n % 50 + 10}"  # A single source address could reach its limit of connections.
        code = 0
        while code != 250:
            code = (await client.send(port, recipient, [content], local=local, timeout=60)).code
            if code != 250:
                await asyncio.sleep(_RETRY_SECONDS)
        return loop.time(), loop.time() - started_at

    sent: list[asyncio.Task[tuple[float, float]]] = []
    while not stop.is_set():
        sent.append(loop.create_task(sender(len(sent))))
        await asyncio.sleep(0.05)
    return await asyncio.gather(*sent)


async def _measure(kind: Kind, folder: Path, count: int, timeout: float) -> None:
    async with bench_installation(kind, folder) as installation:
        env = installation.env | {"smtp.max_connections_per_ip": None, "smtp.max_connections": None}
        with Child("smtp", program_command("smtp"), folder=folder, env=env) as child:
            port = smtp_port(child.wait_ready())
            stop = asyncio.Event()
            small_task = asyncio.create_task(_send_small_messages(port, installation.addresses[0], stop))
            large = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bench.backpressure", "--senders", str(count), "--timeout", str(timeout)),
                *("--large-mails-to", str(port), installation.addresses[0]),
                stdout=asyncio.subprocess.PIPE,
            )
            out, _ = await large.communicate()
            stop.set()
            small = await small_task
            peak = peak_bytes(child.pid)
        reasons = [event["reason"] for event in child.events() if event.get("event") == "smtp.refused"]
        faults = [event for event in child.events() if event.get("level") in ("error", "critical")]
    _report(json.loads(out or b"[]"), small, peak, reasons, len(faults))


def _report(
    large: list[dict[str, float]], small: list[tuple[float, float]], peak: int, reasons: list[str], faults: int
) -> None:
    accepted = [sender for sender in large if sender["accepted"]]
    seconds = max((sender["seconds"] for sender in large), default=0.0)
    tries = sum(sender["tries"] for sender in large)
    print(f"large: {len(accepted)} of {len(large)} accepted in {seconds:.0f} s with {tries:.0f} tries")
    print(f"small: {len(small)} accepted, time: {client.format_durations([duration for _, duration in small])}")
    times = sorted(at for at, _ in small)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    print(f"longest time without a small message: {max(gaps, default=0.0):.1f} s")
    reason_counts = {reason: reasons.count(reason) for reason in set(reasons)}
    print(f"temporarily rejected: {reason_counts or 'none'}; {faults} errors in the log")
    verdicts = {"all accepted": len(accepted) == len(large) > 0, "under 512 MiB": peak < 512 * _MIB}
    print(
        f"peak memory {peak / _MIB:.0f} MiB; "
        + ", ".join(f"{'met' if v else 'MISSED'}: {k}" for k, v in verdicts.items())
    )


if __name__ == "__main__":
    end_on_sigterm()
    asyncio.run(main())
