"""SIGHUP reloads certificates and the log level, and open sessions continue."""

import ssl
from pathlib import Path

import trustme

from tests.support import mails
from tests.support.installation import migrated_installation, split_address
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.smtp import RawSmtp, send_mail
from tests.system.systemd.service_manager import ServiceManager

HOST = "mx1.host.test"


def issue_certificate(folder: Path) -> ssl.SSLContext:
    """Writes a new certificate and returns a client context that trusts its authority."""
    authority = trustme.CA()
    issued = authority.issue_cert(HOST)
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    context = ssl.create_default_context()
    context.check_hostname = False
    authority.configure_trust(context)
    return context


async def handshake(address: str, trusting: ssl.SSLContext) -> int:
    """Returns the reply code to EHLO after STARTTLS, or 0 if the certificate is not trusted."""
    host, port = split_address(address)
    async with await RawSmtp.connect(host, port) as client:
        await client.command("EHLO client.test", 250)
        try:
            await client.starttls(trusting)
        except ssl.SSLCertVerificationError:
            return 0
        return (await client.command("EHLO client.test")).code


async def test_certificates_are_reloaded_and_sessions_stay(tmp_path: Path, slack: SlackStandIn) -> None:
    before = issue_certificate(tmp_path)
    tls = {"smtp.tls_cert": str(tmp_path / "cert.pem"), "smtp.tls_key": str(tmp_path / "key.pem")}
    async with migrated_installation(tmp_path, slack) as installation:
        env = {**installation.settings, **tls}
        async with Program("smtp", env=env, cwd=tmp_path) as program:
            (address,) = (await program.ready())["smtp"]
            assert await handshake(address, before) == 250
            async with await RawSmtp.connect(*split_address(address)) as session:
                await session.command("EHLO client.test", 250)
                after = issue_certificate(tmp_path)
                program.send_sighup()
                await program.wait_event("smtp.certificate_loaded")
                assert await handshake(address, after) == 250
                assert await handshake(address, before) == 0
                await session.command("NOOP", 250)


async def test_the_log_level_is_reloaded(tmp_path: Path, slack: SlackStandIn) -> None:
    file = tmp_path / "emailrouter.toml"
    file.write_text("")
    async with migrated_installation(tmp_path, slack) as installation, ServiceManager(tmp_path) as manager:
        env = {**installation.settings, "NOTIFY_SOCKET": manager.path}
        async with Program("smtp", "--config", str(file), env=env, cwd=tmp_path) as program:
            host, port = split_address((await program.ready())["smtp"][0])

            async def mail() -> None:
                reply = await send_mail(host, port, "ada@customer.test", ["support@example.org"], mails.plain())
                assert reply.code == 250

            async def reload(text: str, n: int) -> None:
                file.write_text(text)
                program.send_sighup()
                await manager.wait_for_line("READY=1", 1 + n)

            await mail()
            await program.wait_event("smtp.accepted")
            await reload('[server]\nlog_level = "warning"\n', 1)
            await mail()
            await reload('[server]\nlog_level = "loud"\n', 2)
            await mail()
            await reload('[server]\nlog_level = "debug"\n', 3)
            await mail()
            await program.wait_event("smtp.accepted", 2)
            assert await program.terminate() == 0
        assert len(program.log_events("smtp.accepted")) == 2
        (unusable,) = program.log_events("reload.configuration_invalid")
        assert "server.log_level" in unusable["reason"]
        assert program.log_events("smtp.client_connected"), "debug events are logged"
