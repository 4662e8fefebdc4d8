"""Connects a socket to a smarthost. The addresses of a domain's smarthost are checked when they are connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver

from router.outbound.addresses import non_public_reason
from router.outbound.smarthost.access import SmarthostAccess
from router.outbound.smarthost.failure import SubmissionFailed

MAX_ADDRESSES = 8  # of a host that are tried
_ADDRESS_SECONDS = 15.0  # for one of several addresses, so that a host without IPv6 reaches the next one

TimeLimit = Callable[[float], asyncio.Timeout]


async def open_socket(
    access: SmarthostAccess, *, resolver: AbstractResolver, allow_private: bool, time_limit: TimeLimit
) -> socket.socket:
    """Connects to the first address of the host that answers. Raises OSError and SubmissionFailed."""
    host, port = access.url.host, access.url.port
    found = await resolver.resolve(host, port, socket.AF_UNSPEC)
    problem = OSError("the host has no address")
    for address in found[:MAX_ADDRESSES]:
        if access.is_guarded and not allow_private:
            _require_public(address["host"])
        # With the protocol, because asyncio sets TCP_NODELAY only on such sockets. The final dot would wait without it.
        opened = socket.socket(socket.AddressFamily(address["family"]), socket.SOCK_STREAM, socket.IPPROTO_TCP)
        opened.setblocking(False)
        try:
            async with time_limit(_ADDRESS_SECONDS):
                await asyncio.get_running_loop().sock_connect(opened, (address["host"], port))
            return opened
        except OSError as error:  # also TimeoutError
            opened.close()
            problem = error
        except BaseException:
            opened.close()
            raise
    raise problem


def _require_public(ip: str) -> None:
    reason = non_public_reason(ip)
    if reason is not None:
        text = f"address {ip} is {reason}; set [delivery] allow_private_networks to allow it"
        raise SubmissionFailed("smarthost", "connect", text)
