"""`emailrouter check` connects to the smarthosts, signs in and sends nothing."""

from collections.abc import AsyncIterator

import pytest

from config import smarthost_url
from config.secret import Secret
from emailrouter.check import smarthosts
from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult
from router.clock import SystemClock
from router.dns.resolver import DnsResolver
from router.replies import sealed_smarthost
from router.secrets import SecretBox
from tests.support.installation.checked import CheckedInstallation, assert_line
from tests.support.installation.settings import DOMAIN
from tests.support.smarthost import ScriptedSmarthost


@pytest.fixture
async def smarthost(setup: CheckedInstallation) -> AsyncIterator[ScriptedSmarthost]:
    async with ScriptedSmarthost(setup.authority, user="mailer", password="pass word", size=40_000_000) as smarthost:
        setup.settings["outgoing.smarthost"] = smarthost.url_of("localhost")
        setup.settings["outgoing.smarthost_password"] = "pass word"
        yield smarthost


async def lines_of(setup: CheckedInstallation) -> list[CheckResult]:
    database = setup.installation.database
    context = CheckContext(setup.config, DnsResolver([]), SystemClock(), database, tls_context=setup.trust)
    return await smarthosts.smarthosts(context)


async def test_no_smarthost(setup: CheckedInstallation) -> None:
    assert await lines_of(setup) == []


async def test_smarthost_is_ready(setup: CheckedInstallation, smarthost: ScriptedSmarthost) -> None:
    [line] = [line for line in await setup.run_checks() if line.check.startswith("smarthost")]
    assert (line.check, line.status) == ("smarthost", "ok")
    assert f"@localhost:{smarthost.port} is ready for mail: TLSv1.3, signed in, messages of up to 40.0 MB" in line.text
    assert "mailer" not in line.text
    assert smarthost.commands[-1] == "QUIT"
    assert not any(command.startswith("MAIL") for command in smarthost.commands)


@pytest.mark.parametrize(
    ("step", "answer", "fix"),
    [
        ("auth", "535 5.7.8 Wrong", "[outgoing] smarthost_password"),
        ("starttls", "454 4.7.0 Later", "certificate"),
        ("greeting", "554 5.7.1 Blocked", "provider"),
    ],
)
async def test_smarthost_that_rejects_us(
    setup: CheckedInstallation, smarthost: ScriptedSmarthost, step: str, answer: str, fix: str
) -> None:
    smarthost.answers[step] = answer
    assert_line(await lines_of(setup), "fail", f"{answer}; replies are not sent", fix)


async def test_wrong_port(setup: CheckedInstallation) -> None:
    setup.settings["outgoing.smarthost"] = "smtp://localhost:1"
    assert_line(await lines_of(setup), "fail", "connection refused", "allow connections to port 1")


async def test_what_earlier_submissions_have_shown(setup: CheckedInstallation, smarthost: ScriptedSmarthost) -> None:
    smarthost.size = 1_000_000
    await setup.installation.execute(
        "INSERT INTO smarthosts (id, url, status, last_error, rejects_token_sender) "
        f"VALUES ('installation', '{smarthost.url_of('localhost')}', 'failing', '535 Wrong', 1)"
    )
    lines = await lines_of(setup)
    assert [line.status for line in lines] == ["ok", "warn", "warn", "warn"]
    assert_line(lines, "warn", "allows", "at most 714285")
    assert_line(lines, "warn", "is failing (535 Wrong)", "Check again")
    assert_line(lines, "warn", "rejects senders like b-<token>@domain", 'bounce_address = "alias"')


async def test_smarthost_of_a_domain(setup: CheckedInstallation) -> None:
    async with ScriptedSmarthost(setup.authority, user="tenant", password="pw") as smarthost:
        url = smarthost_url.parse(smarthost.url_of("localhost"))
        sealed = sealed_smarthost.seal(SecretBox(setup.installation.secret_key), url, Secret("pw"))
        await setup.installation.execute(f"UPDATE domains SET encrypted_smarthost = '{sealed}' WHERE name = '{DOMAIN}'")
        setup.settings["delivery.allow_private_networks"] = True
        [line] = await lines_of(setup)
        assert (line.check, line.status) == (f"smarthost of {DOMAIN}", "ok"), line
        setup.settings["delivery.allow_private_networks"] = False
        assert_line(await lines_of(setup), "fail", "is loopback", f"the smarthost of {DOMAIN}")
        await setup.installation.execute("UPDATE domains SET encrypted_smarthost = 'x'")
        assert_line(await lines_of(setup), "fail", "cannot be decrypted", "secret key")
    assert len(smarthost.commands) == 5
