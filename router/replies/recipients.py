"""Chooses and checks the recipients of a reply."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from router.contents.store import ContentStore
from router.enumerations import RecipientField
from router.errors import Refused
from router.mail.address import AddressError, parse_mailbox
from router.mail.contents import NamedMailbox
from router.mail.mailboxes import domains_of, normalize_address
from router.mail.originator_fields import drop_if_same, read_destinations
from router.ports import RecipientResolver
from router.replies.answered_message import TicketMail, choose_answered
from router.replies.build import ReplyAddress
from router.routing.route import Target

# Recipients in To, Cc and Bcc together. Each one is an SMTP transaction.
MAX_RECIPIENTS = 20
MAX_VALUE_LENGTH = 600  # characters of a name with an address
_NAMED = re.compile(r'\s*(?:"([^"]*)"\s*|([^<>"]*))<([^<>]*)>\s*')
_UNQUOTABLE = re.compile(r'["<>\\]')
_SPECIAL = re.compile(r"[(),:;@\[\]]")
_NO_REPLY = re.compile(r"(?:no|do-?not|dont)[-_.]?reply\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DefaultRecipients:
    """Whom a reply goes to if its author names nobody.

    Attributes:
        to: At most one address; empty if there is none that can be answered.
        reply_all_cc: Whom `replyAll` adds.
        new_senders: The authors who joined as strangers, newest first, except those in `to`.
        warning: What the author should check; `""` for nothing.
    """

    to: tuple[NamedMailbox, ...] = ()
    reply_all_cc: tuple[NamedMailbox, ...] = ()
    new_senders: tuple[NamedMailbox, ...] = ()
    warning: str = ""


class RecipientChooser:
    """Chooses recipients. An address that this installation receives is never one: it would answer itself."""

    def __init__(self, contents: ContentStore, resolver: RecipientResolver) -> None:
        self._contents = contents
        self._resolver = resolver

    async def choose(self, received: Sequence[TicketMail]) -> DefaultRecipients:
        """Returns the recipients of a reply to the newest of the mails that a ticket received."""
        answered = choose_answered(received)
        strangers = [NamedMailbox(mail.from_address, mail.from_name) for mail in received if mail.is_new_sender]
        if answered is None:
            return DefaultRecipients(new_senders=await self._without_own(strangers))
        to, warning = await self._choose_author(answered)
        return DefaultRecipients(
            to=to,
            reply_all_cc=await self._choose_others(answered, to),
            new_senders=await self._without_own(strangers, to),
            warning=warning,
        )

    async def find_own(self, addresses: Iterable[str]) -> list[str]:
        """Returns those of the addresses that this installation receives, for any of its workspaces."""
        return [address for address in addresses if await self._is_own(address)]

    async def _choose_author(self, mail: TicketMail) -> tuple[tuple[NamedMailbox, ...], str]:
        """Returns the address of Reply-To if there is exactly one, else From; and a warning."""
        contents = await self._contents.get(mail.message_id)
        author = NamedMailbox(mail.from_address, mail.from_name)
        reply_to = drop_if_same(mail.from_address, contents.reply_to)
        candidates = [*(reply_to if len(reply_to) == 1 else ()), author]
        if contents.original_from is not None:
            candidates.append(contents.original_from)
        chosen = (await self._without_own(candidates))[:1]
        if not chosen:
            return (), ""
        address = chosen[0].address
        if chosen[0] in reply_to and not _have_related_domains(address, mail.from_address):
            return chosen, f"Replies go to {address}, another domain than that of the sender {mail.from_address}."
        if is_no_reply(address):
            return chosen, f"{address} probably does not read answers."
        return chosen, ""

    async def _choose_others(self, mail: TicketMail, chosen: Sequence[NamedMailbox]) -> tuple[NamedMailbox, ...]:
        start = await self._contents.read_start(mail.message_id)
        others = [mailbox for mailbox in read_destinations(start) if not is_no_reply(mailbox.address)]
        return await self._without_own(others, chosen)

    async def _without_own(
        self, mailboxes: Iterable[NamedMailbox], excluded: Iterable[NamedMailbox] = ()
    ) -> tuple[NamedMailbox, ...]:
        """Returns the mailboxes outside of this installation, without duplicates and the excluded ones."""
        seen = {normalize_address(mailbox.address) for mailbox in excluded}
        found = []
        for mailbox in mailboxes:
            key = normalize_address(mailbox.address)
            if key not in seen and is_address(mailbox.address) and not await self._is_own(mailbox.address):
                found.append(mailbox)
            seen.add(key)
        return tuple(found)

    async def _is_own(self, address: str) -> bool:
        return isinstance(await self._resolver.resolve(parse_mailbox(address)), Target)


def parse_recipients(values: Iterable[str], field: RecipientField) -> list[ReplyAddress]:
    """Parses `eva@example.net` and `Eva <eva@example.net>`. Raises `invalid_recipient`."""
    return [_parse_recipient(value, field) for value in values]


def format_recipient(mailbox: NamedMailbox) -> str:
    """Returns the text that `parse_recipients` parses; without a name that is too long."""
    name = _UNQUOTABLE.sub("", mailbox.name).strip()
    if not name or len(name) + len(mailbox.address) + len('"" <>') > MAX_VALUE_LENGTH:
        return mailbox.address
    return f'"{name}" <{mailbox.address}>' if _SPECIAL.search(name) else f"{name} <{mailbox.address}>"


def drop_duplicates(recipients: Iterable[ReplyAddress]) -> list[ReplyAddress]:
    """Keeps the first of the recipients with the same address."""
    distinct: dict[str, ReplyAddress] = {}
    for recipient in recipients:
        distinct.setdefault(normalize_address(recipient.address), recipient)
    return list(distinct.values())


def is_address(text: str) -> bool:
    try:
        return bool(parse_mailbox(text).domain)
    except AddressError:
        return False


def is_no_reply(address: str) -> bool:
    return _NO_REPLY.match(address) is not None


def _parse_recipient(value: str, field: RecipientField) -> ReplyAddress:
    named = _NAMED.fullmatch(value) if len(value) <= MAX_VALUE_LENGTH else None
    name, address = ((named[1] or named[2] or "").strip(), named[3]) if named else ("", value)
    try:
        mailbox = parse_mailbox(address.strip())
    except AddressError as error:
        raise Refused("invalid_recipient", f"{value[:100]!r} is not a valid address: {error}", field) from None
    if not mailbox.domain:
        raise Refused("invalid_recipient", f"{value[:100]!r} is not a valid address: it has no domain", field)
    return ReplyAddress(str(mailbox), name, field)


def _have_related_domains(first: str, second: str) -> bool:
    """Whether the domains are equal, or one is below the other."""
    domains = domains_of([("", first), ("", second)])
    return len(domains) == 1 or any(shorter.endswith(f".{longer}") for shorter, longer in (domains, domains[::-1]))
