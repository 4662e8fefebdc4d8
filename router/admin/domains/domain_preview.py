"""The preview of a domain: who receives its mail now, and what adding it here means. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from router.dns.mail_providers import MailProvider
from router.dns.receivers import find_other_receiver, suggest_subdomain, warn_of_move
from router.dns.resolver import DnsFailure, DnsRecords, MxRecord, NoDnsRecord


@dataclass(frozen=True, slots=True)
class DomainPreview:
    """What the MX records of a name say before it is added as a domain.

    Attributes:
        name: The domain in A-labels, as it would be added.
        mx: The MX records found, such as `10 mx.example.net`, lowest number first.
        failure: Why the MX records could not be read; "" if they were read.
        receiver: Who receives the mail now, such as `Google Workspace`; "" if no other server does.
        provider: The known provider that receives the mail; None for an unknown server.
        moves_all_mail: Whether pointing the MX records here takes the mail from another server.
        suggested_subdomain: The subdomain to add instead, such as `help.example.com`; "" if the domain moves no mail.
        name_without_www: For a name such as `www.example.com`, the domain that was probably meant; "" for others.
        domain_id: The id of this domain in the workspace; "" if it is not added yet.
        warning: What changing the MX records means, in a few sentences; "" if it moves no mail.
    """

    name: str
    mx: tuple[str, ...] = ()
    failure: str = ""
    receiver: str = ""
    provider: MailProvider | None = None
    moves_all_mail: bool = False
    suggested_subdomain: str = ""
    name_without_www: str = ""
    warning: str = ""
    domain_id: str = ""


def build_preview(
    name: str, answer: DnsRecords[MxRecord] | NoDnsRecord | DnsFailure, mx_hosts: Sequence[tuple[str, int]]
) -> DomainPreview:
    """`answer` has the MX records of the name; `mx_hosts` are (host, priority) pairs of this installation."""
    without_www = name.removeprefix("www.")
    name_without_www = without_www if without_www != name and "." in without_www else ""
    if isinstance(answer, DnsFailure):
        return DomainPreview(name, failure=answer.reason, name_without_www=name_without_www)
    records = answer.values if isinstance(answer, DnsRecords) else ()
    mx = tuple(f"{record.preference} {record.host or '.'}" for record in records)
    receiver = find_other_receiver(records, mx_hosts)
    if receiver is None:
        return DomainPreview(name, mx, name_without_www=name_without_www)
    return DomainPreview(
        name,
        mx,
        receiver=receiver.name,
        provider=receiver.provider,
        moves_all_mail=True,
        suggested_subdomain=suggest_subdomain(name),
        name_without_www=name_without_www,
        warning=warn_of_move(name, receiver),
    )
