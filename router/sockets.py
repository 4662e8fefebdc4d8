"""The sockets that systemd opened for this process and keeps over its restarts (sd_listen_fds(3)).

They are told apart by the names that their units give them (`FileDescriptorName`): `API` is the API's, every other one
takes mail. Who asks: the two doors, each for its own, when they start.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Literal

Door = Literal["smtp", "api"]

API = "api"
_FIRST = 3


def passed(door: Door, environ: Mapping[str, str]) -> list[socket.socket]:
    """Listening sockets for this door. Raises OSError when there are none.

    They arrive blocking and inheritable: one slow accept would stop the loop, and a child would keep the port.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        raise OSError("systemd passed no sockets to this process (LISTEN_PID); start the socket unit")
    count = environ.get("LISTEN_FDS", "")
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    descriptors = range(_FIRST, _FIRST + int(count)) if count.isdecimal() else range(0)
    sockets = []
    for n, descriptor in enumerate(descriptors):
        if (names[n : n + 1] == [API]) is (door == "api"):
            sock = socket.socket(fileno=descriptor)
            sock.setblocking(False)
            sock.set_inheritable(False)
            sockets.append(sock)
    if not sockets:
        raise OSError(f"systemd passed no socket for {door} to this process (LISTEN_FDS); start the socket unit")
    return sockets
