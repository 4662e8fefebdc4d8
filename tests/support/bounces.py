"""Bounces as the usual mail servers write them. The texts are ours; the structure is that of the servers."""

from collections.abc import Callable
from dataclasses import dataclass

from router.mail.delivery_reports import ReportAction


def report(fields: str, *, text: str = "The message was not delivered.", returned: str = "", **header: str) -> bytes:
    """Builds a message with a delivery report (RFC 3464). returned: the header of the returned message."""
    shown = {
        "From": "Mail Delivery System <mailer-daemon@mx.test>",
        "To": "<b-token@example.com>",
        "Subject": "Undelivered Mail Returned to Sender",
        "Message-ID": f"<{abs(hash((fields, text, returned)))}@mx.test>",
        "Content-Type": 'multipart/report; report-type=delivery-status; boundary="b"',
    } | {name.replace("_", "-"): value for name, value in header.items()}
    lines = [f"{name}: {value}" for name, value in shown.items()]
    lines += ["", "--b", "Content-Type: text/plain", "", text, "", "--b", "Content-Type: message/delivery-status", ""]
    lines += ["Reporting-MTA: dns; mx.test", "", *fields.split("\n"), ""]
    lines += ["--b", "Content-Type: text/rfc822-headers", "", *returned.split("\n"), "", "--b--", ""]
    return "\r\n".join("\r\n".join(lines).splitlines()).encode() + b"\r\n"


def text_bounce(text: str, subject: str = "failure notice", **header: str) -> bytes:
    """Builds a bounce without a report."""
    shown = {"From": "MAILER-DAEMON@mx.test", "Subject": subject, "Message-ID": f"<{abs(hash(text))}@mx.test>"}
    shown |= {name.replace("_", "-"): value for name, value in header.items()}
    lines = [*(f"{name}: {value}" for name, value in shown.items()), "", *text.split("\n"), ""]
    return "\r\n".join(lines).encode()


@dataclass(frozen=True)
class Form:
    """How a server reports about a recipient, and what is read from it."""

    build: Callable[[str], bytes]
    status: str = ""
    code: int | None = None
    text: str = ""
    action: ReportAction = "failed"
    has_report: bool = True


def _postfix(address: str) -> bytes:
    return report(
        f"Final-Recipient: rfc822; {address}\nOriginal-Recipient: rfc822;{address}\nAction: failed\nStatus: 5.1.1\n"
        "Remote-MTA: dns; mx.customer.test\n"
        f"Diagnostic-Code: smtp; 550 5.1.1 <{address}>: Recipient address rejected:\n    User unknown in local table",
        text=f"<{address}>: host mx.customer.test[192.0.2.5] said: 550 5.1.1 (in reply to RCPT TO command)",
        Auto_Submitted="auto-replied",
    )


def _postfix_delay(address: str) -> bytes:
    return report(
        f"Final-Recipient: rfc822; {address}\nAction: delayed\nStatus: 4.4.1\n"
        "Diagnostic-Code: X-Postfix; connect to mx.customer.test[192.0.2.5]:25: Connection\n    timed out\n"
        "Will-Retry-Until: Fri, 4 Dec 2026 10:00:00 +0000 (UTC)",
        Subject="Delayed Mail (still being retried)",
    )


def _postfix_expired(address: str) -> bytes:
    return report(
        f"Final-Recipient: rfc822; {address}\nAction: failed\nStatus: 4.4.1\n"
        "Diagnostic-Code: X-Postfix; connect to mx.customer.test[192.0.2.5]:25: Connection\n    timed out",
    )


def _exim_old(address: str) -> bytes:
    return text_bounce(
        "This message was created automatically by mail delivery software.\n\n"
        "A message that you sent could not be delivered to one or more of its\n"
        f"recipients. This is a permanent error. The following address(es) failed:\n\n  {address}\n"
        "    host mx.customer.test [192.0.2.250]\n"
        f"    SMTP error from remote mail server after RCPT TO:<{address}>:\n"
        "    550 5.7.1 Access denied by policy\n\n"
        "------ This is a copy of the message, including all the headers. ------\n\n"
        "Return-path: <b-token@example.com>\nTo: someone@customer.test",
        "Mail delivery failed: returning message to sender",
        X_Failed_Recipients=address,
        Auto_Submitted="auto-replied",
    )


