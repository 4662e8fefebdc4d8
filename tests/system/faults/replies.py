"""One mail by hand, for the exact reply, and what a fault test asserts of replies."""

from pathlib import Path

import pytest

from tests.support.process import run_cli
from tests.support.smtp import SmtpReply, send_mail
from tests.system.crash.mta import Mta, OutgoingMail
from tests.system.crash.system_under_test import SystemUnderTest

# Longer than any of the program's own timeouts in these tests: the reply must come from it.
REPLY_SECONDS = 30.0


async def send_one(system: SystemUnderTest, mail: OutgoingMail | None = None) -> SmtpReply:
    """Sends one mail to the first door; the reply that counts: to the mail, or the refusal before it."""
    host, port = system.smtp_addresses()[0]
    chosen = mail or system.new_mails(1)[0]
    return await send_mail(host, port, chosen.reverse_path, chosen.recipients, chosen.content, timeout=REPLY_SECONDS)


def assert_temporary_failure(reply: SmtpReply, code: int = 451, enhanced: str = "4.3.0") -> None:
    """A temporary failure that is ours, and tells nobody what it was."""
    assert (reply.code, reply.enhanced) == (code, enhanced), reply
    assert not any(word in reply.text for word in ("Error", "SQL", "sqlite", "Postgres", "Traceback")), reply


async def require_mounts(folder: Path) -> None:
    """Skips the test where a process may not have a small file system of its own (a user namespace helps)."""
    command = ("-m", "tests.system.crash.launcher", "--small-disk", f"{folder}:1000000", "--")
    if (await run_cli("--version", command=command)).code != 0:
        pytest.skip("this kernel lets nobody but root mount a file system, not even in a namespace of one's own")


async def assert_recovered(system: SystemUnderTest, mta: Mta) -> None:
    """After the fault, without a restart: all mail is taken, all tickets are delivered, and the count is right.

    What could not be read for sending waits for its next attempt; the clock goes on so that the test need not.
    """
    await mta.wait_all_accepted()
    system.set_clock(60)
    await system.wait_delivered()
    found = await system.assert_no_faults(mta)
    # On a machine that stands still for seconds Slack's answer may come too late, and the post again: that is promised.
    late = sum(n for reason, n in found.unanswered_reasons.items() if reason.startswith("timed out"))
    assert found.duplicate_posts <= late, found
    assert all(program.running() for program in system.running)
    assert not [reply for reply in mta.deferred if not reply.startswith(("421 4.3.2", "451 4.3.0", "452 4.3.1"))]
