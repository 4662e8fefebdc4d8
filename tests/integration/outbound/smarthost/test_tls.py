"""When TLS is required, and which certificates are accepted."""

import ssl

import pytest
import trustme

from config import smarthost_url
from config.secret import Secret
from router.outbound.smarthost.access import SmarthostAccess
from router.outbound.smarthost.client import SmarthostClient
from tests.integration.outbound.calls import StaticResolver
from tests.integration.outbound.smarthost.submitting import access_to, submit
from tests.support.smarthost import CLOSE, HANG, Rule, ScriptedSmarthost

AUTHORITY, STRANGER = trustme.CA(), trustme.CA()
HOST = "smarthost.test"


def client_of(*, allow_private: bool = True, timeout: float = 10.0) -> SmarthostClient:
    trust = ssl.create_default_context()
    AUTHORITY.configure_trust(trust)
    resolver = StaticResolver({HOST: ["127.0.0.1"], "127.0.0.1": ["127.0.0.1"]})
    return SmarthostClient(
        helo="mail.example.com", timeout=timeout, allow_private=allow_private, tls_context=trust, resolver=resolver
    )


@pytest.mark.parametrize("implicit", [True, False])
async def test_verified_certificate(implicit: bool) -> None:
    async with ScriptedSmarthost(AUTHORITY, implicit_tls=implicit, user="mailer", password="pw") as smarthost:
        outcome = await submit(client_of(), access_to(smarthost, host=HOST, is_guarded=True))
    assert outcome.kind == "accepted"
    assert (smarthost.accepted[0].is_tls, smarthost.accepted[0].user) == (True, "mailer")


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize(
    ("authority", "names", "text"),
    [
        (STRANGER, (HOST,), f"certificate verification failed for {HOST}: its issuer is not trusted"),
        (AUTHORITY, ("other.test",), f"the certificate is not valid for {HOST}"),
    ],
)
async def test_wrong_certificate(authority: trustme.CA, names: tuple[str, ...], text: str, implicit: bool) -> None:
    async with ScriptedSmarthost(authority, names, implicit, user="mailer", password="pw") as smarthost:
        outcome = await submit(client_of(), access_to(smarthost, host=HOST))
        assert (outcome.kind, outcome.stage, outcome.text) == ("retry", "tls", text)
        assert "AUTH ***" not in smarthost.commands
        if not implicit:
            relaxed = access_to(smarthost, host=HOST, query="?tls=opportunistic")
            assert (await submit(client_of(), relaxed)).kind == "accepted"
            guarded = access_to(smarthost, host=HOST, query="?tls=opportunistic", is_guarded=True)
            assert (await submit(client_of(), guarded)).stage == "tls"


async def test_loopback_needs_no_verified_certificate() -> None:
    async with ScriptedSmarthost(STRANGER, user="mailer", password="pw") as smarthost:
        assert (await submit(client_of(), access_to(smarthost))).kind == "accepted"
        guarded = await submit(client_of(), access_to(smarthost, is_guarded=True))
    assert (guarded.kind, guarded.stage) == ("retry", "tls")


async def test_tls_is_required_and_not_offered() -> None:
    async with ScriptedSmarthost(user="mailer", password="pw") as smarthost:
        outcome = await submit(client_of(), access_to(smarthost, host=HOST))
        assert (outcome.kind, outcome.stage, outcome.code) == ("smarthost", "tls", None)
        assert outcome.text == "the smarthost does not offer STARTTLS, which is required"
        relaxed = await submit(client_of(), access_to(smarthost, host=HOST, query="?tls=opportunistic"))
    assert (relaxed.kind, relaxed.stage) == ("smarthost", "auth")
    assert relaxed.text == "the password was not sent, because the smarthost has no TLS"
    assert smarthost.commands == ["EHLO mail.example.com"] * 2


@pytest.mark.parametrize(
    ("step", "answer", "kind", "code"),
    [
        ("starttls", "454 4.7.0 TLS not available", "retry", 454),
        ("starttls", "502 5.5.1 Not implemented", "smarthost", 502),
        ("starttls", CLOSE, "retry", None),
        ("starttls", HANG, "retry", None),
        ("tls", b"220 this is not TLS\r\n", "retry", None),
        ("tls", CLOSE, "retry", None),
        ("tls", HANG, "retry", None),
    ],
)
async def test_tls_failure(step: str, answer: Rule, kind: str, code: int | None) -> None:
    async with ScriptedSmarthost(AUTHORITY, answers={step: answer}) as smarthost:
        timeout = 0.2 if answer is HANG else 10.0
        outcome = await submit(client_of(timeout=timeout), access_to(smarthost, host=HOST))
    assert (outcome.kind, outcome.stage, outcome.code) == (kind, "tls", code)


async def test_plain_server_on_a_port_for_implicit_tls() -> None:
    async with ScriptedSmarthost() as smarthost:
        url = smarthost_url.parse(f"smtps://{HOST}:{smarthost.port}")
        outcome = await submit(client_of(), SmarthostAccess("installation", url))
    assert (outcome.kind, outcome.stage, outcome.text) == ("retry", "tls", f"TLS handshake with {HOST} failed")


async def test_bytes_before_the_handshake_are_not_answers() -> None:
    """A man in the middle may inject text after the answer to STARTTLS (RFC 3207 section 4.2)."""
    injected = b"220 Ready\r\n250-injected\r\n250 AUTH PLAIN\r\n"
    async with ScriptedSmarthost(AUTHORITY, answers={"starttls": injected}) as smarthost:
        outcome = await submit(client_of(), access_to(smarthost, host=HOST))
    assert outcome.kind == "accepted"
    assert smarthost.accepted[0].is_tls


async def test_domain_needs_a_public_address() -> None:
    async with ScriptedSmarthost(AUTHORITY) as smarthost:
        outcome = await submit(client_of(allow_private=False), access_to(smarthost, host=HOST, is_guarded=True))
        assert (outcome.kind, outcome.stage) == ("smarthost", "connect")
        assert outcome.text == "address 127.0.0.1 is loopback; set [delivery] allow_private_networks to allow it"
        assert smarthost.connection_count == 0
        assert (await submit(client_of(allow_private=False), access_to(smarthost, host=HOST))).kind == "accepted"


async def test_probe_sends_nothing() -> None:
    async with ScriptedSmarthost(AUTHORITY, user="mailer", password="pw", size=1000) as smarthost:
        found = await client_of().probe(access_to(smarthost, host=HOST))
        assert (found.kind, found.is_authenticated, found.max_message_bytes) == ("accepted", True, 1000)
        assert (found.tls[:3], found.supports_smtputf8) == ("TLS", True)
        assert smarthost.commands[-1] == "QUIT"
        url = smarthost_url.parse(smarthost.url_of(HOST))
        found = await client_of().probe(SmarthostAccess("installation", url, Secret("wrong")))
        assert (found.kind, found.stage, found.code) == ("smarthost", "auth", 535)
        without = await client_of().probe(SmarthostAccess("installation", url))
        assert (without.stage, without.text) == ("auth", "no password is set for the user mailer")
    assert not any(command.startswith("MAIL") for command in smarthost.commands)
