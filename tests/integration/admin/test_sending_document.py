"""The list `sending` of a workspace document: exported by reference, and applied."""

import pytest

from router.admin.domains.smarthost_setting import SmarthostSetting
from router.channels import CHANNELS
from router.errors import Refused
from router.provisioning import document
from router.provisioning.apply import DocumentApplier
from router.provisioning.export import export_document, take_snapshot
from tests.support.dns import DnsStandIn
from tests.support.installation import Installation, seeded_installation
from tests.support.stores import Store

REFERENCE = "env:SMARTHOST_PASSWORD_EXAMPLE_COM"


async def _export(installation: Installation) -> str:
    snapshot = await take_snapshot(installation.services, installation.actor)
    return document.render(export_document(snapshot, CHANNELS))


async def _apply(installation: Installation, text: str, passwords: dict[str, str], *, prune: bool = False) -> list[str]:
    """Applies a document; returns the changes, the objects that it does not list, and the notes."""
    applier = DocumentApplier(installation.services, installation.core.poster, passwords.get)
    snapshot = await take_snapshot(installation.services, installation.actor)
    plan = applier.plan(document.parse(text), snapshot, prune=prune)
    await applier.execute(installation.actor, plan)
    return [*(change.detail or change.name for change in plan.changes), *plan.unmanaged, *plan.notes]


async def _access(installation: Installation) -> tuple[str, str]:
    setup = await installation.core.sending.read(installation.domain_id)
    assert setup.access is not None
    assert setup.access.password is not None
    return str(setup.access.url), setup.access.password.reveal()


async def test_export_and_apply(store: Store, dns_server: DnsStandIn) -> None:
    async with seeded_installation(store, {"dns.nameservers": [dns_server.address]}) as installation:
        await _export_and_apply(installation)


async def _export_and_apply(installation: Installation) -> None:
    services, actor = installation.services, installation.actor
    settings = installation.core.box.encrypt('{"webhookUrl": "https://hooks.slack.com/services/T/B/X"}')
    await installation.database.execute(
        "operator_update_settings", id=installation.integration_id, encrypted_settings=settings
    )
    smarthost = SmarthostSetting("smtps://user@smtp.example.net", "first")
    await services.sending.set_enabled(actor, installation.domain_id, True)
    await services.sending.set_smarthost(actor, installation.domain_id, smarthost)
    exported = await _export(installation)
    url = "smtps://user@smtp.example.net:465"
    entry = f'domain = "example.com"\nenabled = true\nsmarthost = "{url}"\nsmarthost_password = "{REFERENCE}"'
    assert entry in exported
    sending = f"[[sending]]\n{entry}\n"
    assert "first" not in exported
    assert await _apply(installation, sending, {REFERENCE: "first"}) == []
    assert ["is not set" in note for note in await _apply(installation, sending, {})] == [True]
    assert await _apply(installation, sending, {REFERENCE: "second"}) == [f"smarthost_password: set -> {REFERENCE}"]
    assert await _access(installation) == ("smtps://user@smtp.example.net:465", "second")
    moved = sending.replace("smtp.example.net", "smtp.example.org")
    with pytest.raises(Refused, match=r"sending\[1\]\.smarthost: Enter the password"):
        await _apply(installation, moved, {})
    assert len(await _apply(installation, moved, {REFERENCE: "third"})) == 1
    assert await _access(installation) == ("smtps://user@smtp.example.org:465", "third")
    assert await _apply(installation, "sending = []\n", {}) == ["sending example.com"]
    off = '[[sending]]\ndomain = "EXAMPLE.com"\nenabled = false\n'
    assert len(await _apply(installation, off, {})) == 1
    view = await services.domains.get(actor, installation.domain_id)
    assert (view.domain.sending, view.smarthost) == ("off", None)
    with pytest.raises(Refused, match=r"nothing\.example is not a domain"):
        await _apply(installation, '[[sending]]\ndomain = "nothing.example"\n', {})
    await services.sending.set_enabled(actor, installation.domain_id, True)
    assert await _apply(installation, "sending = []\n", {}, prune=True) == ["example.com"]
    assert (await services.domains.get(actor, installation.domain_id)).domain.sending == "off"
