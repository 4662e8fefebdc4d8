"""Records an installation of the current schema: `python -m tests.system.upgrade.record`.

Run it with the last commit of a schema version. It writes `version-N.jsonl`, and replaces a file of that version.
"""

import asyncio
import dataclasses
import tempfile
from pathlib import Path

from router.enumerations import TICKET_PRIORITY
from router.secrets import new_key
from router.store import migrate
from tests.support import mails
from tests.support.installation import DOMAIN, program_installation
from tests.support.installation.installation import Installation
from tests.support.waiting import poll_until
from tests.system.upgrade.recording import FOLDER, Recording, hash_migrations, record_rows, table_names

# No server listens on the port, so the deliveries stay queued.
WEBHOOK = "http://127.0.0.1:9/services/T0/B0/recorded"


async def main() -> None:
    migrations = migrate.load_migrations()
    with tempfile.TemporaryDirectory() as folder:
        key = new_key()
        url = f"sqlite:///{Path(folder) / 'emailrouter.db'}"
        installation = program_installation(url, Path(folder), {"server.secret_key": key})
        async with installation.open_database():
            await migrate.migrate(installation.database)
            await installation.seed(DOMAIN, ["support", "billing"], webhook=WEBHOOK)
            api_key = await _fill(installation)
            recording = Recording(
                migrate.LATEST_VERSION,
                hash_migrations(migrations),
                key,
                api_key,
                FOLDER / f"version-{migrate.LATEST_VERSION}.jsonl",
            )
            await record_rows(installation.database, recording, table_names(migrations))


async def _fill(installation: Installation) -> str:
    """Adds tickets in every state, and returns the key of an admin."""
    user_id, api_key = await installation.add_user_with_key("admin", "ann@example.org")
    actor = dataclasses.replace(installation.actor, user_id=user_id)
    tickets = installation.services.tickets
    opening = mails.plain(subject="The door is stuck", message_id="<door@customer.test>")
    door = await installation.accept_ticket(opening)
    invoice = await installation.accept_ticket(mails.with_attachment(subject="Invoice 42"), "billing")
    newsletter = await installation.accept_ticket(mails.html(subject="Our offers"), "billing", "support")
    await installation.add_alias("archive", None)
    await installation.accept_ticket(mails.plain(subject="Never parsed"), "archive")
    await installation.accept_message(
        mails.plain(text="It opens again.\n", headers={"In-Reply-To": "<door@customer.test>"})
    )
    for ticket_id in (door, invoice, newsletter):
        await tickets.get(actor, ticket_id)  # parses the messages
    await tickets.claim(actor, door)
    await tickets.add_note(actor, door, "Sent a locksmith.")
    await tickets.set_choice(actor, door, TICKET_PRIORITY, "urgent")
    await tickets.tags.tag_ticket(actor, door, add=["locks"])
    await tickets.set_status(actor, invoice, "resolved")
    await installation.services.blocked_senders.create(actor, "@spam.test")
    async with installation.run_dispatcher():
        await poll_until(lambda: installation.count_rows("attempts", "outcome = 'retry'"), "a retry")
    return api_key


if __name__ == "__main__":
    asyncio.run(main())
