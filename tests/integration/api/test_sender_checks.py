"""The settings of sender checks over REST, of the workspace and of an alias that overrides them."""

from typing import Any

import pytest

from tests.support.installation.http import ServedInstallation

DEFAULTS: dict[str, object] = {"onFail": "flag", "onSpam": "quarantine", "spamScore": None, "reject": []}
INHERITED: dict[str, object] = {"onFail": None, "onSpam": None, "spamScore": None, "reject": []}


async def routing_version(served: ServedInstallation) -> int:
    row = await served.database.fetch_one("routing_version")
    assert row is not None
    return int(row["version"])


async def audited(served: ServedInstallation) -> dict[str, Any]:
    found: dict[str, Any] = (await served.admin.get("/audit?limit=1")).body["audit"][0]["detail"]
    return found


async def test_the_workspace_answers_the_settings_in_effect(served: ServedInstallation) -> None:
    admin = served.admin

    async def change(**settings: object) -> dict[str, object]:
        changed = await admin.patch("/workspace", {"senderChecks": settings})
        assert changed.status == 200, changed.body
        assert (await admin.get("/workspace")).body == changed.body
        return dict(changed.body["senderChecks"])

    assert (await admin.get("/workspace")).body["senderChecks"] == DEFAULTS
    version = await routing_version(served)
    assert await change(onFail="quarantine", spamScore=8) == DEFAULTS | {"onFail": "quarantine", "spamScore": 8.0}
    assert await routing_version(served) > version, "the caches of other processes see the change"
    assert await audited(served) == {
        "onFail": "quarantine",
        "spamScore": "8",
        "before": {"onFail": "flag", "spamScore": ""},
    }
    assert await change(onSpam="show", reject=[]) == {
        "onFail": "quarantine",
        "onSpam": "show",
        "spamScore": 8.0,
        "reject": [],
    }
    assert (await admin.patch("/workspace", {"name": "Acme"})).body["senderChecks"]["onSpam"] == "show"
    assert await change(onFail=None, onSpam=None, spamScore=None) == DEFAULTS


async def test_an_alias_overrides_the_workspace_and_inherits_what_is_null(served: ServedInstallation) -> None:
    domain_id, integration_id, alias_id = await served.create_alias()
    path = f"/aliases/{alias_id}"
    assert (await served.admin.get(path)).body["senderChecks"] == INHERITED
    version = await routing_version(served)
    changed = await served.admin.patch(path, {"senderChecks": {"onFail": "show", "spamScore": 4.5}})
    assert changed.body["senderChecks"] == INHERITED | {"onFail": "show", "spamScore": 4.5}
    assert await routing_version(served) > version
    detail = await audited(served)
    assert (detail["onFail"], detail["spamScore"]) == ("show", "4.5")
    assert detail["before"].items() >= {"onFail": "", "spamScore": ""}.items()
    assert (await served.admin.patch(path, {"status": "disabled"})).body["senderChecks"]["onFail"] == "show"
    assert (await served.admin.patch(path, {"senderChecks": None})).body["senderChecks"]["onFail"] == "show"
    inherits = (await served.admin.patch(path, {"senderChecks": {"onFail": None}})).body
    assert inherits["senderChecks"] == INHERITED | {"spamScore": 4.5}
    assert (await served.admin.get("/aliases")).body["aliases"][0] == inherits
    assert (await served.admin.get("/workspace")).body["senderChecks"] == DEFAULTS
    request = {"domainId": domain_id, "localPart": "strict", "integrationId": integration_id}
    created = await served.admin.post("/aliases", request | {"senderChecks": {"onSpam": "flag"}})
    assert (created.status, created.body["senderChecks"]) == (201, INHERITED | {"onSpam": "flag"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"onFail": "reject"}, "onFail must be one of: show, flag, quarantine"),
        ({"onSpam": 1}, "senderChecks.onSpam must be a string"),
        ({"spamScore": 0}, "spamScore must be a number above 0 and at most 1000"),
        ({"spamScore": 1001}, "spamScore must be a number above 0 and at most 1000"),
        ({"spamScore": True}, "senderChecks.spamScore"),
        ({"reject": ["spam_reject"]}, "senderChecks.reject must be empty: refusing messages is not supported yet"),
        ({"onfail": "show"}, "senderChecks.onfail is not a known field"),
        ("flag", "senderChecks"),
    ],
)
async def test_invalid_settings_are_refused(sqlite_served: ServedInstallation, settings: object, message: str) -> None:
    served = sqlite_served
    _, _, alias_id = await served.create_alias()
    for path in ("/workspace", f"/aliases/{alias_id}"):
        refused = await served.admin.patch(path, {"senderChecks": settings})
        assert (refused.status, refused.code) == (400, "invalid_request")
        assert message in refused.body["error"]["message"]
    assert (await served.admin.get("/workspace")).body["senderChecks"] == DEFAULTS
