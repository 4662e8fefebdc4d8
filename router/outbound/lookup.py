"""Resolves names with the system's resolver in separate daemon threads.

`getaddrinfo` can take more than 30 seconds and cannot be interrupted. In the event loop's default executor, such a call
would delay the end of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

from aiohttp.abc import AbstractResolver, ResolveResult

MAX_THREADS = 16  # awaited lookups; threads of cancelled lookups are not counted


class SystemResolver(AbstractResolver):
    """Resolves with `getaddrinfo`, which also uses /etc/hosts."""

    def __init__(self) -> None:
        self._threads = asyncio.Semaphore(MAX_THREADS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        async with self._threads:
            future: asyncio.Future[list[ResolveResult]] = loop.create_future()

            def set_result(result: list[ResolveResult] | OSError) -> None:
                if future.done():
                    return
                if isinstance(result, OSError):
                    future.set_exception(result)
                else:
                    future.set_result(result)

            def run() -> None:
                result = _resolve_host(host, port, family)
                with contextlib.suppress(RuntimeError):  # the loop is closed
                    loop.call_soon_threadsafe(set_result, result)

            threading.Thread(target=run, name="lookup", daemon=True).start()
            return await future

    async def close(self) -> None:
        """Does nothing: the threads end by themselves."""


def _resolve_host(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult] | OSError:
    try:
        addresses = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except OSError as error:
        return error
    except ValueError:  # for example, an empty or too long label
        return socket.gaierror(socket.EAI_NONAME, "not a host name")
    return [
        ResolveResult(hostname=host, host=str(address[0]), port=port, family=kind, proto=protocol, flags=0)
        for kind, _, protocol, _, address in addresses
    ]
