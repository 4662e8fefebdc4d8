"""Finds out whether another server receives the mail of a domain, and what a change of its MX records means. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from router.dns.mail_providers import MailProvider, find_provider
from router.dns.resolver import MxRecord

TXT_LABEL = "_emailrouter"
# A DNS name has at most 253 characters, and the name of the TXT record starts with `_emailrouter.`.
MAX_DOMAIN_LENGTH = 253 - len(f"{TXT_LABEL}.")
_PRIVATE_SUFFIXES = (".local", ".localdomain", ".internal")


@dataclass(frozen=True, slots=True)
class OtherReceiver:
    """Servers of others that receive the mail of a domain.

    Attributes:
        records: Their MX records, lowest number first.
        provider: The known provider of the first of them that has one.
    """

    records: tuple[MxRecord, ...]
    provider: MailProvider | None

    @property
    def name(self) -> str:
        """The subject of a sentence: `Google Workspace`, or `Another server (mx.example.net)`."""
        return self.provider.name if self.provider else f"Another server ({self.records[0].host})"


def normalize_host(host: str) -> str:
    return host.strip().rstrip(".").lower()


def find_private_name(mx_hosts: Sequence[tuple[str, int]]) -> str:
    """Returns the first host whose name the public DNS cannot contain, such as `localhost`, or ""."""
    return next((host for host, _ in mx_hosts if not is_public_name(host)), "")


def is_public_name(host: str) -> bool:
    name = normalize_host(host)
    return "." in name and not name.endswith(_PRIVATE_SUFFIXES)


def warn_of_private_name(host: str) -> str:
    return (
        f"{host} is not a public host name, so no mail could arrive. Before you create the MX record, set [server] "
        'hostname to the full name of this host in the public DNS, like "mx1.example.com", and restart the program.'
    )


def find_other_receiver(records: Sequence[MxRecord], mx_hosts: Sequence[tuple[str, int]]) -> OtherReceiver | None:
    """Returns the servers that senders try before this installation, or together with it. A null MX is no server.

    `mx_hosts` are (host, priority) pairs of this installation.
    """
    own_hosts = {normalize_host(host) for host, _ in mx_hosts}
    best = min((record.preference for record in records if record.host in own_hosts), default=None)
    others = tuple(
        record
        for record in sorted(records)
        if record.host and record.host not in own_hosts and (best is None or record.preference <= best)
    )
    return OtherReceiver(others, find_provider(record.host for record in others)) if others else None


def suggest_subdomain(domain: str) -> str:
    """Returns a subdomain for the mail of this installation, such as `help.example.com`; "" if it is too long."""
    label, parent = ("support", domain.removeprefix("help.")) if domain.startswith("help.") else ("help", domain)
    name = f"{label}.{parent}"
    return name if len(name) <= MAX_DOMAIN_LENGTH else ""


def warn_of_move(domain: str, receiver: OtherReceiver) -> str:
    """Explains who receives the mail of a domain now, and what pointing its MX records here changes."""
    subdomain = suggest_subdomain(domain)
    instead = (
        f" To keep them, leave the MX records as they are, add {subdomain} here instead, and forward single addresses "
        "to it."
        if subdomain
        else ""
    )
    return (
        f"{receiver.name} receives the mail of {domain}. Pointing its MX records to this installation moves all mail "
        f"of {domain}: the mailboxes there receive nothing more.{instead}"
    )
