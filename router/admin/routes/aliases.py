"""The aliases of a workspace. An alias posts the messages of an address to an integration.

The local part `*` denotes the catch-all of a domain. Deleting an alias keeps its tickets.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from router import ids
from router.admin import audit, validation
from router.admin.fetch import fetch_by_id, fetch_page, lock_integration
from router.admin.paging import DEFAULT_LIMIT, Page
from router.admin.routes.reply_settings import NO_CHANGE, ReplySettingsChange, change_reply_settings
from router.admin.routes.test_mail import TestMail, TestMailService
from router.checks import policy
from router.clock import Clock
from router.enumerations import ALIAS_STATUS
from router.errors import Refused
from router.filters import AliasFilter
from router.mail.address import (
    MAX_LOCAL_PART_BYTES,
    MAX_MAILBOX_BYTES,
    AddressError,
    local_key,
    parse_mailbox,
)
from router.model import Actor, Alias, Domain
from router.reply_tokens import find_bounce_token, find_ticket_tag
from router.routing.route import CATCH_ALL
from router.store.database import Database, QueryExecutor, fetch_model
from router.store.fragments import model_values

# Unicode separators, control and format characters, surrogates, private use and unassigned code points.
_INVISIBLE_CATEGORIES = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"})
_ALL_ALIASES = AliasFilter()
_QUOTED = re.compile(r'"([^"\\]*)"')


@dataclass(frozen=True, slots=True)
class LocalPart:
    """A local part as written, and the key by which it is compared."""

    written: str
    key: str


class AliasService:
    """Manages aliases. `on_routing_change` is called after the commit of a change that affects routing."""

    def __init__(
        self, database: Database, clock: Clock, tester: TestMailService, *, on_routing_change: Callable[[], None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._tester = tester
        self._on_routing_change = on_routing_change

    async def list(
        self,
        actor: Actor,
        alias_filter: AliasFilter = _ALL_ALIASES,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[Alias]:
        if alias_filter.domain_id is not None:
            await _fetch_domain(self._database, actor, alias_filter.domain_id, "domain_by_id")
        return await fetch_page(
            self._database, actor, Alias, "alias_page", limit=limit, cursor=cursor, **alias_filter.parameters()
        )

    async def get(self, actor: Actor, alias_id: str) -> Alias:
        return await _fetch_alias(self._database, actor, alias_id)

    async def create(
        self,
        actor: Actor,
        *,
        domain_id: str,
        local_part: str,
        integration_id: str,
        forwarded_from: str | None = None,
        sender_checks: Mapping[str, object] | None = None,
        reply_settings: ReplySettingsChange = NO_CHANGE,
    ) -> Alias:
        """Creates an alias, which accepts mail once its domain is verified.

        `forwarded_from` is a note: the address elsewhere that forwards to the alias. Without one, it is None or "".
        `sender_checks` has what differs from the workspace, by field name of `CheckPolicy`.

        Raises `alias_taken` if the address already has an alias.
        """
        async with self._database.transaction() as transaction:
            domain = await _fetch_domain(transaction, actor, domain_id, "domain_lock")
            local = normalize_local_part(local_part, domain.name)
            await lock_integration(transaction, actor, integration_id, "integrationId")
            alias = Alias(
                id=ids.new_id("alias"),
                workspace_id=actor.workspace_id,
                domain_id=domain.id,
                domain=domain.name,
                local_part=local.written,
                local_key=local.key,
                integration_id=integration_id,
                status="active",
                created_at=self._clock.now(),
                check_policy=policy.change_overrides("{}", sender_checks or {}),
            )
            alias = _set_forwarded_from(alias, forwarded_from or "")
            alias, reply_details = await change_reply_settings(transaction, actor, alias, reply_settings)
            if not await transaction.execute("alias_insert", **model_values(alias)):
                raise Refused("alias_taken", f"{alias.email} already exists", "localPart")
            await transaction.execute("routing_increment_version")
            details = _created_details(alias) | reply_details
            await audit.record(transaction, actor, alias.created_at, "alias.create", alias.id, **details)
        self._on_routing_change()
        return alias

    async def change(
        self,
        actor: Actor,
        alias_id: str,
        *,
        integration_id: str | None = None,
        status: str | None = None,
        forwarded_from: str | None = None,
        sender_checks: Mapping[str, object] | None = None,
        reply_settings: ReplySettingsChange = NO_CHANGE,
    ) -> Alias:
        """Changes the given fields; None keeps a value, and "" removes `forwarded_from`.

        Existing deliveries keep their integration. In `sender_checks` (see `create`), a value of None removes an
        override, so that the alias inherits the setting of the workspace.
        """
        validation.validate_id(alias_id, "alias", "Alias")
        new_status = None if status is None else ALIAS_STATUS.parse(status)
        async with self._database.transaction() as transaction:
            alias = await _fetch_alias(transaction, actor, alias_id, "alias_lock")
            if integration_id is not None:
                await lock_integration(transaction, actor, integration_id, "integrationId")
            changed = replace(
                alias,
                integration_id=integration_id or alias.integration_id,
                status=new_status or alias.status,
                check_policy=policy.change_overrides(alias.check_policy, sender_checks or {}),
            )
            changed, reply_details = await change_reply_settings(transaction, actor, changed, reply_settings)
            if forwarded_from is not None:
                changed = _set_forwarded_from(changed, forwarded_from)
            await _update(transaction, changed)
            await transaction.execute("routing_increment_version")
            await audit.record(
                transaction,
                actor,
                self._clock.now(),
                "alias.change",
                alias.id,
                email=alias.email,
                integrationId=integration_id,
                status=status,
                forwardedFrom=None if forwarded_from is None else changed.forwarded_from or "",
                **_audited_checks(changed, sender_checks),
                **reply_details,
                before=_audited_values(alias) | _audited_checks(alias, sender_checks),
            )
        self._on_routing_change()
        return changed

    async def delete(self, actor: Actor, alias_id: str) -> None:
        validation.validate_id(alias_id, "alias", "Alias")
        async with self._database.transaction() as transaction:
            alias = await _fetch_alias(transaction, actor, alias_id)
            await transaction.execute("alias_delete", id=alias.id, workspace_id=actor.workspace_id)
            await transaction.execute("routing_increment_version")
            await audit.record(transaction, actor, self._clock.now(), "alias.delete", alias.id, email=alias.email)
        self._on_routing_change()

    async def test(self, actor: Actor, alias_id: str) -> TestMail:
        """Sends a test message to an alias. Raises `conflict` if the alias would not receive it."""
        alias = await _fetch_alias(self._database, actor, alias_id)
        result = await self._tester.send(alias)
        async with self._database.transaction() as transaction:
            await audit.record(
                transaction,
                actor,
                self._clock.now(),
                "alias.test",
                alias.id,
                email=alias.email,
                messageId=result.message_id,
            )
        return result


async def _fetch_alias(transaction: QueryExecutor, actor: Actor, alias_id: str, query: str = "alias_by_id") -> Alias:
    return await fetch_by_id(transaction, actor, Alias, query, alias_id)


async def _update(transaction: QueryExecutor, alias: Alias) -> None:
    values = model_values(alias)
    for fixed in ("domain_id", "local_part", "local_key", "created_at"):
        del values[fixed]
    await transaction.execute("alias_update", **values)


def _set_forwarded_from(alias: Alias, text: str) -> Alias:
    address = normalize_forwarded_from(text, (alias.domain, alias.local_key))
    return replace(alias, forwarded_from=address or None)


def normalize_forwarded_from(text: str, alias_key: tuple[str, str], field: str = "forwardedFrom") -> str:
    """Returns the address with its domain in A-labels; "" for a blank text.

    `alias_key` is the domain and the local key of the alias, which cannot forward to itself. Raises `Refused`.
    """
    if not text.strip():
        return ""
    line = validation.validate_line(text, field, max_length=MAX_MAILBOX_BYTES)
    try:
        mailbox = parse_mailbox(line)
    except AddressError as error:
        raise Refused("invalid_request", f"{field} is not a valid email address: {error}", field) from None
    if not mailbox.domain or mailbox.domain.startswith("["):
        raise Refused("invalid_request", f"{field} must be an address at a domain, such as help@example.com", field)
    if (mailbox.domain_key, mailbox.local_key) == alias_key:
        raise Refused("invalid_request", f"{field} must not be the address of the alias itself", field)
    return str(replace(mailbox, domain=mailbox.domain_key))


async def _fetch_domain(transaction: QueryExecutor, actor: Actor, domain_id: str, query: str) -> Domain:
    domain = await fetch_model(transaction, Domain, query, id=domain_id, workspace_id=actor.workspace_id)
    if domain is None:
        raise Refused("not_found", "Domain not found", "domainId")
    return domain


def normalize_local_part(text: str, domain: str) -> LocalPart:
    """Normalises a local part.

    Raises `Refused("invalid_alias")` if it is malformed, needs quotes (RFC 5321 section 4.1.2) or has the form of the
    addresses by which bounces and answers find their tickets (`router.reply_tokens`).
    """
    line = validation.validate_line(text, "localPart", max_length=MAX_LOCAL_PART_BYTES, code="invalid_alias")
    if line == CATCH_ALL:
        return LocalPart(CATCH_ALL, CATCH_ALL)
    if quoted := _QUOTED.fullmatch(line):
        line = quoted[1]  # as in "support"; a local part that needs quotes is rejected below
    if "@" in line:
        raise _rejection("enter only the part before the @")
    if any(unicodedata.category(character) in _INVISIBLE_CATEGORIES for character in line):
        raise _rejection("it contains a space or an invisible character")
    try:
        mailbox = parse_mailbox(f"{line}@{domain}")
    except AddressError as error:
        raise _rejection(str(error)) from None
    if find_bounce_token(mailbox.local_part) or find_ticket_tag(mailbox.local_part.partition("+")[2]):
        raise _rejection("b-… and +t-… with 26 letters and digits are reserved for answers to replies")
    return LocalPart(mailbox.local_part, local_key(mailbox.local_part))


def _rejection(reason: str) -> Refused:
    return Refused("invalid_alias", f"Local part is invalid: {reason}", "localPart")


def _created_details(alias: Alias) -> dict[str, object]:
    """Returns what the audit log has of a new alias, beside its reply settings."""
    return {
        "email": alias.email,
        "integrationId": alias.integration_id,
        "forwardedFrom": alias.forwarded_from,
        **_audited_checks(alias, policy.read_overrides(alias.check_policy)),
    }


def _audited_checks(alias: Alias, changes: Mapping[str, object] | None) -> dict[str, str]:
    return policy.audited_values(policy.read_overrides(alias.check_policy), changes or ())


def _audited_values(alias: Alias) -> dict[str, str | None]:
    return {
        "integrationId": alias.integration_id,
        "status": alias.status,
        "forwardedFrom": alias.forwarded_from or "",
    }
