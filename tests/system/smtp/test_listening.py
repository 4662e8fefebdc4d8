"""Listening on several addresses, on IPv6 and on sockets from systemd. Connections during overload and shutdown."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import textwrap
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from router import sockets
from router.sockets import inherited_sockets
from smtp import replies
from tests.support.smtp import RawSmtp
from tests.support.smtp_doubles import running_server
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
HAS_IPV6 = socket.has_ipv6 and Path("/proc/net/if_inet6").exists() and Path("/proc/net/if_inet6").read_text().strip()


async def test_several_addresses() -> None:
    async with running_server(listen=["127.0.0.1:0", "127.0.0.2:0"]) as server:
        hosts = [address.rpartition(":") for address in server.server.addresses]
        assert [host for host, _, _ in hosts] == ["127.0.0.1", "127.0.0.2"]
        for host, _, port in hosts:
            async with await RawSmtp.connect(host, int(port)) as client:
                assert client.greeting.code == 220


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6 on loopback")
async def test_ipv6() -> None:
    async with running_server(listen=["[::1]:0"]) as server:
        assert server.server.addresses[0].startswith("[::1]:")
        async with await RawSmtp.connect("::1", server.port) as client:
            await client.command("EHLO client.test", 250)
            await client.command("MAIL FROM:<>", 250)
            await client.command("RCPT TO:<support@example.com>", 250)
            await client.data(b"x\r\n")
        assert server.mails.mails[0][0].peer == "::1"


async def test_used_address_stops_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=str(port)):
            async with running_server(listen=["127.0.0.2:0", f"127.0.0.1:{port}"]):
                pass


async def test_reuse_port() -> None:
    """Several smtp processes of a host may share a port."""
    async with (
        running_server(reuse_port=True) as first,
        running_server(reuse_port=True, listen=[first.server.addresses[0]]) as second,
    ):
        assert second.server.addresses == first.server.addresses


async def test_waiting_connections_are_accepted_in_batches() -> None:
    """Hostile peers can make iterations of the event loop slow. One connection per iteration would be too few."""
    listen = ["127.0.0.1:0", "127.0.0.2:0"]
    async with running_server(listen=listen, max_connections_per_ip=100) as server, AsyncExitStack() as clients:
        for n in range(80):  # the kernel queues these connections while the loop is blocked
            host, _, port = server.server.addresses[n % 2].rpartition(":")
            clients.enter_context(socket.create_connection((host, int(port))))
        iterations = 0
        while server.server.connection_count < 80:
            await asyncio.sleep(0)
            iterations += 1
            assert iterations < 20, server.server.connection_count
        await wait_until(lambda: not server.server._listeners._opening, "all are opened")


async def test_connections_accepted_during_shutdown_get_421() -> None:
    """Some of these connections may have left the kernel's queue but have no session yet."""
    async with running_server() as server:
        clients = [socket.create_connection((server.host, server.port)) for _ in range(8)]
        await wait_until(lambda: server.server.connection_count > 0, "the first is accepted")
        draining = asyncio.ensure_future(server.server.drain(timedelta(seconds=5)))
        notified = 0
        loop = asyncio.get_running_loop()
        for client in clients:
            client.setblocking(False)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while more := await asyncio.wait_for(loop.sock_recv(client, 100), 5):
                    received += more
            client.close()
            assert received in (b"", replies.SHUTTING_DOWN.encoded) or received.endswith(
                b"\r\n" + replies.SHUTTING_DOWN.encoded
            )
            notified += bool(received)
        assert notified
        await draining
        assert server.server.connection_count == 0
        await wait_until(lambda: not server.server._listeners._opening, "all are opened")


def test_systemd_sockets_of_another_process_are_ignored() -> None:
    own = str(os.getpid())
    for environ in (
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": own, "LISTEN_FDS": "0"},
        {"LISTEN_PID": own, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "api"},
    ):
        with pytest.raises(OSError, match="systemd"):
            inherited_sockets("smtp", environ)


@pytest.mark.parametrize("names", ["mail:api:more", "api:api:mail", "", "a:b"])
def test_systemd_sockets_are_selected_by_name(names: str) -> None:
    """Descriptors 3 to 5 may be in use in this process, so the test starts another process."""
    program = textwrap.dedent("""
        import os, socket, sys
        from router.sockets import inherited_sockets
        kept = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        for n, sock in enumerate(kept):
            os.dup2(sock.fileno(), 10 + n)
        for n in range(3):
            os.dup2(10 + n, 3 + n)
        environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "3", "LISTEN_FDNAMES": sys.argv[1]}
        for name in ("smtp", "api"):
            try:
                print(name, *(sock.detach() for sock in inherited_sockets(name, environ)))
            except OSError:
                print(name, "none")
        os._exit(0) if sys.stdout.flush() is None else None
    """)
    done = subprocess.run([sys.executable, "-c", program, names], capture_output=True, text=True, check=True, cwd=ROOT)
    api = [3 + n for n, name in enumerate(names.split(":")) if name == "api"]
    smtp = [n for n in (3, 4, 5) if n not in api]
    assert done.stdout.splitlines() == [
        " ".join(["smtp", *map(str, smtp)]),
        " ".join(["api", *map(str, api)] if api else ["api", "none"]),
    ]


def test_systemd_sockets_become_nonblocking_and_uninheritable() -> None:
    """Descriptor 3 may be in use in this process, so the test starts another process."""
    program = textwrap.dedent("""
        import os, sys
        from router.sockets import inherited_sockets
        os.dup2(int(sys.argv[1]), 3)
        (sock,) = inherited_sockets("smtp", {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
        print(sock.gettimeout(), sock.get_inheritable(), sock.getsockname()[1])
    """)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = subprocess.run(
            [sys.executable, "-c", program, str(listener.fileno())],
            pass_fds=[listener.fileno()],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        assert done.stdout.split() == ["0.0", "False", str(listener.getsockname()[1])], done.stderr


async def test_listening_on_systemd_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    monkeypatch.setattr(sockets, "inherited_sockets", lambda _name, _environ: [listener])
    async with running_server(listen="systemd") as server:
        assert server.port == listener.getsockname()[1]
        async with await RawSmtp.connect(server.host, server.port) as client:
            assert client.greeting.code == 220
