"""Recognises the mail provider of a domain by its MX hosts, and explains how forwarding is set up there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MailProvider:
    """A provider of mailboxes.

    Attributes:
        key: A short identifier that never changes.
        mx_pattern: A regular expression that matches a complete MX host in lower case, without trailing dot.
        forwarding_steps: How one address is forwarded to another, as sentences in Markdown.
        sends_confirmation: Whether the provider first sends a confirmation message to the new address.
        blocks_forwarding: Whether the provider blocks forwarding to other mail systems by default.
    """

    key: str
    name: str
    mx_pattern: str
    forwarding_steps: tuple[str, ...]
    sends_confirmation: bool = False
    blocks_forwarding: bool = False

    def receives_at(self, host: str) -> bool:
        return re.fullmatch(self.mx_pattern, host) is not None


PROVIDERS: tuple[MailProvider, ...] = (
    MailProvider(
        key="google",
        name="Google Workspace",
        mx_pattern=r"smtp\.google\.com|(alt[1-9]\.)?aspmx\.l\.google\.com|([a-z0-9-]+\.)+googlemail\.com",
        forwarding_steps=(
            "In Gmail, sign in as the mailbox that receives the address, open **Settings**, "
            "**Forwarding and POP/IMAP**, and choose **Add a forwarding address**.",
            "Gmail sends a confirmation message to the new address. It becomes a ticket: open its link or enter its "
            "code, then choose **Forward a copy of incoming mail**.",
            "Without a mailbox of its own, an administrator can add the address in the Admin console under **Apps**, "
            "**Google Workspace**, **Gmail**, **Routing**, **Email forwarding using recipient address map**. This "
            "needs no confirmation.",
        ),
        sends_confirmation=True,
    ),
    MailProvider(
        key="microsoft",
        name="Microsoft 365",
        mx_pattern=r"([a-z0-9-]+\.)+(mail\.protection\.(outlook\.com|office365\.us|partner\.outlook\.cn)|mx\.microsoft)",
        forwarding_steps=(
            "Forwarding to other mail systems is blocked by default, and senders get `550 5.7.520`. An administrator "
            "allows it in the Microsoft Defender portal under **Policies & rules**, **Threat policies**, "
            "**Anti-spam**: add an outbound policy for this mailbox with **Automatic forwarding rules** on.",
            "Then, in the Exchange admin center under **Recipients**, **Mailboxes**, open the mailbox, choose "
            "**Manage mail flow settings**, **Email forwarding**, and enter the new address.",
        ),
        blocks_forwarding=True,
    ),
    MailProvider(
        key="zoho",
        name="Zoho Mail",
        mx_pattern=r"mx[1-9]?\.(zoho(mail)?|zohocloud)\.[a-z]{2,3}(\.[a-z]{2})?",
        forwarding_steps=(
            "Sign in as the mailbox that receives the address, open **Settings**, **Mail Accounts**, and add the new "
            "address under **Forwards**.",
            "Zoho sends a confirmation message to the new address. It becomes a ticket: open its link and sign in to "
            "Zoho, or enter its code.",
        ),
        sends_confirmation=True,
    ),
    MailProvider(
        key="fastmail",
        name="Fastmail",
        mx_pattern=r"in[1-9]-smtp\.messagingengine\.com",
        forwarding_steps=(
            "Open **Settings**, **My email addresses**, choose the address and set the new address as its target. To "
            "keep a copy at Fastmail, create a rule under **Filters & Rules** with **Send a copy to** instead.",
            "Turn off subdomain addressing of the domain under **Settings**, **Domains**: otherwise Fastmail can "
            "keep the mail to a subdomain instead of sending it to the MX records of the subdomain.",
        ),
    ),
    MailProvider(
        key="proton",
        name="Proton Mail",
        mx_pattern=r"(mail|mailsec)\.protonmail\.ch",
        forwarding_steps=(
            "Open **Settings**, **All settings**, **Proton Mail**, **Auto-reply and forward**, and choose "
            "**Add forwarding rule**. This needs a paid plan.",
            "Proton sends a confirmation message to the new address. It becomes a ticket: open its link to accept.",
            "End-to-end encryption is turned off for an address that forwards to another mail system.",
        ),
        sends_confirmation=True,
    ),
    MailProvider(
        key="icloud",
        name="iCloud Mail",
        mx_pattern=r"mx0[1-9]\.mail\.icloud\.com",
        forwarding_steps=(
            "On iCloud.com, open **Mail**, **Settings**, **Rules**, and add a rule that forwards messages to the "
            "address to the new address.",
            "**Mail Forwarding** in the same settings forwards all mail of the account, not only this address.",
        ),
    ),
)


def find_provider(hosts: Iterable[str]) -> MailProvider | None:
    """Returns the provider of the first host that belongs to one. The hosts are in order of preference."""
    return next((provider for host in hosts for provider in PROVIDERS if provider.receives_at(host)), None)
