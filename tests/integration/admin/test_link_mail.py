"""Password links are mailed once a smarthost exists; if that fails, the admin gets the link with the reason."""

import asyncio
import email
import ssl
from collections.abc import AsyncIterator
from email import policy
from pathlib import Path

import dkim
import pytest
import trustme

from config import smarthost_url
from config.secret import Secret
from router.admin.access import link_mail
from router.admin.access.password_links import PasswordLink
from router.mail.dkim import private_key
from router.outbound.smarthost.client import SmarthostClient
from router.replies import sealed_smarthost
from router.secrets import DKIM_PURPOSE
from tests.support.installation import HOST, Installation, seeded_installation
from tests.support.smarthost import CLOSE, HANG, ScriptedSmarthost
from tests.support.stores import Store, sqlite_store

PUBLIC = {"server.public_url": "https://tickets.router.test"}


@pytest.fixture
async def smarthost() -> AsyncIterator[ScriptedSmarthost]:
    async with ScriptedSmarthost() as smarthost:
        yield smarthost


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with sqlite_store(tmp_path) as store:
        yield store


@pytest.fixture
async def mailing(store: Store, smarthost: ScriptedSmarthost) -> AsyncIterator[Installation]:
    settings = PUBLIC | {"outgoing.smarthost": smarthost.url}
    async with seeded_installation(store, settings) as found:
        yield found


async def invite(installation: Installation, **fields: object) -> PasswordLink:
    users = installation.services.users
    return (await users.invite(installation.actor, email="grace@people.test", name="Grace", **fields)).link  # type: ignore[arg-type]


async def test_invitation_is_mailed_and_not_returned(mailing: Installation, smarthost: ScriptedSmarthost) -> None:
    link = await invite(mailing)
    assert (link.url, link.mailed_to, link.mail_error) == (None, "grace@people.test", None)
    [sent] = smarthost.accepted
    assert (sent.sender, sent.recipients) == (f"postmaster@{HOST}", ["grace@people.test"])
    mail = email.message_from_bytes(sent.content, policy=policy.default)
    assert (mail["Auto-Submitted"], mail["Subject"][:13]) == ("auto-generated", "Invitation to")
    assert (str(mail["From"]), str(mail["To"])) == (f"Email Router <postmaster@{HOST}>", "Grace <grace@people.test>")
    text = mail.get_content()
    assert "for 7 days" in text
    url = next(line for line in text.splitlines() if line.startswith("https://tickets.router.test/set-password?token="))
    user = await mailing.services.password_links.find_user(url.partition("?token=")[2], address="")
    reset = await mailing.services.users.password_link(mailing.actor, user.id)
    assert (reset.url, reset.mailed_to) == (None, "grace@people.test")
    assert "for 24 hours" in smarthost.accepted[1].content.decode()
    shown = await mailing.services.users.password_link(mailing.actor, user.id, mail=False)
    assert (shown.url is not None, shown.mailed_to, len(smarthost.accepted)) == (True, None, 2)
    stored = [str(row) for table in ("messages", "audit", "deliveries") for row in await mailing.all_rows(table)]
    assert "set-password?token=" not in "".join(stored)


async def test_link_is_returned_with_the_reason(mailing: Installation, smarthost: ScriptedSmarthost) -> None:
    smarthost.answers["rcpt"] = "550 5.1.1 No such user"
    link = await invite(mailing)
    assert (link.url is not None, link.mailed_to, link.mail_error) == (True, None, "550 5.1.1 No such user")
    smarthost.answers = {"final": CLOSE}
    [user] = (await mailing.services.users.list(mailing.actor)).items
    link = await mailing.services.users.password_link(mailing.actor, user.id)
    assert (link.url is not None, link.mail_error) == (
        True,
        "the connection was closed; the mail may arrive nevertheless",
    )


async def test_a_link_that_the_smarthost_quotes_is_masked(mailing: Installation, smarthost: ScriptedSmarthost) -> None:
    """The reason is logged."""
    smarthost.answers["final"] = "550 5.7.1 Blocked: https://tickets.router.test/set-password?token=s3cr3t_x in text"
    link = await invite(mailing)
    assert link.mail_error == "550 5.7.1 Blocked: https://tickets.router.test/set-password?token=*** in text"


async def test_smarthost_that_does_not_answer(
    mailing: Installation, smarthost: ScriptedSmarthost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_mail, "MAIL_SECONDS", 0.1)
    smarthost.answers["final"] = HANG
    link = await invite(mailing)
    assert (link.url is not None, link.mail_error) == (True, "the smarthost did not accept the mail within 0.1 s")


async def test_mails_of_a_workspace_are_limited(
    mailing: Installation, smarthost: ScriptedSmarthost, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = mailing.services.users
    await invite(mailing)
    [user] = [user for user in (await users.list(mailing.actor)).items if user.email == "grace@people.test"]
    for _ in range(link_mail.MAIL_LIMIT.requests - 1):
        await users.password_link(mailing.actor, user.id)
    refused = await users.password_link(mailing.actor, user.id)
    assert (refused.mail_error, len(smarthost.accepted)) == ("60 links were mailed within an hour", 60)


async def test_link_to_this_host_is_not_mailed(store: Store, smarthost: ScriptedSmarthost) -> None:
    async with seeded_installation(store, {"outgoing.smarthost": smarthost.url}) as installation:
        link = await invite(installation)
    assert link.url is not None
    assert "set [server] public_url" in (link.mail_error or "")
    assert smarthost.connection_count == 0


async def test_domain_that_sends_signs_the_mail(store: Store) -> None:
    """Its own smarthost is used, over verified TLS."""
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with (
        ScriptedSmarthost(authority, user="mailer", password="pw") as smarthost,
        seeded_installation(store, PUBLIC, real_time=True) as installation,
    ):
        core = installation.core
        core.smarthost_client = SmarthostClient(helo=HOST, allow_private=True, tls_context=trust)
        sealed = sealed_smarthost.seal(core.box, smarthost_url.parse(smarthost.url_of("localhost")), Secret("pw"))
        key = await asyncio.to_thread(private_key.generate, "rsa")
        await installation.execute(f"UPDATE domains SET sending = 'active', encrypted_smarthost = '{sealed}'")
        await installation.execute(
            "INSERT INTO domain_keys "
            "(domain_id, selector, algorithm, encrypted_private_key, public_key, created_at, active_at) VALUES "
            f"('{installation.domain_id}', 'er203001', 'rsa', '{core.box.encrypt(key.private_pem, DKIM_PURPOSE)}', "
            f"'{key.public_value}', 1, 1)"
        )
        link = await invite(installation)
    assert link.mailed_to == "grace@people.test", link
    [sent] = smarthost.accepted
    assert sent.sender == f"postmaster@{installation.domain_name}"
    asked: list[bytes] = []

    def find_key(name: bytes, **_: object) -> bytes:
        asked.append(name)
        return f"v=DKIM1; k=rsa; p={key.public_value}".encode()

    assert dkim.verify(sent.content, dnsfunc=find_key)
    assert asked == [f"er203001._domainkey.{installation.domain_name}.".encode()]
