"""The exported document of a recorded workspace makes the same workspace in an empty installation."""

from pathlib import Path

from router.admin.installation.first_workspace import SetupService
from router.channels import CHANNELS
from router.provisioning import document
from router.provisioning.apply import DocumentApplier
from router.provisioning.export import export_document, take_snapshot
from router.store import migrate
from tests.support.installation import Installation, closed_store
from tests.system.upgrade.recording import list_recordings, load_rows, read_recording

# Of the integrations; that of the others is for Slack.
DISCORD, SLACK = "https://discord.com/api/webhooks/1/x", "https://hooks.slack.com/services/T/B/X"


async def test_an_export_is_applied_to_an_empty_installation(tmp_path: Path) -> None:
    recording = max(map(read_recording, list_recordings()), key=lambda each: each.version)
    recorded = Installation(
        closed_store(f"sqlite:///{tmp_path / 'recorded.db'}"), {"server.secret_key": recording.secret_key}
    )
    empty = Installation(closed_store(f"sqlite:///{tmp_path / 'empty.db'}"))
    async with recorded.open_database(), empty.open_database():
        await migrate.migrate(recorded.database)
        await load_rows(recorded.database, recording)
        # No document makes an alias without an integration.
        general = "(SELECT id FROM integrations WHERE name = 'general')"
        await recorded.execute(f"UPDATE aliases SET integration_id = {general} WHERE integration_id IS NULL")
        (row,) = await recorded.execute("SELECT id FROM workspaces WHERE name = 'Acme'")
        recorded.workspace_id = str(row["id"])
        await migrate.migrate(empty.database)
        login = await SetupService(empty.database, empty.clock).create_first_workspace(recording.email)
        empty.workspace_id = login.workspace_id
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
