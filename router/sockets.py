"""The listening sockets that systemd passes to this process (sd_listen_fds(3)).

Sockets with the `FileDescriptorName` `api` belong to the API, all others to SMTP.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Literal

ServerName = Literal["smtp", "api"]

API_SOCKET_NAME = "api"
_FIRST_DESCRIPTOR = 3


def inherited_sockets(server: ServerName, environ: Mapping[str, str]) -> list[socket.socket]:
    """Returns the listening sockets of a server, non-blocking and not inheritable.

    Raises:
        OSError: systemd passed no socket for this server.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()):
        raise OSError("systemd passed no sockets to this process (LISTEN_PID); start the socket unit")
    count = environ.get("LISTEN_FDS", "")
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    descriptors = range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + int(count)) if count.isdecimal() else range(0)
    sockets = []
    for index, descriptor in enumerate(descriptors):
        if (names[index : index + 1] == [API_SOCKET_NAME]) is (server == "api"):
            sock = socket.socket(fileno=descriptor)
            sock.setblocking(False)
            sock.set_inheritable(False)
            sockets.append(sock)
    if not sockets:
        raise OSError(f"systemd passed no socket for {server} to this process (LISTEN_FDS); start the socket unit")
    return sockets
