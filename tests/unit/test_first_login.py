"""The address to open for the first sign-in, and the file with the login."""

import io
from pathlib import Path
from typing import cast

import pytest

from config.load import load
from emailrouter import first_login
from emailrouter.first_login import first_address
from router.admin.installation.first_workspace import FirstLogin
from router.store.sqlite import SqliteDatabase


@pytest.mark.parametrize(
    ("public_url", "listen", "address"),
    [
        ("", "", "http://127.0.0.1:8080"),
        ("", "127.0.0.1:9090", "http://127.0.0.1:9090"),
        ("http://localhost:8080", "[::1]:9090", "http://[::1]:9090"),
        ("", "0.0.0.0:9090", "http://127.0.0.1:9090"),
        ("", "[::]:9090", "http://[::1]:9090"),
        ("", "192.0.2.7:9090", "http://192.0.2.7:9090"),
        ("", "127.0.0.1:0", "http://127.0.0.1:8080"),  # The system selects the port, which is not known yet.
        ("", "systemd", "http://127.0.0.1:8080"),
        ("https://tickets.example.com", "127.0.0.1:9090", "https://tickets.example.com"),
    ],
)
def test_first_address(public_url: str, listen: str, address: str) -> None:
    environment = {"EMAILROUTER_SERVER__PUBLIC_URL": public_url, "EMAILROUTER_API__LISTEN": listen}
    assert first_address(load(None, {name: value for name, value in environment.items() if value})) == address


async def test_file_is_complete_when_it_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "first-login"

    def files() -> list[Path]:
        return list(tmp_path.iterdir())

    class Setup:
        def __init__(self, *_: object) -> None:
            pass

        async def is_needed(self) -> bool:
            return True

        async def create_first_workspace(self, email: str) -> FirstLogin:
            assert files() == []
            return FirstLogin(
                workspace_id="ws_1", user_id="usr_1", email=email, password="p", key="er_1", key_id="key_1"
            )

        async def record_file_key(self, _: FirstLogin) -> None:
            assert not path.exists()

    monkeypatch.setattr(first_login, "SetupService", Setup)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    config = load(None, {"EMAILROUTER_SERVER__DATA_DIR": str(tmp_path)})
    await first_login.create_if_empty(config, cast("SqliteDatabase", None))  # only passed to Setup
    assert files() == [path]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().endswith("/api/domains\n\n")
