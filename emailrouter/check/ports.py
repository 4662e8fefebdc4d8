"""Checks which program responds at `[smtp] listen` and `[api] listen`.

Also warns if the SMTP server has only loopback addresses, or none with port 25.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence

from config.values import Address
from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, fail, ok, warn
from router.network import is_loopback, parse_address

_RESPONSE_SECONDS = 3.0
_START = "Start the program: systemctl start emailrouter (or emailrouter serve)"


async def smtp_port(context: CheckContext) -> list[CheckResult]:
    """Checks each address of the SMTP server; for `systemd` in another process, checks port 25 on 127.0.0.1."""
    listen = _listen_addresses(context)
    found = await asyncio.gather(
        *(_check_smtp_address(context, address) for address in listen or (Address("127.0.0.1", 25),))
    )
    results = [result for group in found for result in group]
    if accepts_loopback_only(context):
        fix = 'Set [smtp] listen = ["0.0.0.0:25", "[::]:25"], or "systemd" and enable emailrouter.socket'
        if context.config.smtp.listen == "systemd":
            fix = "Set ListenStream=0.0.0.0:25 and ListenStream=[::]:25 in the socket unit (systemctl edit)"
        results.append(warn("smtp port", "mail is accepted on loopback only: other hosts cannot send mail here", fix))
    elif listen and not context.config.smtp.proxy_protocol and all(address.port != 25 for address in listen):
        fix = "Mail servers send to port 25 only: listen on it, or forward it to this port"
        results.append(warn("smtp port", f"no address of [smtp] listen has port 25 ({listen[0]})", fix))
    return results


def accepts_loopback_only(context: CheckContext) -> bool:
    """Returns whether no other host can connect to the SMTP server, not even through a proxy on this host."""
    listen = _listen_addresses(context)
    return (
        bool(listen) and not context.config.smtp.proxy_protocol and all(is_loopback(address.host) for address in listen)
    )


def _listen_addresses(context: CheckContext) -> Sequence[Address]:
    """Returns the addresses of the SMTP server; empty if only another process knows those of systemd's sockets."""
    listen = context.config.smtp.listen
    if listen != "systemd":
        return listen
    return [Address.parse(text) for text in context.listening_smtp() if not text.startswith("/")]


async def api_port(context: CheckContext) -> list[CheckResult]:
    """Checks that the HTTP server is ready. For `systemd`, uses the address in the supplied socket unit."""
    listen = context.config.api.listen
    address = Address("127.0.0.1", 8080) if listen == "systemd" else listen
    answer = await _read_first_line(address, _http_request("/healthz", address))
    if isinstance(answer, OSError):
        return await asyncio.to_thread(_no_response_results, "api port", address, answer)
    if b"200" not in answer.partition(b"\r\n")[0]:
        return [_other_program_result("api port", address, answer)]
    ready = await _read_first_line(address, _http_request("/readyz", address))
    if isinstance(ready, bytes) and b" 503" in ready:
        fix = (
            f"Find the reason: curl http://{address}/readyz; the log has the details. "
            "Restart the program if its SQLite file was moved or replaced"
        )
        return [fail("api port", f"{address} reports that it is not ready", fix)]
    return [ok("api port", f"{address} responds")]


def _http_request(path: str, address: Address) -> bytes:
    return f"GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode()


async def _check_smtp_address(context: CheckContext, address: Address) -> list[CheckResult]:
    greeting = await _read_first_line(address, _proxy_header(context, address))
    if isinstance(greeting, OSError):
        return await asyncio.to_thread(_no_response_results, "smtp port", address, greeting)
    if not greeting.startswith((b"220", b"421")) or context.config.server.hostname.encode() not in greeting:
        return [_other_program_result("smtp port", address, greeting)]
    return [ok("smtp port", f"{address} responds as {context.config.server.hostname}")]


def _proxy_header(context: CheckContext, address: Address) -> bytes:
    """Returns the header that `[smtp] proxy_protocol` requires from this host, without which there is no greeting."""
    settings, peer = context.config.smtp, parse_address(_local_host(address))
    if settings.proxy_protocol and peer and any(peer in network for network in settings.trusted_networks):
        return b"PROXY UNKNOWN\r\n"
    return b""


def _local_host(address: Address) -> str:
    """Returns the address to connect to; the connection then comes from the same address."""
    wildcards = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    return wildcards.get(address.host, address.host)


async def _read_first_line(address: Address, request: bytes) -> bytes | OSError:
    host = _local_host(address)
    writer = None
    try:
        async with asyncio.timeout(_RESPONSE_SECONDS):
            reader, writer = await asyncio.open_connection(host, address.port)
            writer.write(request)
            return await reader.readline()
    except TimeoutError:
        code = errno.EHOSTUNREACH if writer is None else errno.ETIMEDOUT
        return OSError(code, f"no response within {_RESPONSE_SECONDS:g} s")
    except (OSError, ValueError) as error:
        return (
            error if isinstance(error, OSError) else OSError(errno.EPROTO, "the first line of the response is too long")
        )
    finally:
        if writer is not None:
            writer.close()


def _no_response_results(name: str, address: Address, error: OSError) -> list[CheckResult]:
    """Reports why nothing responds. Without a connection, binds to the address to find the reason."""
    if error.errno == errno.ETIMEDOUT:
        fix = f"Find the process: ss -ltnp 'sport = :{address.port}'; if it is emailrouter, check its log"
        return [fail(name, f"{address} accepts connections but does not respond", fix)]
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, where = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except PermissionError:
        fix = (
            'Ports below 1024 require systemd\'s socket: [smtp] listen = "systemd" and '
            "systemctl enable --now emailrouter.socket"
        )
        return [fail(name, f"this user may not listen on {address}", fix)]
    except OSError as bind_error:
        if bind_error.errno == errno.EADDRINUSE:
            fix = f"Find the process: ss -ltnp 'sport = :{address.port}'"
            return [fail(name, f"{address} is in use, but nothing responds", fix)]
        fix = f"Configure an address of this host (`ip address` lists them): {address.host} is not one"
        return [fail(name, f"cannot listen on {address}: {bind_error.strerror or bind_error}", fix)]
    return [warn(name, f"nothing listens on {address}", _START)]


def _other_program_result(name: str, address: Address, response: bytes) -> CheckResult:
    if b"Email Router" in response:
        text = f"{address} responds with another name than [server] hostname"
        fix = "Restart the program if the setting was changed; otherwise, another Email Router uses this address"
        return fail(name, text, fix)
    shown = "".join(c if c.isprintable() else "\ufffd" for c in response[:80].decode("utf-8", "replace").strip())
    fix = (
        f"Find the process: ss -ltnp 'sport = :{address.port}'; stop it (systemctl disable --now exim4 postfix), "
        "or listen on another address"
    )
    return fail(name, f"another program responds on {address}: {shown or 'no data'}", fix)
