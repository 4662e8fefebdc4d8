"""Records an installation of the current schema: `python -m tests.system.upgrade.record`.

Run it with the last commit of a schema version. It writes `version-N.jsonl`, and replaces a file of that version.
"""

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

from router import lease_owner
from router.secrets import new_key
from router.store import migrate
from tests.support.clock import FakeClock
from tests.support.discord import DiscordStandIn
from tests.support.dns import DnsStandIn
from tests.support.installation import Installation, closed_store
from tests.support.slack import SlackStandIn
from tests.support.smarthost import ScriptedSmarthost
from tests.system.upgrade.recorded_checks import create_checked_tickets
from tests.system.upgrade.recorded_replies import create_replies
from tests.system.upgrade.recorded_tickets import create_tickets
from tests.system.upgrade.recorded_workspace import create_workspace
from tests.system.upgrade.recording import FOLDER, Recording, hash_migrations, record_rows, table_names

# The recorded times are in the past, because the program of the test uses the system clock.
AGE = timedelta(days=30)
# In place of the identity of the machine that records.
MACHINE_ID = "00000000-0000-4000-8000-000000000000/pid:[1]"


async def main() -> None:
    migrations = migrate.load_migrations()
    key = new_key()
    with tempfile.TemporaryDirectory() as folder:
        store = closed_store(f"sqlite:///{Path(folder) / 'emailrouter.db'}")
        async with (
            DnsStandIn() as dns,
            SlackStandIn() as slack,
            DiscordStandIn() as discord,
            ScriptedSmarthost() as smarthost,
        ):
            installation = Installation(
                store,
                {
                    "server.secret_key": key,
                    "dns.nameservers": [dns.address],
                    "delivery.digest_after": 3,
                    "outgoing.smarthost": smarthost.url,
                    "outgoing.dkim_ed25519": True,
                },
                clock=FakeClock(datetime.now(UTC) - AGE),
            )
            async with installation.open_database():
                await migrate.migrate(installation.database)
                recorded = await create_workspace(installation, slack, discord, dns)
                await create_tickets(recorded)
                await create_checked_tickets(recorded)
                await create_replies(recorded, smarthost)
                await installation.services.authentication.close()
                recording = Recording(
                    migrate.LATEST_VERSION,
                    hash_migrations(migrations),
                    key,
                    recorded.login.key,
                    recorded.login.email,
                    recorded.login.password,
                    FOLDER / f"version-{migrate.LATEST_VERSION}.jsonl",
                )
                await record_rows(installation.database, recording, table_names(migrations))


if __name__ == "__main__":
    with mock.patch.object(lease_owner, "_MACHINE_ID", MACHINE_ID):
        asyncio.run(main())
