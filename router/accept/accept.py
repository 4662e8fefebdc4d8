"""Commits received messages: implements `router.ports.Acceptor`.

`Accept.accept` returns only after the commit. A message with an unreadable header is accepted, too.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence

from router import ids
from router.accept.identities import TicketNumber, may_have_tag, read_ticket_numbers
from router.accept.incoming import (
    MAX_LOOKUPS,
    MAX_PARTICIPANT_ROWS,
    CheckWaits,
    IncomingMail,
    WorkspaceShare,
    limit_per_alias,
)
from router.accept.transaction import Committed
from router.clock import Clock
from router.mail import automatic
from router.mail.headers import HeaderFacts, read_headers
from router.mail.mailboxes import domains_of, normalize_address
from router.mail.returned_ids import NO_IDS, ReturnedIds, find_returned_ids
from router.meter import NULL_METER, Meter
from router.model import Message, Micros
from router.ports import AcceptResult, Waker
from router.reply_tokens import is_own_mark, read_ticket_token
from router.routing.envelope import Envelope
from router.routing.route import Target
from router.routing.routing_cache import RoutingCache
from router.secrets import SecretBox
from router.side_tasks import SideTasks
from router.store.disk_space import FreeSpaceCheck
from router.store.group_commit import GroupWriter

# Hashing a larger message takes longer than a thread switch, so it runs in a thread.
_HASH_IN_THREAD_BYTES = 1024 * 1024


class Accept:
    """Commits messages. `routing` and `check_waits` are given if the senders of messages are checked.

    `box` verifies the tokens of our own mail.
    """

    def __init__(
        self,
        writer: GroupWriter[IncomingMail, Committed],
        wake: Waker,
        clock: Clock,
        box: SecretBox,
        *,
        hostname: str,
        max_age: Micros,
        duplicate_window: Micros,
        max_header_bytes: int,
        routing: RoutingCache | None = None,
        check_waits: CheckWaits | None = None,
        meter: Meter = NULL_METER,
        free_space: FreeSpaceCheck | None = None,
        side_tasks: SideTasks | None = None,
    ) -> None:
        side_tasks = side_tasks or SideTasks()
        self._writer = writer
        self._wake = side_tasks.wrap_waker(wake)
        self._clock = clock
        self._box = box
        self._hostname = hostname
        self._max_age = max_age
        self._duplicate_window = duplicate_window
        self._max_header_bytes = max_header_bytes
        self._routing = routing
        self._check_waits = check_waits
        # As a side task, the meter cannot raise: after the commit, an exception would turn the 250 into a 451.
        self._meter = side_tasks.wrap_meter(meter)
        self._free_space = free_space

    async def accept(self, envelope: Envelope, content: bytes) -> AcceptResult:
        """See `router.ports.Acceptor.accept`."""
        if self._free_space is not None:
            await self._free_space.check()
        facts = read_headers(content, max_bytes=self._max_header_bytes)
        if facts.marks and any(is_own_mark(self._box, mark) for mark in facts.marks):
            facts = facts._replace(automatic="loop", relayed_reply_ids=())
        fingerprint = ""
        if facts.has_message_id or facts.has_date:
            if len(content) > _HASH_IN_THREAD_BYTES:
                fingerprint = await asyncio.to_thread(compute_fingerprint, envelope.reverse_path, content)
            else:
                fingerprint = compute_fingerprint(envelope.reverse_path, content)
        suspicious = await self._find_suspicious(envelope, facts)
        mail = self._prepare(envelope, content, facts, fingerprint, suspicious)
        committed = await self._commit(mail)
        if self._check_waits is None:
            self._wake.wake(committed.due_integrations)
        elif not committed.is_repeat:
            self._wake.wake_checks()
        if committed.has_bounces:
            self._wake.wake_bounces()
        return AcceptResult(committed.message_id, committed.is_repeat)

    async def _commit(self, mail: IncomingMail) -> Committed:
        meter = self._meter
        started_at = self._clock.monotonic()
        try:
            committed = await self._writer.commit(mail)
        finally:
            meter.record_commit(self._clock.monotonic() - started_at)
        meter.record_accept(len(mail.content), is_duplicate=committed.is_repeat)
        meter.record_routing(
            mail.aliases, ticketed=committed.ticketed, duplicates=committed.repeated, queued=committed.queued
        )
        return committed

    async def _find_suspicious(self, envelope: Envelope, facts: HeaderFacts) -> frozenset[str]:
        """Returns the workspaces to which the sender is suspicious before any check."""
        if self._routing is None or self._check_waits is None:
            return frozenset()
        found = []
        shown = facts.from_domains or domains_of([("", envelope.reverse_path)])
        for workspace_id in {target.workspace_id for target in envelope.targets}:
            if await self._routing.find_own_domain(workspace_id, shown):
                found.append(workspace_id)
                continue
            lists = await self._routing.get_sender_lists(workspace_id)
            if not lists.has_blocked:  # which is usual, and saves parsing the addresses
                continue
            listed = lists.decide(envelope.reverse_path, facts.from_address, envelope.peer, authenticated=False)
            if listed.blocked is not None:
                found.append(workspace_id)
        return frozenset(found)

    def _prepare(
        self,
        envelope: Envelope,
        content: bytes,
        facts: HeaderFacts,
        fingerprint: str,
        suspicious: frozenset[str],
    ) -> IncomingMail:
        now = self._clock.now()
        workspaces = _group_targets(envelope.targets, is_report=_may_be_report(envelope, facts))
        returned = _find_returned(envelope, content, facts)
        shares = tuple(
            WorkspaceShare(
                message=build_message(
                    envelope,
                    facts,
                    workspace_id=workspace_id,
                    size=len(content),
                    received_by=self._hostname,
                    received_at=now,
                ),
                by_alias=tuple(tuple(targets) for targets in aliases.values()),
                is_suspicious=workspace_id in suspicious,
                numbers=() if is_bounce else self._read_numbers(workspace_id, aliases, facts),
                returned_numbers=self._read_anchors(workspace_id, returned),
            )
            for (workspace_id, is_bounce), aliases in workspaces.items()
        )
        aliases = sum(len(share.by_alias) for share in shares)
        return IncomingMail(
            shares=shares,
            aliases=aliases,
            content=content,
            fingerprint=fingerprint,
            reference_ids=limit_per_alias(facts.reference_ids, aliases, MAX_LOOKUPS),
            participants=limit_per_alias(facts.participants, aliases, MAX_PARTICIPANT_ROWS),
            author=facts.author or normalize_address(envelope.reverse_path),
            relayed_reply_ids=facts.relayed_reply_ids if envelope.reverse_path else (),
            expires_at=now + self._max_age,
            horizon=now - self._duplicate_window,
            check_waits=self._check_waits,
            returned=returned,
        )

    def _read_numbers(
        self, workspace_id: str, aliases: Mapping[str, Sequence[Target]], facts: HeaderFacts
    ) -> tuple[TicketNumber, ...]:
        """Returns the tickets that tokens of the message name. Most messages have none, so this is checked first."""
        has_tag = any(target.tag for targets in aliases.values() for target in targets)
        if not (has_tag or facts.reference_ids or may_have_tag(facts.participants)):
            return ()
        return read_ticket_numbers(self._box, workspace_id, aliases.values(), facts.participants, facts.reference_ids)

    def _read_anchors(self, workspace_id: str, returned: ReturnedIds) -> tuple[int, ...]:
        found = (read_ticket_token(self._box, workspace_id, token) for token in returned.anchors)
        return tuple(number for number in found if number is not None)


def _group_targets(targets: Collection[Target], *, is_report: bool) -> dict[tuple[str, bool], dict[str, list[Target]]]:
    """Groups targets by alias, for each workspace and for whether they are those of a bounce.

    A bounce is a message of its own, because a message has one kind. If a message is addressed to the token of a ticket
    and to the alias of this ticket, it joins the ticket once. A report joins it whatever the other aliases are: it
    opens no ticket. The targets with a token come first.
    """
    answered = {(each.workspace_id, each.ticket.address) for each in targets if each.ticket is not None}
    with_token = {workspace_id for workspace_id, _ in answered}
    groups: dict[tuple[str, bool], dict[str, list[Target]]] = {}
    for target in sorted(targets, key=lambda each: each.ticket is None) if answered else targets:
        is_bounce = target.ticket is not None
        if answered and not is_bounce:
            is_answered = (target.workspace_id, target.address) in answered
            is_bounce = is_answered or (is_report and target.workspace_id in with_token)
        groups.setdefault((target.workspace_id, is_bounce), {}).setdefault(target.alias_key, []).append(target)
    return groups


def _may_be_report(envelope: Envelope, facts: HeaderFacts) -> bool:
    return facts.automatic == "bounce" or not envelope.reverse_path


def _find_returned(envelope: Envelope, content: bytes, facts: HeaderFacts) -> ReturnedIds:
    """Returns our ids in the content of a message that may report about our own mail. Others are not scanned."""
    if not _may_be_report(envelope, facts):
        return NO_IDS
    return find_returned_ids(content)


def compute_fingerprint(reverse_path: str, content: bytes) -> str:
    """Returns the SHA-256 of the reverse-path and the content, in hexadecimal."""
    digest = hashlib.sha256(reverse_path.encode("utf-8", "surrogatepass"))
    digest.update(b"\0")
    digest.update(content)
    return digest.hexdigest()


def build_message(
    envelope: Envelope, facts: HeaderFacts, *, workspace_id: str, size: int, received_by: str, received_at: Micros
) -> Message:
    """Returns the message row for one workspace, with a new id."""
    return Message(
        id=ids.new_id("msg"),
        workspace_id=workspace_id,
        reverse_path=envelope.reverse_path,
        helo=envelope.helo,
        peer=envelope.peer,
        protocol=envelope.protocol,
        tls=envelope.tls,
        received_by=received_by,
        size=size,
        received_at=received_at,
        rfc_message_id=facts.rfc_message_id,
        reference_ids=json.dumps(facts.reference_ids) if facts.reference_ids else "[]",
        from_address=facts.from_address or envelope.reverse_path,
        from_name=facts.from_name,
        subject=facts.subject,
        sent_at=facts.sent_at,
        automatic=automatic.classify_message(
            facts.automatic,
            null_reverse_path=not envelope.reverse_path,
            subject=facts.subject,
            is_reply=bool(facts.reference_ids),
        ),
    )
