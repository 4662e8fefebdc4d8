"""Inserts delivery attempts and past messages."""

from dataclasses import dataclass

from router import ids
from router.clock import SECOND
from tests.support import seeds
from tests.support.installation import Installation


async def record_attempt(installation: Installation, delivery_id: str, outcome: str, status: int, answer: str) -> None:
    await seeds.insert_attempt(
        installation.database,
        delivery_id,
        at=installation.clock.now(),
        outcome=outcome,
        status=status,
        latency=120_000,
        answer=answer,
    )


@dataclass(frozen=True)
class PastMessage:
    """A message received `days` ago, whose ticket was claimed after 600 s and resolved after 7200 s."""

    days: float
    number: int
    dead: bool = False


async def insert_past_messages(installation: Installation, *mails: PastMessage, workspace_id: str = "") -> None:
    """Inserts messages with times before the current time of the system clock, not of the test clock."""
    workspace = workspace_id or installation.actor.workspace_id
    rows: dict[str, list[str]] = {"messages": [], "tickets": [], "deliveries": []}
    for mail in mails:
        moment = ids.timestamp_ms(ids.first_id_within("msg", mail.days * 86_400))
        tail = ids.first_id_at("msg", moment).partition("_")[2][:-16] + f"{mail.number:016d}"
        at = moment * 1000
        state, delivered = ("dead", "NULL") if mail.dead else ("delivered", str(at + SECOND // 4))
        rows["messages"].append(f"'msg_{tail}', '{workspace}', {at}")
        rows["tickets"].append(
            f"'ticket_{tail}', '{workspace}', {mail.number}, {at + 600 * SECOND}, {at + 7200 * SECOND}, {at}, {at}"
        )
        rows["deliveries"].append(
            f"'dlv_{tail}', '{workspace}', 'ticket_{tail}', 'msg_{tail}', '{state}', {at}, {delivered}, {at}"
        )
    for table, columns, rest, values in (
        (
            "messages",
            "id, workspace_id, received_at",
            "reverse_path, helo, peer, protocol, tls, received_by, size, rfc_message_id, reference_ids, "
            "from_address, from_name, subject, automatic",
            "'', '', '', 'ESMTP', '', '', 1, '', '[]', 'ada@customer.test', '', 'Old', ''",
        ),
        (
            "tickets",
            "id, workspace_id, number, claimed_at, resolved_at, received_at, updated_at",
            "address, subject, from_address, from_name, status",
            "'support@example.org', 'Old', 'ada@customer.test', '', 'resolved'",
        ),
        (
            "deliveries",
            "id, workspace_id, ticket_id, message_id, state, expires_at, delivered_at, created_at",
            "integration_id, event",
            "'int_none', 'opened'",
        ),
    ):
        listed = ", ".join(f"({row}, {values})" for row in rows[table])
        await installation.execute(f"INSERT INTO {table} ({columns}, {rest}) VALUES {listed}")


async def insert_month(installation: Installation) -> None:
    messages = (PastMessage(1 + n % 7 * n / 5.5, 1000 + n, dead=n % 11 == 3) for n in range(24))
    await insert_past_messages(installation, *messages)
