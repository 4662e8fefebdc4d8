"""Sending from a domain: keys, records, rechecks, rotation and takeover, against a DNS server on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from emailrouter import use_cases
from router.admin.domains.domain_view import DomainView
from router.admin.domains.smarthost_setting import SmarthostSetting
from router.admin.installation.key_rotation import FINGERPRINT_FACT, KeyRotationService
from router.clock import SECOND
from router.dns.verification import RecordReport
from router.errors import Refused
from router.model import Domain
from router.replies.sending import SendingReader, SendingSetup
from router.replies.sending_state import DAY
from router.secrets import DKIM_PURPOSE, SecretBox, fingerprint, new_key
from tests.support.dns import DnsStandIn
from tests.support.installation import HOST, Installation, seeded_installation
from tests.support.refusal import refused_code
from tests.support.stores import Store

NAME = "example.com"
SMARTHOST = "smtps://mailer@smtp.sendgrid.net:465"
SETTINGS = {"outgoing.smarthost": SMARTHOST, "outgoing.smarthost_password": "secret"}
INCLUDE = "include:sendgrid.net"


class SendingDomainSetup:
    """An installation whose verified domain sends."""

    def __init__(self, installation: Installation, dns: DnsStandIn) -> None:
        self.installation, self.dns = installation, dns
        self.actor, self.domain_id = installation.actor, installation.domain_id
        self.sending = installation.services.sending
        self.checks = use_cases.build_domain_checks(installation.core)

    def publish(self, view: DomainView, *names: str) -> None:
        """Publishes the expected records: all, or those with these names."""
        for record in view.sending_records:
            if not names or record.name in names:
                self.dns.set(record.name, "TXT", *record.expected)

    async def activate(self) -> DomainView:
        self.publish(await self.sending.set_enabled(self.actor, self.domain_id, True))
        return await self.verify()

    async def verify(self) -> DomainView:
        return await self.installation.services.domains.verify(self.actor, self.domain_id)

    async def view(self) -> DomainView:
        return await self.installation.services.domains.get(self.actor, self.domain_id)

    async def recheck(self, after: int = 2 * DAY) -> Domain:
        self.installation.clock.advance(after / SECOND)
        await self.checks.recheck_due()
        return (await self.view()).domain

    async def read(self) -> SendingSetup:
        return await self.installation.core.sending.read(self.domain_id)

    async def fix(self) -> str:
        """Returns what must be done before new mail can be sent; "" if it can be."""
        try:
            await self.installation.core.sending.require(self.domain_id)
        except Refused as refused:
            return f"{refused.code}: {refused.details['fix']}"
        return ""


@asynccontextmanager
async def _open(store: Store, dns: DnsStandIn, **settings: object) -> AsyncIterator[SendingDomainSetup]:
    found = {
        "dns.nameservers": [dns.address],
        **SETTINGS,
        **{f"outgoing.{key}": value for key, value in settings.items()},
    }
    async with seeded_installation(store, found) as installation:
        dns.set(NAME, "MX", f"10 {HOST}.")
        dns.set("sendgrid.net", "TXT", "v=spf1 ip4:167.89.0.0/17 ~all")
        yield SendingDomainSetup(installation, dns)


@pytest.fixture
async def sender(store: Store, dns_server: DnsStandIn) -> AsyncIterator[SendingDomainSetup]:
    async with _open(store, dns_server) as opened:
        yield opened


def _find(view: DomainView, purpose: str) -> RecordReport:
    return next(record for record in view.sending_records if record.purpose == purpose)


async def test_sending_becomes_active_when_dns_shows_the_key(sender: SendingDomainSetup) -> None:
    assert "sending_not_set_up: Turn on sending" in await sender.fix()
    view = await sender.sending.set_enabled(sender.actor, sender.domain_id, True)
    dkim = _find(view, "dkim")
    assert (view.domain.sending, dkim.name, dkim.status) == ("pending", f"er203001._domainkey.{NAME}", "missing")
    assert [len(string) for string in dkim.strings] == [255, len(dkim.expected[0]) - 255]
    assert _find(view, "spf").expected == (f"v=spf1 {INCLUDE} ~all",)
    assert _find(view, "dmarc").expected[0].startswith("v=DMARC1; p=none; rua=")
    assert '"v=DKIM1; k=rsa; p=' in view.zone_file
    assert "Publish the DKIM record" in await sender.fix()
    sender.publish(view)
    view = await sender.verify()
    assert (view.domain.sending, view.keys[0].state) == ("active", "active")
    assert {record.status for record in view.sending_records} == {"ok"}
    assert await sender.fix() == ""
    setup = await sender.read()
    assert setup.access is not None
    assert (str(setup.access.url), setup.smarthost_id, setup.access.is_guarded) == (SMARTHOST, "installation", False)
    assert [(key.domain, key.selector) for key in setup.keys] == [(NAME, "er203001")]


async def test_spf_and_dmarc_are_warnings(sender: SendingDomainSetup) -> None:
    view = await sender.sending.set_enabled(sender.actor, sender.domain_id, True)
    sender.publish(view, _find(view, "dkim").name)
    view = await sender.verify()
    assert (view.domain.sending, _find(view, "spf").status, _find(view, "dmarc").status) == (
        "active", "missing", "missing",
    )  # fmt: skip
    sender.dns.set(NAME, "TXT", "v=spf1 a:mail.example.com -all")
    sender.dns.set("mail.example.com", "A", "93.184.216.34")
    view = await sender.verify()
    assert _find(view, "spf").expected == (f"v=spf1 a:mail.example.com {INCLUDE} -all",)
    assert f"{INCLUDE} is missing" in _find(view, "spf").fix


async def test_a_lost_record_fails_after_two_rechecks_and_loses_no_mail(sender: SendingDomainSetup) -> None:
    view = await sender.activate()
    name = _find(view, "dkim").name
    sender.dns.fail(name, "SERVFAIL")
    assert [(await sender.recheck()).sending for _ in range(3)] == ["active"] * 3
    sender.dns.restore(name)
    sender.dns.remove(name)
    assert (await sender.verify()).domain.sending == "active"  # a person who checks does not break anything
    sender.publish(view)
    assert (await sender.recheck()).sending == "active"
    sender.dns.remove(name)
    assert (await sender.recheck()).sending == "active"
    sender.dns.fail(name, "SERVFAIL")
    assert (await sender.recheck()).sending == "active"
    sender.dns.restore(name)
    assert [(await sender.recheck()).sending for _ in range(2)] == ["active", "failing"]
    domain = (await sender.view()).domain
    assert "New replies cannot be sent" in domain.alert
    services = sender.installation.services
    assert (await services.attention.get_counts(sender.actor)).missing == 1
    assert [each.id for each in (await services.health.get(sender.actor)).domains] == [domain.id]
    assert "missing or wrong" in await sender.fix()
    setup = await sender.read()  # queued mail is sent, and signed, because the record may be back
    assert setup.access is not None
    assert len(setup.keys) == 1
    sender.dns.fail(name, "SERVFAIL")
    assert (await sender.recheck()).sending == "failing"
    sender.dns.restore(name)
    sender.publish(view)
    domain = await sender.recheck(3700 * SECOND)
    assert domain.sending == "active"
    assert "again" in domain.alert
    assert await sender.fix() == ""


async def test_rotation_signs_with_the_next_key_once_dns_shows_it(sender: SendingDomainSetup) -> None:
    await sender.activate()
    view = await sender.sending.rotate(sender.actor, sender.domain_id)
    again = await sender.sending.rotate(sender.actor, sender.domain_id)
    assert [(key.selector, key.state) for key in again.keys] == [("er203001", "active"), ("er203001-2", "waiting")]
    assert [key.selector for key in (await sender.read()).keys] == ["er203001"]
    sender.publish(view)
    assert (await sender.recheck(1000 * SECOND)).sending == "active"
    view = await sender.view()
    assert [(key.selector, key.state) for key in view.keys] == [("er203001", "retired"), ("er203001-2", "active")]
    assert view.keys[0].removable_at == (view.keys[0].retired_at or 0) + 7 * DAY
    assert [key.selector for key in (await sender.read()).keys] == ["er203001-2"]
    stored = await sender.installation.database.fetch_all("domain_keys", domain_id=sender.domain_id)
    assert [bool(row["encrypted_private_key"]) for row in stored] == [False, True]
    sender.dns.remove(f"er203001._domainkey.{NAME}")
    await sender.recheck()
    assert len((await sender.view()).keys) == 2  # receivers may still verify older mail
    await sender.recheck(8 * DAY)
    assert [key.selector for key in (await sender.view()).keys] == ["er203001-2"]


async def test_an_ed25519_key_signs_as_well(store: Store, dns_server: DnsStandIn) -> None:
    async with _open(store, dns_server, dkim_ed25519=True) as sender:
        view = await sender.sending.set_enabled(sender.actor, sender.domain_id, True)
        sender.publish(view, f"er203001._domainkey.{NAME}")
        assert (await sender.verify()).domain.sending == "active"
        assert [key.algorithm for key in (await sender.read()).keys] == ["rsa"]
        sender.publish(view)
        await sender.verify()
        assert [key.algorithm for key in (await sender.read()).keys] == ["rsa", "ed25519"]


async def test_turning_sending_off_keeps_the_keys(sender: SendingDomainSetup) -> None:
    await sender.activate()
    view = await sender.sending.set_enabled(sender.actor, sender.domain_id, False)
    assert (view.domain.sending, view.sending_records, len(view.keys)) == ("off", (), 1)
    assert (await sender.read()).access is not None
    assert await refused_code(sender.sending.rotate(sender.actor, sender.domain_id)) == ("sending_not_set_up", None)
    view = await sender.sending.set_enabled(sender.actor, sender.domain_id, True)
    assert (view.domain.sending, [key.selector for key in view.keys]) == ("active", ["er203001"])


async def test_a_workspace_that_loses_the_domain_loses_its_keys(sender: SendingDomainSetup) -> None:
    await sender.activate()
    services = sender.installation.services
    theirs = await sender.installation.add_workspace()
    taken = (await services.domains.create(theirs, NAME)).domain
    sender.dns.set(f"_emailrouter.{NAME}", "TXT", f"emailrouter-verification={taken.token}")
    assert (await services.domains.verify(theirs, taken.id)).domain.status == "active"
    lost = await sender.view()
    assert (lost.domain.status, lost.domain.sending, lost.keys) == ("pending_verification", "off", ())
    setup = await sender.read()
    assert (setup.access, setup.keys) == (None, ())
    view = await services.sending.set_enabled(theirs, taken.id, True)
    assert _find(view, "dkim").status == "wrong"
    assert "another key" in _find(view, "dkim").fix


async def test_the_smarthost_of_a_domain_replaces_that_of_the_installation(sender: SendingDomainSetup) -> None:
    view = await sender.sending.set_enabled(sender.actor, sender.domain_id, True)
    setting = SmarthostSetting("smtps://AKIAEXAMPLE@email-smtp.eu-west-1.amazonaws.com", "pass word")
    view = await sender.sending.set_smarthost(sender.actor, sender.domain_id, setting)
    assert view.smarthost == "smtps://AK…@email-smtp.eu-west-1.amazonaws.com:465"
    assert _find(view, "spf").expected == ("v=spf1 include:amazonses.com ~all",)
    setup = await sender.read()
    assert setup.access is not None
    assert setup.access.password is not None
    assert setup.access.password.reveal() == "pass word"
    assert (setup.smarthost_id, setup.access.is_guarded) == (sender.domain_id, True)
    rows = await sender.installation.database.fetch_all("smarthost_list")
    assert [(row["id"], row["status"]) for row in rows if row["id"] != "installation"] == [(sender.domain_id, "active")]
    view = await sender.sending.set_smarthost(sender.actor, sender.domain_id, None)
    assert (view.smarthost, (await sender.read()).smarthost_id) == (None, "installation")


async def test_a_new_secret_key_keeps_keys_and_smarthosts(sender: SendingDomainSetup) -> None:
    await sender.activate()
    setting = SmarthostSetting("smtp://user@smtp.mailgun.org", "secret")
    await sender.sending.set_smarthost(sender.actor, sender.domain_id, setting)
    installation, new = sender.installation, new_key()
    await installation.database.execute(
        "installation_insert", name=FINGERPRINT_FACT, value=fingerprint(installation.secret_key)
    )
    settings = installation.core.box.encrypt("{}")
    await installation.database.execute(
        "operator_update_settings", id=installation.integration_id, encrypted_settings=settings
    )
    before = (await sender.read()).keys[0]
    rotation = KeyRotationService(installation.database, installation.clock)
    assert await rotation.reencrypt_all(installation.secret_key, new) == 3  # with the integration of the workspace
    reader = SendingReader(installation.database, SecretBox(new), installation.core.config.outgoing)
    setup = await reader.read(sender.domain_id)
    assert setup.access is not None
    assert setup.access.password is not None
    assert setup.access.password.reveal() == "secret"
    assert setup.keys[0].key.private_numbers() == before.key.private_numbers()  # type: ignore[union-attr]
    old = SendingReader(installation.database, installation.core.box, installation.core.config.outgoing)
    setup = await old.read(sender.domain_id)
    assert (setup.access, setup.keys) == (None, ())
    assert "cannot be decrypted" in setup.reason


async def test_keys_of_a_lost_secret_key_are_replaced_when_sending_is_turned_on_again(
    sender: SendingDomainSetup,
) -> None:
    await sender.activate()
    installation = sender.installation
    foreign = SecretBox(new_key()).encrypt("-----BEGIN", DKIM_PURPOSE)
    await installation.execute("UPDATE domain_keys SET encrypted_private_key = :foreign", foreign=foreign)
    settings = installation.core.box.encrypt("{}")
    await installation.execute("UPDATE integrations SET encrypted_settings = :settings", settings=settings)
    key = installation.secret_key
    await installation.database.execute("installation_insert", name=FINGERPRINT_FACT, value=fingerprint(key))
    rotation = KeyRotationService(installation.database, installation.clock)
    with pytest.raises(Refused, match=rf"DKIM key er203001 of {NAME} .* turn sending from the domain off and on"):
        await rotation.reencrypt_all(key, new_key())
    view = await sender.sending.set_enabled(sender.actor, sender.domain_id, True)  # it is on: nothing changes
    assert [each.selector for each in view.keys] == ["er203001"]
    assert "turn sending off and on" in (await sender.read()).reason
    await sender.sending.set_enabled(sender.actor, sender.domain_id, False)
    view = await sender.sending.set_enabled(sender.actor, sender.domain_id, True)
    assert (view.domain.sending, [each.selector for each in view.keys]) == ("pending", ["er203001-2"])
    sender.publish(view)
    assert (await sender.verify()).domain.sending == "active"
    assert [each.selector for each in (await sender.read()).keys] == ["er203001-2"]
    assert await rotation.reencrypt_all(key, new_key()) == 2


async def test_removing_the_domain_removes_keys_and_smarthost(sender: SendingDomainSetup) -> None:
    await sender.activate()
    setting = SmarthostSetting("smtp://user@smtp.mailgun.org", "secret")
    await sender.sending.set_smarthost(sender.actor, sender.domain_id, setting)
    await sender.installation.services.domains.delete(sender.actor, sender.domain_id, force=True)
    database = sender.installation.database
    assert await database.fetch_all("domain_keys", domain_id=sender.domain_id) == []
    assert sender.domain_id not in {row["id"] for row in await database.fetch_all("smarthost_list")}
    setup = await sender.read()
    assert (setup.access, setup.reason) == (None, "its domain was removed")
    assert "Add the domain again" in await sender.fix()
