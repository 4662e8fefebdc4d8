"""An optional secret of a channel can be set and removed in every interface, and is never shown."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from router.channels import CHANNELS
from router.errors import Refused
from router.provisioning import document
from router.provisioning.apply import DocumentApplier
from router.provisioning.export import export_document, take_snapshot
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.fixtures import sqlite_served
from tests.support.installation.http import ServedInstallation
from tests.support.telegraph import TELEGRAPH, TelegraphStandIn

__all__ = ["sqlite_served"]

KEY = "very-secret-key"


@pytest.fixture
async def telegraph(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TelegraphStandIn]:
    """A stand-in for the service of the registered channel."""
    monkeypatch.setitem(CHANNELS, TELEGRAPH.kind, TELEGRAPH)
    async with TelegraphStandIn() as service:
        yield service


def sent_key(telegraph: TelegraphStandIn) -> str | None:
    """Returns the operator key in the last message."""
    return telegraph.posts[-1].headers.get("Authorization")


def body(telegraph: TelegraphStandIn) -> dict[str, Any]:
    settings = {"lineUrl": telegraph.url("very-secret-line"), "station": "Kiel", "callSign": "DL1ABC"}
    return {"type": TELEGRAPH.kind, "name": "Post", "settings": settings}


async def test_rest(sqlite_served: ServedInstallation, telegraph: TelegraphStandIn) -> None:
    admin = sqlite_served.admin
    created = await admin.post("/integrations", body(telegraph))
    path = f"/integrations/{created.body['id']}"
    keyed = await admin.patch(path, {"settings": {"operatorKey": KEY}})
    assert (keyed.status, keyed.body) == (200, created.body)
    await admin.post(f"{path}/test", {})
    assert sent_key(telegraph) == f"Key {KEY}"
    unsigned = await admin.patch(path, {"settings": {"callSign": None}})
    assert (unsigned.status, unsigned.field) == (400, "settings.callSign")
    removed = await admin.patch(path, {"settings": {"operatorKey": None}})
    assert removed.body == created.body
    await admin.post(f"{path}/test", {})
    assert sent_key(telegraph) is None
    events = await admin.get("/audit")
    details = [each["detail"] for each in events.body["audit"]]
    assert [each["secrets"] for each in details if "secrets" in each] == [["operatorKey"]] * 2
    contents = [response.content.decode() for response in (created, keyed, unsigned, removed, events)]
    assert "very-secret" not in "".join(contents)


async def test_dashboard(sqlite_served: ServedInstallation, telegraph: TelegraphStandIn) -> None:
    admin = await signed_in_client(sqlite_served, "admin")
    form = {"type": TELEGRAPH.kind, "name": "Post", **body(telegraph)["settings"], "operatorKey": ""}
    page = await admin.post_and_follow("/manage/integrations", form)
    (url,) = set(re.findall(r'action="(/manage/integrations/int_\w+)/settings"', page.text))
    remove = {"lineUrl": "", "operatorKey": "", "remove-operatorKey": "yes"}

    async def save(fields: dict[str, str]) -> tuple[bool, str | None]:
        """Returns whether the page offers to remove the key, and the key that is sent."""
        page = await admin.post_and_follow(f"{url}/settings", fields)
        assert "very-secret" not in page.text
        await admin.post_and_follow(f"{url}/test", {})
        return "Remove the operator key" in page.visible_text, sent_key(telegraph)

    assert await save({"operatorKey": ""}) == (False, None)
    assert await save({"operatorKey": KEY}) == (True, f"Key {KEY}")
    assert await save({"lineUrl": "", "operatorKey": "", "station": "Bremen"}) == (True, f"Key {KEY}")
    refused = await admin.post(f"{url}/settings", {**remove, "station": ""})
    assert (refused.status, 'name="remove-operatorKey" value="yes" checked' in refused.text) == (400, True)
    assert await save(remove) == (False, None)
    assert await save({**remove, "operatorKey": f"{KEY}-2"}) == (True, f"Key {KEY}-2"), "replaced"


async def test_documents(sqlite_served: ServedInstallation, telegraph: TelegraphStandIn) -> None:
    served = sqlite_served
    await served.admin.post("/integrations", body(telegraph))
    services = served.services

    async def export() -> str:
        return document.render(export_document(await take_snapshot(services, served.actor), CHANNELS))

    async def apply(text: str, **secrets: str) -> tuple[list[str], list[str]]:
        environment = {"env:TELE_GRAPH_LINE_POST": telegraph.url("very-secret-line"), "env:KEY": None} | secrets
        applier = DocumentApplier(services, served.core.poster, environment.get)
        found = applier.plan(document.parse(text), await take_snapshot(services, served.actor), prune=False)
        await applier.execute(served.actor, found)
        return [change.detail for change in found.changes], found.notes

    without = await export()
    assert "operator_key" not in without
    assert await apply(without) == ([], [])
    keyed = without.replace('"DL1ABC"', '"DL1ABC", operator_key = "env:KEY"')
    unset = ["integration Post: env:KEY is not set, so its operator key stays unchanged"]
    assert await apply(keyed) == ([], unset)
    assert await apply(keyed, **{"env:KEY": KEY}) == (["operator_key: none -> env:KEY"], [])
    assert await apply(keyed) == ([], unset)
    assert await apply(keyed, **{"env:KEY": f"{KEY}-2"}) == (["operator_key: set -> env:KEY"], [])
    exported = await export()
    assert 'operator_key = "env:TELE_GRAPH_OPERATOR_KEY_POST"' in exported
    assert "very-secret" not in exported
    assert await apply(without) == (["operator_key: set -> none"], [])
    assert await export() == without
    new = keyed.replace('name = "Post"', 'name = "Other"')
    with pytest.raises(Refused, match=re.escape("settings.operator_key: env:KEY is not set, but required to add 'Oth")):
        await apply(new)
    assert await apply(new, **{"env:KEY": KEY}) == (["tele_graph"], [])
    assert (await export()).count("operator_key") == 1
