"""Sends mail by SMTP, as a mail server of somebody else."""

from __future__ import annotations

import smtplib
from email import policy
from email.message import Message
from email.utils import parseaddr

STEP_SECONDS = 15.0  # time limit of a step of the demo


class DemoFailed(Exception):  # noqa: N818 - an outcome, not an error in the code
    """A step of the demo did not have the expected result."""


def submit(address: tuple[str, int], sender: str, recipient: str, mail: Message) -> str:
    """Sends a mail and returns the reply. Raises `DemoFailed` if it is not accepted."""
    host = parseaddr(str(mail["From"]))[1].rpartition("@")[2]  # SPF checks it if the reverse-path is null
    try:
        with smtplib.SMTP(*address, local_hostname=host, timeout=STEP_SECONDS) as client:
            client.ehlo()
            client.mail(sender)
            client.rcpt(recipient)
            code, text = client.data(mail.as_bytes(policy=policy.SMTP))
    except (smtplib.SMTPException, OSError) as error:
        raise DemoFailed(f"the mail was not accepted: {error}") from error
    reply = f"{code} {text.decode()}"
    if code != 250:
        raise DemoFailed(f"the mail was not accepted: {reply}")
    return reply
