"""Fills an installation with many rows, mostly by SQL.

The tickets are one minute apart. For searches, they have frequent words, rare words, and a word that only old tickets
have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.installation import BenchInstallation
from router import ids
from router.admin.access.keys import KeyService
from router.admin.access.users import UserService
from router.clock import SystemClock
from router.model import Actor
from router.search import terms
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase

# Of 1000 tickets, 900 belong to the first alias, 95 to the second, 5 to other aliases or to none. Most of the newest
# 20,000 are open, nearly all older ones are resolved. A quarter of all tickets is assigned, mostly to one user.
# One ticket of 20 is high or low; few are urgent.
# Spam is open and unassigned, has the priority `normal`, and the words of other tickets.
_SPAM = "n * 7919 % 100 < {spam}"
_PRIORITY = """CASE WHEN {spam} THEN 'normal' WHEN n % 1009 = 0 THEN 'urgent' WHEN n % 20 = 0 THEN 'high'
    WHEN n % 20 = 1 THEN 'low' ELSE 'normal' END"""
_STATUS = """CASE WHEN {spam} THEN 'open' WHEN n % 9973 = 0 THEN 'waiting' WHEN n % 997 = 0 THEN 'in_progress'
    WHEN n > {count} - 20000 AND n % 3 <> 0 OR n % 4999 = 0 THEN 'open' ELSE 'resolved' END"""
_ALIAS = "CASE WHEN n % 1000 < 900 THEN 0 WHEN n % 1000 < 995 THEN 1 ELSE 2 + n % 997 END"
_ASSIGNEE = "CASE WHEN {spam} THEN NULL WHEN n % 400 = 1 THEN 1 + n % 49 WHEN n % 4 = 1 THEN 0 END"
# `invoice` is in every tenth ticket, but in no assigned one and never together with `odd`. `desk` is in every third
# ticket that does not belong to the first alias. `telefax` is in every third ticket of the older half. Of a million
# tickets, 111,112 have a word that begins with `order1`.
_WORDS = """CASE WHEN n % 10 = 0 THEN ' invoice' ELSE '' END || CASE WHEN n % 150 = 0 THEN ' printer' ELSE '' END
    || CASE WHEN n % 2000 = 0 THEN ' refund' ELSE '' END || CASE WHEN n % 2 = 1 THEN ' odd' ELSE '' END
    || CASE WHEN n % 1000 >= 900 AND n % 3 = 0 THEN ' desk' ELSE '' END
    || CASE WHEN n < {count} / 2 AND n % 3 = 0 THEN ' telefax' ELSE '' END || ' order' || n"""
# Filler words: each ticket has one of t2x0 and t2x1, one of t3x0, t3x1 and t3x2, and so on for each number.
_TEXT = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71]
_TEXT += (101, 151, 211, 307, 401, 503, 701, 1009, 2003, 4001, 8009, 16001, 32003, 64007)
# The tickets of each tag.
TAGS = {"all": "number > 0", "tenth": "number % 10 = 0", "single": "number = 1"}
_SENTENCE = "Hello, my order has not arrived yet: can you tell me what it waits for and when I get it? "
_APART = 60_000  # milliseconds between two tickets
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # the alphabet of `router.ids`
_MINUTE = 60_000_000  # microseconds


@dataclass
class Dataset:
    """The ids and the API key of a created installation with `count` tickets.

    `last` is the time of the newest ticket, in milliseconds since the epoch.
    """

    installation: BenchInstallation
    count: int
    last: int
    key: str = ""
    users: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    integrations: list[str] = field(default_factory=list)

    def id(self, prefix: str, number: int) -> str:
        """Returns the id of the row with this number, as the SQL of `_id` computes it."""
        time_ms = self.last - (self.count - number) * _APART
        return f"{prefix}_{''.join(_DIGITS[time_ms >> 5 * n & 31] for n in range(9, -1, -1))}{number:016x}"

    def describe_call(self, call: str) -> str:
        names = {self.users[0]: "BUSY", self.users[7]: "OTHER", self.aliases[0]: "MAIN", self.aliases[9]: "SMALL"}
        for one, name in names.items():
            call = call.replace(one, name)
        return call


async def create_dataset(installation: BenchInstallation, count: int, *, spam: int = 0) -> Dataset:
    """Creates `count` tickets, of which `spam` percent are spam."""
    database = installation.database
    await database.open()
    try:
        actor, clock = Actor(installation.workspace_id, "admin"), SystemClock()
        users, keys = UserService(database, clock, base_url=""), KeyService(database, clock)
        dataset = Dataset(installation, count, (clock.now() - _MINUTE) // 1000)
        dataset.users = [(await users.create(actor, email=f"a{n}@example.org", role="admin")).id for n in range(50)]
        dataset.key = (await keys.create(actor, name="bench", user_id=dataset.users[0])).plaintext
        for user_id in dataset.users:
            await keys.create(actor, name="desk", user_id=user_id)
        dataset.aliases = [row["id"] for row in await run_statement(database, "SELECT id FROM aliases ORDER BY id")]
        dataset.integrations = [
            row["id"] for row in await run_statement(database, "SELECT id FROM integrations ORDER BY id")
        ]
        for statement in _statements(dataset, spam, on_postgres=isinstance(database, PostgresDatabase)):
            await run_statement(database, statement)
    finally:
        await database.close()
    return dataset


def _id(prefix: str, hex_id: str, time_ms: str) -> str:
    shifted = [f"CAST((({time_ms}) >> {5 * n}) & 31 AS INTEGER) + 1" for n in range(9, -1, -1)]
    digits = " || ".join(f"substr('{_DIGITS}', {position}, 1)" for position in shifted)
    return f"'{prefix}_' || {digits} || {hex_id}"


def _statements(dataset: Dataset, spam: int, *, on_postgres: bool) -> list[str]:
    hex_id = "lpad(to_hex(n), 16, '0')" if on_postgres else "printf('%016x', n)"
    workspace, now = dataset.installation.workspace_id, SystemClock().now()
    time_ms = f"{dataset.last} - ({dataset.count} - n) * {_APART}"
    at = f"({time_ms}) * 1000"

    def series(count: int) -> str:
        if on_postgres:
            return f"generate_series(CAST(1 AS BIGINT), {count}) AS s(n)"
        return f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s)"

    def table(name: str, ids: Sequence[str]) -> list[str]:
        rows = ", ".join(f"({n}, '{one}')" for n, one in enumerate(ids))
        return [f"CREATE TABLE {name} (k BIGINT PRIMARY KEY, id TEXT)", f"INSERT INTO {name} VALUES {rows}"]

    is_spam = _SPAM.format(spam=spam)
    status = _STATUS.format(count=dataset.count, spam=is_spam)
    priority, assignee = _PRIORITY.format(spam=is_spam), _ASSIGNEE.format(spam=is_spam)
    ticket = f"""INSERT INTO tickets (id, workspace_id, number, alias_id, address, subject, from_address, from_name,
            status, priority, assigned_to, claimed_at, resolved_at, received_at, updated_at, spam, spam_reason, spam_at)
        SELECT {_id("ticket", hex_id, time_ms)}, '{workspace}', n, a.id, 'support@example.org', 'Hello, order ' || n,
            'customer' || n || '@customer.test', 'A customer', {status}, {priority}, u.id,
            CASE WHEN u.id IS NOT NULL THEN {at} END, CASE WHEN {status} = 'resolved' THEN {at} END, {at}, {at},
            CASE WHEN {is_spam} THEN 1 ELSE 0 END, CASE WHEN {is_spam} THEN 'A reason' ELSE '' END,
            CASE WHEN {is_spam} THEN {at} END
        FROM {series(dataset.count)}
        LEFT JOIN bench_aliases a ON a.k = {_ALIAS} LEFT JOIN bench_users u ON u.k = {assignee} ORDER BY n"""
    delivery = f"""INSERT INTO deliveries (id, workspace_id, ticket_id, message_id, integration_id, event, state,
            attempts, next_attempt_at, expires_at, delivered_at, created_at)
        SELECT {_id("dlv", hex_id, time_ms)}, '{workspace}', {_id("ticket", hex_id, time_ms)},
            {_id("msg", hex_id, time_ms)},
            CASE WHEN n % 1000 < 900 THEN '{dataset.integrations[0]}' ELSE '{dataset.integrations[1]}' END, 'opened',
            CASE WHEN n > {dataset.count} - 2000 THEN 'pending' WHEN n % 20 = 3 THEN 'dead' ELSE 'delivered' END, 1,
            CASE WHEN n > {dataset.count} - 2000 THEN {now} + 86400000000 END, {now} + 86400000000, {at}, {at}
        FROM {series(dataset.count)}"""
    message = f"""INSERT INTO messages (id, workspace_id, reverse_path, helo, peer, protocol, tls, received_by, size,
            received_at, rfc_message_id, reference_ids, from_address, from_name, subject, automatic)
        SELECT {_id("msg", hex_id, time_ms)}, '{workspace}', '', '', '', 'ESMTP', '', '', 1, {at}, '', '[]', '', '',
            '', '' FROM {series(dataset.count)}"""
    contents = f"""INSERT INTO message_contents (message_id, text, quoted, html, attachments, warnings, snippet, parser,
            parsed_at)
        SELECT {_id("msg", hex_id, time_ms)}, '{_SENTENCE * 10}', '', '', '[]', '[]', '{_SENTENCE * 2}', 1000, {at}
        FROM {series(dataset.count)}"""
    marked = f"CASE WHEN spam = 1 THEN '{terms.SPAM_PREFIX}' ELSE '' END"
    text = " || ".join(f"' t{m}x' || (n * 7919 % {m})" for m in _TEXT)
    search = f"""INSERT INTO ticket_search (ticket_id, workspace_id, index_position, words)
        SELECT id, workspace_id, ({time_ms}) << {terms.SLOT_BITS}, {marked} || '_{workspace.lower()} _nr_' || n
            || COALESCE(' _' || alias_id, '') || ' hello customer' || {_WORDS.format(count=dataset.count)} || {text}
        FROM (SELECT id, workspace_id, number AS n, alias_id, spam FROM tickets) AS t ORDER BY n"""
    audit = f"""INSERT INTO audit (id, workspace_id, at, user_id, key_id, address, action, target)
        SELECT {_id("evt", hex_id, time_ms)}, '{workspace}', {now}, NULL, NULL, '192.0.2.1', 'ticket.delete', 'ticket'
        FROM {series(100_000)}"""
    blocked = f"""INSERT INTO blocked_senders (workspace_id, sender, created_at)
        SELECT '{workspace}', '@spam' || n || '.test', {now} FROM {series(5000)}"""
    statements = [*table("bench_aliases", dataset.aliases), *table("bench_users", dataset.users)]
    statements += [message, contents, ticket, delivery, audit, blocked]
    for name, condition in TAGS.items():
        tag_id = ids.new_id("tag")
        statements += [
            f"INSERT INTO tags (id, workspace_id, name, name_key, color, created_at) "
            f"VALUES ('{tag_id}', '{workspace}', '{name}', '{name}', '', {now})",
            f"INSERT INTO ticket_tags (tag_id, ticket_id) SELECT '{tag_id}', id FROM tickets WHERE {condition}",
        ]
    if on_postgres:  # Creating an index is faster than adding a million tickets to it.
        index = "SELECT indexdef FROM pg_indexes WHERE indexname = 'ticket_search_words'"
        reindex = f"DROP INDEX ticket_search_words; {search}; EXECUTE index_definition;"
        statements += [f"DO $$ DECLARE index_definition TEXT := ({index}); BEGIN {reindex} END $$", "VACUUM ANALYZE"]
    else:
        statements += [search]
    return [*statements, "DROP TABLE bench_aliases", "DROP TABLE bench_users"]


async def run_statement(database: SqliteDatabase | PostgresDatabase, statement: str) -> list[dict[str, Any]]:
    """Runs a statement that may take up to an hour on PostgreSQL, and returns its rows."""
    if isinstance(database, SqliteDatabase):
        async with database.raw_transaction() as session:
            return [dict(row) for row in await session.execute_fetchall(statement)]
    connection = await database.connect()
    try:
        await connection.execute("SET statement_timeout = 0; SET maintenance_work_mem = '1GB'")
        return [dict(row) for row in await connection.fetch(statement, timeout=3600)]
    finally:
        await connection.close()
