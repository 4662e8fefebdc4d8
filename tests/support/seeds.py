"""Rows to start from, written as the product would: a workspace, a verified domain, an integration, aliases."""

from router import ids
from router.clock import SECOND, SystemClock
from router.store.catalog import build_query
from router.store.database import Database
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase

# Written with the store's own statements, so that a seed can never hold what the product could not.
NOW = SystemClock().now()


async def workspace(database: Database, name: str = "Acme") -> str:
    """A workspace; returns its id."""
    workspace_id = ids.new("ws")
    await execute(
        database,
        "INSERT INTO workspaces (id, name, created_at) VALUES (:id, :name, :created_at)",
        id=workspace_id,
        name=name,
        created_at=NOW,
    )
    return workspace_id


async def domain(database: Database, workspace_id: str, name: str = "example.com", status: str = "active") -> str:
    """A domain, verified unless said otherwise; returns its id."""
    domain_id = ids.new("dom")
    # Its next check is tomorrow: a test's program must not ask the machine's name servers.
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


async def integration(database: Database, workspace_id: str, sealed: str = "", name: str = "general") -> str:
    """A Slack integration with sealed settings; returns its id."""
    integration_id = ids.new("int")
    await execute(
        database,
        "INSERT INTO integrations (id, workspace_id, type, name, sealed_settings, hint, created_at) "
        "VALUES (:id, :workspace_id, 'slack', :name, :sealed, '', :created_at)",
        id=integration_id,
        workspace_id=workspace_id,
        name=name,
        sealed=sealed,
        created_at=NOW,
    )
    return integration_id


async def alias(
    database: Database,
    workspace_id: str,
    domain_id: str,
    local_part: str,
    integration_id: str | None = None,
    *,
    status: str = "active",
) -> str:
    """An alias; returns its id."""
    alias_id = ids.new("alias")
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


async def ticket(database: Database, workspace_id: str, number: int) -> str:
    """An open ticket of nobody's, without a message; returns its id."""
    ticket_id = ids.new("ticket")
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


async def execute(database: Database, statement: str, **values: object) -> list[dict[str, object]]:
    """Runs a statement of the test's own, with named parameters, on either database; returns its rows."""

    query = build_query("test", statement, statement)
    if isinstance(database, SqliteDatabase):
        async with database.raw_transaction() as connection:
            return [dict(row) for row in await connection.execute_fetchall(query.sqlite, values)]
    assert isinstance(database, PostgresDatabase)
    connection = await database.connect()
    try:
        rows = await connection.fetch(query.postgres, *(values[name] for name in query.parameters))
        return [dict(row) for row in rows]
    finally:
        await connection.close()
