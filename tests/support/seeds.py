"""Rows for tests, inserted by SQL without the product's services. Only the schema checks the rows."""

from collections.abc import Mapping, Sequence

from router import ids
from router.clock import SECOND, SystemClock
from router.store.catalog import build_query
from router.store.database import Database
from router.store.postgres import PostgresExecutor
from router.store.sqlite import SqliteDatabase

# Time of every seeded row, in microseconds since the epoch.
NOW = SystemClock().now()


async def insert_workspace(database: Database, name: str = "Acme") -> str:
    workspace_id = ids.new_id("ws")
    await execute(
        database,
        "INSERT INTO workspaces (id, name, created_at) VALUES (:id, :name, :created_at)",
        id=workspace_id,
        name=name,
        created_at=NOW,
    )
    return workspace_id


async def insert_domain(
    database: Database, workspace_id: str, name: str = "example.com", status: str = "active"
) -> str:
    domain_id = ids.new_id("dom")
    # The next DNS check is tomorrow: programs in tests must not query the machine's name servers.
    await execute(
        database,
        "INSERT INTO domains (id, workspace_id, name, status, token, created_at, next_check_at) "
        "VALUES (:id, :workspace_id, :name, :status, 'token', :created_at, :next_check_at)",
        id=domain_id,
        workspace_id=workspace_id,
        name=name,
        status=status,
        created_at=NOW,
        next_check_at=NOW + 86_400 * SECOND,
    )
    return domain_id


async def insert_integration(
    database: Database, workspace_id: str, encrypted: str = "encrypted", name: str = "general", *, hint: str = ""
) -> str:
    integration_id = ids.new_id("int")
    await execute(
        database,
        "INSERT INTO integrations (id, workspace_id, type, name, encrypted_settings, hint, created_at) "
        "VALUES (:id, :workspace_id, 'slack', :name, :encrypted, :hint, :created_at)",
        id=integration_id,
        workspace_id=workspace_id,
        name=name,
        encrypted=encrypted,
        hint=hint,
        created_at=NOW,
    )
    return integration_id


async def insert_alias(
    database: Database,
    workspace_id: str,
    domain_id: str,
    local_part: str,
    integration_id: str | None = None,
    *,
    status: str = "active",
) -> str:
    alias_id = ids.new_id("alias")
    await execute(
        database,
        "INSERT INTO aliases (id, workspace_id, domain_id, local_part, local_key, integration_id, status, created_at) "
        "VALUES (:id, :workspace_id, :domain_id, :local_part, :local_key, CAST(:integration_id AS TEXT), :status, "
        ":created_at)",
        id=alias_id,
        workspace_id=workspace_id,
        domain_id=domain_id,
        local_part=local_part,
        local_key=local_part.casefold(),
        integration_id=integration_id,
        status=status,
        created_at=NOW,
    )
    return alias_id


async def insert_ticket(database: Database, workspace_id: str, number: int) -> str:
    ticket_id = ids.new_id("ticket")
    await execute(
        database,
        "INSERT INTO tickets (id, workspace_id, number, address, subject, from_address, from_name, received_at, "
        "updated_at) VALUES (:id, :workspace_id, :number, 'support@example.org', 'Hello', 'ada@customer.test', 'Ada', "
        ":now, :now)",
        id=ticket_id,
        workspace_id=workspace_id,
        number=number,
        now=NOW,
    )
    return ticket_id


async def insert_attempt(
    database: Database, delivery_id: str, *, at: int, outcome: str, status: int, latency: int, answer: str
) -> None:
    """Inserts an attempt of a pending delivery that began and ended `at`."""
    (row,) = await execute(
        database,
        "UPDATE deliveries SET attempts = attempts + 1, next_attempt_at = :at WHERE id = :id RETURNING attempts",
        id=delivery_id,
        at=at,
    )
    await execute(
        database,
        "INSERT INTO attempts (delivery_id, n, started_at, finished_at, outcome, status, latency, answer) "
        "VALUES (:delivery_id, :n, :at, :at, :outcome, :status, :latency, :answer)",
        delivery_id=delivery_id,
        n=row["attempts"],
        at=at,
        outcome=outcome,
        status=status,
        latency=latency,
        answer=answer,
    )


async def execute(database: Database, statement: str, **values: object) -> list[dict[str, object]]:
    """Executes a statement with named parameters (`:name`) in its own transaction and returns its rows."""
    query = build_query("test", statement, statement)
    if isinstance(database, SqliteDatabase):
        async with database.raw_transaction() as connection:
            return [dict(row) for row in await connection.execute_fetchall(query.sqlite, values)]
    async with database.transaction() as transaction:
        assert isinstance(transaction, PostgresExecutor)
        rows = await transaction.connection.fetch(query.postgres, *(values[name] for name in query.parameters))
        return [dict(row) for row in rows]


async def execute_many(database: Database, statement: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Executes a statement once for each of `rows`, which contain its named parameters, in one transaction."""
    query = build_query("test", statement, statement)
    if isinstance(database, SqliteDatabase):
        async with database.raw_transaction() as connection:
            await connection.executemany(query.sqlite, rows)
        return
    async with database.transaction() as transaction:
        assert isinstance(transaction, PostgresExecutor)
        values = [tuple(row[name] for name in query.parameters) for row in rows]
        await transaction.connection.executemany(query.postgres, values)
