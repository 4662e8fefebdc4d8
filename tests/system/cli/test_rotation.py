"""After a key rotation, the new key decrypts every secret. A kill between any two steps loses no secret."""

import json
from pathlib import Path

import pytest

from config.load import load
from emailrouter.secret_key import load_secret_box
from router.admin import audit
from router.admin.installation import key_rotation
from router.admin.installation.key_rotation import NEXT_KEY_FILE, KeyRotationService, complete_rotation, write_next_key
from router.clock import SystemClock
from router.errors import Refused
from router.secrets import KEY_FILE, SecretBox, fingerprint, load_or_create_key, new_key
from tests.support import seeds
from tests.support.installation.command_line import WEBHOOK, CommandLine
from tests.support.stores import Store


async def test_rotate_key_command(both: CommandLine) -> None:
    cli = both
    (await cli("integration", "add", "general", "--webhook-url", "-", stdin=WEBHOOK)).ok()
    file = cli.folder / KEY_FILE
    old = file.read_text()
    assert "--yes" in await cli.error_line("rotate-key", code=2)
    assert file.read_text() == old
    done = await cli.json("rotate-key", "--yes")
    assert done == {"resealed": 1, "fingerprint": fingerprint(file.read_text()), "keyFile": str(file)}
    assert file.read_text() != old
    assert file.stat().st_mode & 0o777 == 0o600
    assert not (cli.folder / NEXT_KEY_FILE).exists()
    assert (await cli.json("audit", "list"))["audit"][0]["action"] == "secret_key.rotate"
    assert (await cli.json("integration", "change", "general", "--name", "new"))["name"] == "new"
    file.write_text(old)
    error = await cli.error_line("integration", "change", "new", "--name", "x", code=2)
    assert fingerprint(old) in error


async def test_configured_key_is_replaced_by_the_operator(cli: CommandLine) -> None:
    first, file = new_key(), cli.folder / "next-key"
    cli.env["server.secret_key"] = first
    (await cli("integration", "add", "general", "--webhook-url", "-", stdin=WEBHOOK)).ok()
    assert "server.secret_key is set in the configuration" in await cli.error_line("rotate-key", "--yes")
    file.write_text(first)
    error = await cli.error_line("rotate-key", "--yes", "--new-key-file", "next-key", code=2)
    assert "contains the current key" in error
    file.write_text("short")
    assert "at least 16" in await cli.error_line("rotate-key", "--yes", "--new-key-file", "next-key", code=2)
    file.unlink()
    done = await cli("rotate-key", "--yes", "--new-key-file", "next-key")
    assert "Set server.secret_key to the new key" in done.ok().stdout
    assert file.stat().st_mode & 0o777 == 0o600
    await cli.error_line("integration", "change", "general", "--name", "x", code=2)
    cli.env["server.secret_key"] = file.read_text().strip()
    assert (await cli.json("integration", "change", "general", "--name", "x"))["name"] == "x"
    del cli.env["server.secret_key"]
    assert "is replaced in place" in await cli.error_line("rotate-key", "--yes", "--new-key-file", "k", code=2)


class Killed(BaseException):
    """Simulates SIGKILL: no `except Exception` clause catches a BaseException."""


@pytest.mark.parametrize(
    "step", ["before the new key is written", "before the commit", "after the commit", "before the new name"]
)
async def test_kill_between_any_two_steps(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The next start loads the key that decrypts the secret."""
    config = load(_empty(tmp_path), {"EMAILROUTER_SERVER__DATA_DIR": str(tmp_path)})
    box = await load_secret_box(config, store.database)
    workspace_id = await seeds.insert_workspace(store.database)
    integration_id = await seeds.insert_integration(
        store.database, workspace_id, box.encrypt(json.dumps({"webhookUrl": "u"}))
    )
    old = load_or_create_key(tmp_path)

    def kill(*_: object, **__: object) -> None:
        raise Killed

    rotation = KeyRotationService(store.database, SystemClock())
    if step == "before the new key is written":
        monkeypatch.setattr(key_rotation, "write_key", kill)
    elif step == "before the commit":
        monkeypatch.setattr(audit, "record", kill)
    elif step == "before the new name":
        monkeypatch.setattr(Path, "replace", kill)

    async def rotate() -> None:
        key = write_next_key(tmp_path)
        await rotation.reencrypt_all(old, key)
        if step == "after the commit":
            raise Killed
        complete_rotation(tmp_path, fingerprint(key))

    with pytest.raises(Killed):
        await rotate()
    monkeypatch.undo()

    reloaded_box = await load_secret_box(config, store.database)
    row = await store.database.fetch_one("integration_by_id", id=integration_id, workspace_id=workspace_id)
    assert row is not None
    assert json.loads(reloaded_box.decrypt(row["encrypted_settings"])) == {"webhookUrl": "u"}
    committed = step in ("after the commit", "before the new name")
    assert (load_or_create_key(tmp_path) != old) is committed
    current = load_or_create_key(tmp_path)
    next_key = write_next_key(tmp_path)
    assert await rotation.reencrypt_all(current, next_key) == 1
    assert complete_rotation(tmp_path, fingerprint(next_key)) == next_key


async def test_undecryptable_secret_stops_rotation_before_any_change(store: Store) -> None:
    old = new_key()
    workspace_id = await seeds.insert_workspace(store.database)
    good = await seeds.insert_integration(store.database, workspace_id, SecretBox(old).encrypt("good"))
    await seeds.insert_integration(
        store.database, workspace_id, SecretBox(new_key()).encrypt("foreign"), name="foreign"
    )
    await store.database.execute("installation_insert", name="secret_key", value=fingerprint(old))
    rotation = KeyRotationService(store.database, SystemClock())
    with pytest.raises(Refused, match=r"integration foreign .* cannot be decrypted with the current"):
        await rotation.reencrypt_all(old, new_key())
    row = await store.database.fetch_one("integration_by_id", id=good, workspace_id=workspace_id)
    assert row is not None
    assert SecretBox(old).decrypt(row["encrypted_settings"]) == "good"
    with pytest.raises(Refused):
        await rotation.reencrypt_all(new_key(), new_key())


def _empty(folder: Path) -> Path:
    path = folder / "empty.toml"
    path.touch()
    return path
