"""What the tests of the accept share: a workspace over a store, and mails for it."""

from collections.abc import Sequence

from emailrouter.assembly.core import Core
from router.accept.incoming import IncomingMail
from router.accept.transaction import Committed
from router.clock import SECOND
from router.routing.envelope import Envelope
from router.routing.route import Target
from router.store.group_commit import Write
from tests.support import seeds
from tests.support.clock import FakeClock
from tests.support.core import Woken, core_over
from tests.support.stores import Store

DAY = 24 * 3600 * SECOND


class World:
    """A workspace with two aliases on one integration, and an `Accept` over the store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = FakeClock()
        self.woken = Woken()
        self.core = core_over(store, self.clock, wake=self.woken)
        self.accept = self.core.accept

    def writing(self, write: Write[IncomingMail, Committed]) -> Core:
        """Another core over the same store, which writes its groups so. The test closes it."""
        return core_over(self.store, self.clock, wake=self.woken, write=write)

    async def build(self) -> None:
        database = self.store.database
        self.workspace = await seeds.workspace(database)
        self.domain = await seeds.domain(database, self.workspace)
        self.integration = await seeds.integration(database, self.workspace)
        self.support = await seeds.alias(database, self.workspace, self.domain, "support", self.integration)
        self.billing = await seeds.alias(database, self.workspace, self.domain, "billing", self.integration)

    def target(self, alias_id: str, name: str, *, tag: str = "", workspace: str = "") -> Target:
        recipient = f"{name}+{tag}@example.com" if tag else f"{name}@example.com"
        return Target(
            recipient, workspace or self.workspace, alias_id, alias_id, f"{name}@example.com", self.integration, tag
        )

    def envelope(self, *targets: Target, reverse_path: str = "ann@customer.test") -> Envelope:
        return Envelope(
            reverse_path, targets or (self.target(self.support, "support"),), "192.0.2.1", "c.test", "ESMTP"
        )

    async def rows(self, table: str) -> list[dict[str, object]]:
        order = {"raw_chunks": "message_id, n", "ticket_messages": "created_at, recipient"}.get(table, "id")
        return await seeds.execute(self.store.database, f"SELECT * FROM {table} ORDER BY {order}")


def mail(
    message_id: str = "<one@customer.test>",
    subject: str = "Printer on fire",
    sender: str = "Ann <ann@customer.test>",
    extra: Sequence[str] = (),
    body: str = "Hello.",
) -> bytes:
    lines = [f"From: {sender}", "To: support@example.com", f"Subject: {subject}", *extra]
    if message_id:
        lines.append(f"Message-ID: {message_id}")
    return "\r\n".join([*lines, "", body, ""]).encode()
