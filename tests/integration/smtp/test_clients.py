"""Sessions with the standard library's smtplib as the client."""

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.support.smtp_doubles import RunningSmtpServer, running_server


def make_message(to: str = "support@example.com") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@client.test", to, "Grüße"
    message.set_content("a line\n.a dot\n..two\n.\nend\n")
    message.add_attachment(bytes(range(256)) * 400, maintype="image", subtype="png", filename="x.png")
    message.set_boundary("=_one")  # otherwise, send_message() would generate a boundary in a copy only
    return message


async def run_client(server: RunningSmtpServer, work: Callable[[smtplib.SMTP], object]) -> object:
    def run() -> object:
        with smtplib.SMTP(server.host, server.port, timeout=10) as client:
            return work(client)

    return await asyncio.to_thread(run)


async def test_mail_arrives_byte_for_byte() -> None:
    async with running_server() as server:
        message = make_message()
        assert await run_client(server, lambda client: client.send_message(message)) == {}
        assert server.mails.contents[0].replace(b"\r\n", b"\n").rstrip() == message.as_bytes().rstrip()


async def test_starttls(tls_files: tuple[Path, Path], tls_client: ssl.SSLContext) -> None:
    def work(client: smtplib.SMTP) -> object:
        client.starttls(context=tls_client)
        return client.send_message(make_message())

    async with running_server(tls_cert=tls_files[0], tls_key=tls_files[1]) as server:
        await run_client(server, work)
        assert server.mails.mails[0][0].protocol == "ESMTPS"


async def test_smtputf8() -> None:
    async with running_server() as server:
        await run_client(server, lambda client: client.send_message(make_message("büro@bücher.example")))
        envelope, _ = server.mails.mails[0]
        assert envelope.targets[0].recipient == "büro@bücher.example"
        assert envelope.protocol == "UTF8SMTP"


async def test_some_recipients_rejected() -> None:
    async with running_server() as server:
        to = ["support@example.com", "nobody@example.com", "x@elsewhere.example"]
        refused = await run_client(server, lambda client: client.sendmail("a@client.test", to, "Subject: x\n\nx\n"))
        assert isinstance(refused, dict)
        assert {recipient: code for recipient, (code, _) in refused.items()} == dict.fromkeys(to[1:], 550)


async def test_large_mail_is_rejected_by_its_declared_size() -> None:
    async with running_server(max_message_bytes=50_000) as server:
        with pytest.raises(smtplib.SMTPSenderRefused) as raised:
            await run_client(server, lambda client: client.send_message(make_message()))
        assert raised.value.smtp_code == 552
