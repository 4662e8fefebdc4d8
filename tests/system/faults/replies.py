"""Checks of SMTP replies during a fault, and of the recovery from it."""

import contextlib
from pathlib import Path

import pytest

from tests.support.process import run_cli
from tests.support.smtp import SmtpReply, send_mail
from tests.system.crash.mta import MailToSend, QueueingMta
from tests.system.crash.system_under_test import SystemUnderTest

REPLY_SECONDS = 30.0
ADVANCE_SECONDS = 0.5  # real time between two advances of the clock
MAX_ADVANCES = 60


async def send_one(system: SystemUnderTest, mail: MailToSend | None = None) -> SmtpReply:
    """Sends `mail`, by default a new message.

    Returns the reply to the message, or the rejection of an earlier command.
    """
    host, port = system.smtp_addresses()[0]
    chosen = mail or system.new_mails(1)[0]
    return await send_mail(host, port, chosen.reverse_path, chosen.recipients, chosen.content, timeout=REPLY_SECONDS)


def assert_temporary_failure(reply: SmtpReply, code: int = 451, enhanced: str = "4.3.0") -> None:
    """Asserts a temporary failure that reveals no internals."""
    assert (reply.code, reply.enhanced) == (code, enhanced), reply
    assert not any(word in reply.text for word in ("Error", "SQL", "sqlite", "Postgres", "Traceback")), reply


async def require_mounts(folder: Path) -> None:
    """Skips the test if the process cannot mount a file system."""
    command = ("-m", "tests.system.crash.launcher", "--small-disk", f"{folder}:1000000", "--")
    if (await run_cli("--version", command=command)).code != 0:
        pytest.skip("this kernel does not allow mounting a file system in a user namespace")


async def assert_recovered(system: SystemUnderTest, mta: QueueingMta) -> None:
    """Asserts that the program recovered without a restart.

    Advances the clock, so that the program retries immediately. Deliveries that an advance interrupts wait for the
    next one.
    """
    await mta.wait_all_accepted()
    for minutes in range(1, MAX_ADVANCES):
        with contextlib.suppress(TimeoutError):
            await system.wait_delivered(timeout=ADVANCE_SECONDS)
            break
        system.set_clock(60 * minutes)
    await system.wait_delivered()
    found = await system.assert_no_faults(mta)
    # On an overloaded machine Slack's response may miss the delivery timeout, and the retry is a duplicate post.
    late = sum(n for reason, n in found.unanswered_reasons.items() if reason.startswith("timed out"))
    assert found.duplicate_posts <= late, found
    assert all(program.running() for program in system.running)
    assert not [reply for reply in mta.deferred if not reply.startswith(("421 4.3.2", "451 4.3.0", "452 4.3.1"))]
