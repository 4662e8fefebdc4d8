"""The name servers to query: the configured ones, or those of `/etc/resolv.conf`, including later changes of the file.

There is always at least one server, even if the file cannot be read. Only the `nameserver` lines are used.
"""

from __future__ import annotations

import ipaddress
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from router.dns.exchange import NameServer

_log = structlog.get_logger()

RESOLV_CONF = Path("/etc/resolv.conf")
MAX_FILE_SIZE = 65_536  # bytes
MAX_SERVERS = 8  # glibc uses only 3
MAX_SKIPPED = 5  # invalid lines that are reported
POLL_SECONDS = 1.0
DNS_PORT = 53
# Used if the file names no server or cannot be read, as in glibc (resolv.conf(5)).
DEFAULT_SERVER = "127.0.0.1"
_OTHER_KEYWORDS = frozenset({b"search", b"domain", b"options", b"sortlist", b"lookup", b"family"})
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """The parsed resolv.conf; `skipped` contains the first invalid lines."""

    hosts: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def parse_resolv_conf(data: bytes) -> ResolvConf:
    """Parses the content of resolv.conf. A server address with a port is invalid, as in glibc."""
    hosts: dict[str, None] = {}
    skipped: list[str] = []
    for line in data.removeprefix(_BOM).splitlines():
        fields = line.split(maxsplit=2)
        if not fields or fields[0][:1] in (b"#", b";") or fields[0] in _OTHER_KEYWORDS:
            continue
        host = _parse_address(fields[1]) if fields[0] == b"nameserver" and len(fields) > 1 else ""
        if host and len(hosts) < MAX_SERVERS:
            hosts[host] = None
        elif not host and len(skipped) < MAX_SKIPPED:
            skipped.append(_to_printable(line))
    return ResolvConf(tuple(hosts), tuple(skipped))


class NameServers:
    """Provides the current name servers.

    Args:
        configured: (IP address, port) pairs of `[dns] nameservers`; if empty, the file at `path` is used.
        poll_seconds: The minimum time between two checks of the file.
    """

    def __init__(
        self,
        configured: Sequence[tuple[str, int]] = (),
        *,
        path: Path = RESOLV_CONF,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.path = path
        self.skipped: tuple[str, ...] = ()
        self.uses_file = not configured
        self.has_no_usable_server = False
        self._poll_seconds = poll_seconds
        self._polled_at = time.monotonic()
        self._data: bytes | None = b""
        self._servers = [NameServer(host, port) for host, port in configured]
        if self.uses_file:
            self._reload(is_first=True)

    def current_servers(self) -> list[NameServer]:
        """Returns the servers in the configured order, but unresponsive ones last."""
        now = time.monotonic()
        if self.uses_file and now - self._polled_at >= self._poll_seconds:
            self._polled_at = now
            self._reload()
        return sorted(self._servers, key=lambda server: server.is_unresponsive)

    def _reload(self, *, is_first: bool = False) -> None:
        data, problem = _read_file(self.path)
        if data == self._data and not is_first:
            return
        self._data = data
        parsed = parse_resolv_conf(data or b"")
        self.has_no_usable_server = not parsed.hosts
        self.skipped = (*parsed.skipped, *([problem] if problem else []))
        existing = {server.address: server for server in self._servers}
        self._servers = [existing.get(host) or NameServer(host, DNS_PORT) for host in parsed.hosts or (DEFAULT_SERVER,)]
        if self.skipped or self.has_no_usable_server:
            _log.warning(
                "dns.resolv_conf_invalid", skipped=self.skipped, servers=[server.address for server in self._servers]
            )
        elif not is_first:
            _log.info("dns.servers_changed", servers=[server.address for server in self._servers])


def _read_file(path: Path) -> tuple[bytes | None, str]:
    """Returns (content, `""`), or (None, reason) if the file cannot be read."""
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None, "it is not a regular file"
            return os.read(descriptor, MAX_FILE_SIZE), ""
        finally:
            os.close(descriptor)
    except OSError as error:
        return None, f"it cannot be read ({os.strerror(error.errno or 0).lower()})"


def _parse_address(word: bytes) -> str:
    """Returns the IP address in canonical form, "" for any other text."""
    try:
        return str(ipaddress.ip_address(word.decode("ascii")))
    except ValueError:
        return ""


def _to_printable(line: bytes) -> str:
    text = line[:80].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
