"""What happens to a workspace that has everything: it is exported and made again, or erased."""

from pathlib import Path

from router.admin.installation.first_workspace import SetupService
from router.admin.installation.workspace_admin import WorkspaceAdminService
from router.channels import CHANNELS
from router.provisioning import document
from router.provisioning.apply import DocumentApplier
from router.provisioning.export import export_document, take_snapshot
from router.store import migrate
from router.store.move import TABLES
from tests.support.installation import Installation, closed_store

# Of the integrations; that of the others is for Slack.
DISCORD, SLACK = "https://discord.com/api/webhooks/1/x", "https://hooks.slack.com/services/T/B/X"


async def test_an_export_is_applied_to_an_empty_installation(recorded: Installation, tmp_path: Path) -> None:
    empty = Installation(closed_store(f"sqlite:///{tmp_path / 'empty.db'}"))
    async with empty.open_database():
        await migrate.migrate(empty.database)
        login = await SetupService(empty.database, empty.clock).create_first_workspace("ann@example.org")
        empty.workspace_id = login.workspace_id
        # No document makes an alias without an integration.
        general = "(SELECT id FROM integrations WHERE name = 'general')"
        await recorded.execute(f"UPDATE aliases SET integration_id = {general} WHERE integration_id IS NULL")
        exported = await _export(recorded)
        for table in ("sending", "templates", "canned_responses", "allowed_senders", "aliases", "tags"):
            assert f"[[{table}]]\n" in exported
        applier = DocumentApplier(empty.services, empty.core.poster, _resolve)
        snapshot = await take_snapshot(empty.services, empty.actor)
        await applier.execute(empty.actor, applier.plan(document.parse(exported), snapshot, prune=False))
        assert await _export(empty) == exported


async def _export(installation: Installation) -> str:
    return document.render(export_document(await take_snapshot(installation.services, installation.actor), CHANNELS))


def _resolve(reference: str) -> str:
    return DISCORD if "DISCORD" in reference else SLACK


async def test_only_the_audit_log_stays_of_an_erased_workspace(recorded: Installation) -> None:
    await WorkspaceAdminService(recorded.database, recorded.clock).erase(recorded.workspace_id)
    left = {table for table in TABLES if await recorded.execute(f"SELECT 1 FROM {table} LIMIT 1")}
    others = {"workspaces", "users", "api_keys", "domains"}  # of the other workspace
    own = {"versions", "installation", "smarthosts", "rate_windows", "idempotent_requests"}  # of the installation
    without_texts = {"fingerprints", "check_queue"}  # hashes and ids, which expire
    assert left == {"audit"} | others | own | without_texts
    assert [row["id"] for row in await recorded.all_rows("smarthosts")] == ["installation"]
    for table in sorted(left - {"audit"}):
        assert "customer.test" not in str(await recorded.execute(f"SELECT * FROM {table}"))
