"""The ports of the demo, all on 127.0.0.1: fixed ones, so that addresses stay the same, or free ones."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields

HOST = "127.0.0.1"
FREE_PORT_ATTEMPTS = 3  # another program may take a free port before the demo listens on it


@dataclass(frozen=True, slots=True)
class Ports:
    """`web` is the port of the API and the dashboard, `channels` and `smarthost` those of the stand-ins."""

    web: int
    smtp: int
    channels: int
    smarthost: int


# Neither common ports nor the default ports of `serve`, which may run on this machine. Below the range from which
# systems choose free ports.
FIXED = Ports(web=8625, smtp=8626, channels=8627, smarthost=8628)


def candidates(*, fixed: bool) -> Iterator[Ports]:
    """Yields the ports to try. With `fixed`, the fixed ones come first."""
    if fixed:
        yield FIXED
    for _ in range(FREE_PORT_ATTEMPTS):
        yield _find_free_ports()


def _find_free_ports() -> Ports:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in fields(Ports)]
        for each in sockets:
            each.bind((HOST, 0))
        return Ports(*(each.getsockname()[1] for each in sockets))