def _exim_warning(address: str) -> bytes:
    return text_bounce(
        "This message was created automatically by mail delivery software.\n"
        "A message that you sent has not yet been delivered to one or more of its\n"
        "recipients after more than 24 hours on the queue on mx.test.\n\n"
        f"The address to which the message has not yet been delivered is:\n\n  {address}\n"
        "    Delay reason: Connection timed out\n\n"
        "No action is required on your part. Delivery attempts will continue for\nsome time.",
        "Warning: message 1q2w3e-0000aa-Bc delayed 24 hours",
        Auto_Submitted="auto-replied",
    )


def _exim(address: str) -> bytes:
    return report(
        f"Action: failed\nFinal-Recipient: rfc822;{address}\nStatus: 5.0.0\n"
        "Remote-MTA: dns; mx.customer.test\nDiagnostic-Code: smtp; 550 No such person here",
        X_Failed_Recipients=address,
    )


def _exchange(address: str) -> bytes:
    return report(
        f"Final-Recipient: rfc822;{address}\nAction: failed\nStatus: 5.1.10\n"
        "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        From="<MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@customer.test>",
        Subject="Undeliverable: Re: Broken lamp",
        X_MS_Exchange_Message_Is_Ndr="",
        Content_Type='multipart/report; report-type=delivery-status;\r\n\tboundary="b"',
    )


def _gmail(address: str) -> bytes:
    return report(
        f"Final-Recipient: rfc822; {address}\nAction: failed\nStatus: 5.1.1\n"
        "Remote-MTA: dns; gmail-smtp-in.l.google.com. (2001:db8::1b, the server for the domain.)\n"
        "Diagnostic-Code: smtp; 550-5.1.1 The account that you tried to reach does not exist.\n"
        " 550-5.1.1 Please check the address. For more information, go to\n"
        " 550 5.1.1  https://support.customer.test/?p=NoSuchUser - gsmtp\n"
        "Last-Attempt-Date: Mon, 30 Nov 2026 10:00:00 -0800 (PST)",
        Subject="Delivery Status Notification (Failure)",
        X_Failed_Recipients=address,
        In_Reply_To="<er.token@example.com>",
        Auto_Submitted="auto-replied",
    )


def _ses(address: str) -> bytes:
    return report(
        f"Action: failed\nFinal-Recipient: rfc822; {address}\n"
        "Diagnostic-Code: smtp; 552 5.2.2 The mailbox is over its quota\nStatus: 5.2.2",
        From="MAILER-DAEMON@eu-central-1.amazonses.com",
        Subject="Delivery Status Notification (Failure)",
    )


def _qmail(address: str) -> bytes:
    return text_bounce(
        "Hi. This is the qmail-send program at mx.test.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        f"This is a permanent error; I've given up. Sorry it didn't work out.\n\n<{address}>:\n"
        "192.0.2.250 does not like recipient.\nRemote host said: 550 5.1.1 unknown user\n"
        "Giving up on 192.0.2.250.\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <a@example.com>",
    )


def _qmail_local(address: str) -> bytes:
    return text_bounce(
        "Hi. This is the qmail-send program at mx.test.\n\n"
        f"<{address}>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.",
    )


FORMS: dict[str, Form] = {
    "Postfix": Form(_postfix, "5.1.1", 550, "Recipient address rejected: User unknown in local table"),
    "Postfix delay": Form(_postfix_delay, "4.4.1", None, "Connection timed out", "delayed"),
    "Postfix after the queue time": Form(_postfix_expired, "4.4.1", None, "Connection timed out"),
    "Exim without a report": Form(_exim_old, "5.7.1", 550, "Access denied by policy", has_report=False),
    "Exim warning": Form(_exim_warning, "", None, "Connection timed out", "delayed", has_report=False),
    "Exim": Form(_exim, "5.0.0", 550, "No such person here"),
    "Exchange": Form(_exchange, "5.1.10", 550, "RESOLVER.ADR.RecipientNotFound; Recipient not found"),
    "Gmail": Form(_gmail, "5.1.1", 550, "The account that you tried to reach does not exist. Please check the address"),
    "SES": Form(_ses, "5.2.2", 552, "The mailbox is over its quota"),
    "qmail": Form(_qmail, "5.1.1", 550, "unknown user", has_report=False),
    "qmail, local": Form(_qmail_local, "5.1.1", None, "no mailbox here by that name", has_report=False),
}
