"""The SMTP servers of this installation, to which test messages are sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from config.schema import Config
from config.values import Address
from router.outbound.smtp_client import SmtpClient, SmtpServerAddress
from router.ports import GREETING_SUFFIX

SMTP_PORT = 25
# The address of this host on which a server with the wildcard address listens.
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not an address to listen on


def find_servers(config: Config, listening: Sequence[str]) -> tuple[SmtpServerAddress, ...]:
    """Returns the servers in the order in which they are tried.

    A process with an SMTP server uses that. Another one first tries the configured addresses of this host, where
    another process may listen, then the MX hosts.

    Args:
        listening: The addresses of the server of this process; empty without one.
    """
    if listening:
        return _unique(_connectable(Address.parse(text)) for text in listening if not text.startswith("/"))
    configured = config.smtp.listen
    local = [Address("127.0.0.1", SMTP_PORT)] if configured == "systemd" else configured
    remote = sorted(config.server.mx_hosts, key=lambda mx: mx.priority)
    return _unique(
        [
            *(_connectable(address) for address in local if address.port),
            *(SmtpServerAddress(mx.host, SMTP_PORT) for mx in remote),
        ]
    )


def build_client(config: Config) -> SmtpClient:
    settings = config.smtp
    return SmtpClient(
        helo=config.server.hostname,
        greeting=GREETING_SUFFIX,
        proxy_networks=settings.trusted_networks if settings.proxy_protocol else (),
    )


def _connectable(address: Address) -> SmtpServerAddress:
    return SmtpServerAddress(_LOOPBACK.get(address.host, address.host), address.port)


def _unique(servers: Iterable[SmtpServerAddress]) -> tuple[SmtpServerAddress, ...]:
    return tuple(dict.fromkeys(servers))
