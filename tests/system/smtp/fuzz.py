"""Sends random and mutated sessions to the server, for any duration: `make fuzz-smtp SECONDS=900`.

A round opens a few connections to a real `smtp.server.Server` over in-memory transports. Bytes arrive in random pieces.
`--round N` repeats a round from its number and the seed. A state file makes each run continue where the last run ended.
Each round checks that

- every reply is a known one, and each command line gets one reply;
- each message that got `250` was accepted with the right bytes (`tests.unit.smtp.test_data.reference` for DATA);
- no memory stays reserved, no connection stays counted, and no task raised an exception.

pytest does not collect this module. Add a test for each finding to `tests/dialogs` or to the tests of the code.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import random
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import structlog
import trustme

from tests.integration.smtp.fuzz_wires import InvariantError, run_round
from tests.support.smtp_doubles import RunningSmtpServer, running_server
from tests.system.smtp.fuzz_oracle import DISCARD_LIMIT, MAX_MESSAGE_BYTES, check_conversation, check_nothing_left
from tests.unit.smtp.conftest import write_certificate

SETTINGS: dict[str, Any] = {
    "max_message_bytes": MAX_MESSAGE_BYTES,
    "max_bytes_in_flight": 150_000,
    "max_recipients": 5,
    "max_mails_per_minute_per_ip": 0,
    "trusted_networks": ["10.0.0.0/8"],
    "blocked_senders": ["@junk.example"],
}
BOUNDS: dict[str, Any] = {"max_discarded_bytes": DISCARD_LIMIT, "min_discard_pause": 0.0, "guess_delay": 0.0}
ROUNDS_OF_A_SERVER = 100


async def check_round(server: RunningSmtpServer, seed: int, number: int, raised: list[str]) -> int:
    """Runs and checks one round. Returns the number of its connections."""
    rng = random.Random(f"{seed}:{number}")
    server.mails.mails.clear()
    server.mails.failure = RuntimeError("an internal detail") if rng.random() < 0.05 else None
    try:
        peers = await run_round(server, rng)
        check_nothing_left(server)
        for peer in peers:
            accepted = [content for envelope, content in server.mails.mails if envelope.peer == peer.address]
            try:
                check_conversation(peer, accepted, fails=server.mails.failure is not None)
            except InvariantError as error:
                raise InvariantError(
                    f"{error}\nC: {_abbreviate(peer.data)}\nS: {_abbreviate(peer.received)}"
                ) from error
        if raised:
            raise InvariantError(raised[0])
    except InvariantError as error:
        raise InvariantError(f"seed {seed}, round {number}: {error}") from error
    return len(peers)


def _abbreviate(data: bytes) -> str:
    """Returns `repr(data)` with long runs of one character replaced by the character and a count."""
    return re.sub(r"((.)\2{40})\2*", lambda run: f"{run[2]}*{len(run[0])}", repr(data))


def server_settings(server_number: int, files: tuple[Path, Path]) -> dict[str, Any]:
    settings = dict(SETTINGS)
    if server_number & 1:
        settings["tls_cert"], settings["tls_key"] = files
    settings["proxy_protocol"] = bool(server_number & 2)
    return settings


async def run(seed: int, first: int, *, seconds: float, rounds: int | None = None) -> tuple[int, int]:
    """Runs rounds from `first` on, for `seconds` seconds and at most `rounds` rounds.

    Returns:
        The number of the next round, and the number of connections.

    Raises:
        InvariantError: A round failed.
    """
    raised: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: raised.append(str(context)))
    number, sessions, until = first, 0, time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        files = write_certificate(trustme.CA(), Path(directory))
        while time.monotonic() < until and (rounds is None or number < first + rounds):
            server_number = number // ROUNDS_OF_A_SERVER
            async with running_server(bounds=BOUNDS, **server_settings(server_number, files)) as server:
                while number // ROUNDS_OF_A_SERVER == server_number and time.monotonic() < until:
                    sessions += await check_round(server, seed, number, raised)
                    number += 1
                    if rounds is not None and number == first + rounds:
                        break
    return number, sessions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1, help="for a new state file")
    parser.add_argument("--state", type=Path, default=Path("build/fuzz-smtp.json"))
    parser.add_argument("--round", type=int, help="run only this round; do not change the state file")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    state = {"seed": options.seed, "next": 0, "sessions": 0}
    if options.state.exists():
        state |= json.loads(options.state.read_text())
    if options.round is not None:
        asyncio.run(run(state["seed"], options.round, seconds=options.seconds, rounds=1))
        return
    until = time.monotonic() + options.seconds
    options.state.parent.mkdir(parents=True, exist_ok=True)
    while (remaining := until - time.monotonic()) > 0:
        state["next"], sessions = asyncio.run(run(state["seed"], state["next"], seconds=min(remaining, 30)))
        state["sessions"] += sessions
        options.state.write_text(json.dumps(state))
    print(f"{state['next']} rounds, {state['sessions']} sessions, seed {state['seed']}: nothing found")  # noqa: T201


if __name__ == "__main__":
    main()
