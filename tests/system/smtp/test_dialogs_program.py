"""Runs the dialogues against the real program, with each database. Omits the dialogues in `PREPARATIONS`."""

import itertools
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.smtp.test_dialogs import DIALOGS, PREPARATIONS, SETTINGS
from tests.support import seeds
from tests.support.dialog import run_dialog
from tests.support.installation import Installation, migrated_installation, split_address
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.smtp_doubles import DOMAIN, HOSTNAME

SETTINGS_SETS = {
    json.dumps(SETTINGS.get(path.stem, {}), sort_keys=True) for path in DIALOGS if path.stem not in PREPARATIONS
}


async def create_rows(installation: Installation) -> None:
    """Creates domains and aliases like those of `KnownRecipients`."""
    database, workspace = installation.database, installation.workspace_id
    domain = await seeds.insert_domain(database, workspace, DOMAIN)
    for local_part in ("support", "sales", "büro", "user1", "user2", "user3"):
        await seeds.insert_alias(database, workspace, domain, local_part)
    await seeds.insert_alias(database, workspace, domain, "disabled", status="disabled")
    await seeds.insert_alias(
        database, workspace, await seeds.insert_domain(database, workspace, "xn--bcher-kva.example"), "support"
    )
    await seeds.insert_domain(database, workspace, "pending.example", status="pending_verification")


def dialogs_with_settings(chosen: str) -> Iterator[Path]:
    settings = json.loads(chosen)
    return (path for path in DIALOGS if path.stem not in PREPARATIONS and SETTINGS.get(path.stem, {}) == settings)


@pytest.fixture(params=["sqlite", "postgres"])
async def installation(
    request: pytest.FixtureRequest, tmp_path: Path, slack: SlackStandIn
) -> AsyncIterator[Installation]:
    postgres = request.getfixturevalue("postgres_server") if request.param == "postgres" else None
    url = await postgres.create_database() if postgres else None
    async with migrated_installation(tmp_path, slack, url) as created:
        await create_rows(created)
        yield created
    if postgres:
        await postgres.drop_database(url)


@pytest.mark.parametrize("chosen", sorted(SETTINGS_SETS))
async def test_dialogs(
    chosen: str,
    installation: Installation,
    tmp_path: Path,
    tls_files: tuple[Path, Path],
    tls_client: ssl.SSLContext,
) -> None:
    # Only the STARTTLS dialogues expect STARTTLS.
    for tls, paths in itertools.groupby(sorted(dialogs_with_settings(chosen), key=_is_tls), key=_is_tls):
        settings: dict[str, Any] = {f"smtp.{key}": value for key, value in json.loads(chosen).items()}
        if tls:
            settings |= {"smtp.tls_cert": str(tls_files[0]), "smtp.tls_key": str(tls_files[1])}
        env = installation.settings | settings | {"server.hostname": HOSTNAME}
        async with Program("smtp", env=env, cwd=tmp_path) as program:
            host, port = split_address((await program.ready())["smtp"][0])
            for path in paths:
                await run_dialog(path, host, port, {"hostname": HOSTNAME}, tls_client)
            assert await program.terminate() == 0


def _is_tls(path: Path) -> bool:
    return path.stem.startswith("starttls")
