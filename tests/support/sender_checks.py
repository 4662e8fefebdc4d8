"""Results of sender checks for tests."""

from router.admin.tickets.sender_checks import SenderCheckService
from router.checks.results import MessageChecks, to_values
from router.checks.spam_verdict import SpamSymbol, SpamVerdict
from router.mail.auth_results import AuthResult, AuthWord
from router.ports import NullWaker
from tests.support.installation import Installation

CHECKED_AT = 1_893_499_201_000_000  # 2030-01-01 12:00:01 UTC
FORGED = (
    "This message may be forged: the sender address is at customer.test, but customer.test did not authenticate it."
)
SPAM = SpamVerdict(
    "rspamd", 7.5, 15.0, "add header", (SpamSymbol("FORGED_SENDER", 4.5, "From differs from the envelope"),)
)


def done(dmarc: AuthWord, domain: str = "customer.test", spam: SpamVerdict | None = None) -> MessageChecks:
    """Returns checks with the given result of DMARC, the same of DKIM, and no SPF record."""
    results = (
        AuthResult("spf", "none", "customer.test"),
        AuthResult("dkim", "pass" if dmarc == "pass" else "fail", domain, "s1", "", "AbCdEf12"),
        AuthResult("dmarc", dmarc, domain),
        AuthResult("iprev", "pass", "mx.customer.test"),
    )
    relayed = (AuthResult("spf", "pass", "customer.test"),)
    return MessageChecks("done", CHECKED_AT, results=results, relay_results=relayed, spam=spam)


def recheck_service(installation: Installation, *, enabled: bool = True) -> SenderCheckService:
    """Returns the service with other settings than those of the installation."""
    return SenderCheckService(installation.database, installation.clock, NullWaker(), enabled=enabled)


async def store_checks(installation: Installation, message_id: str, checks: MessageChecks, warning: str = "") -> None:
    """Stores checks as the first check of a message does, with a warning in all of its tickets."""
    values = {"message_id": message_id, **to_values(checks)}
    names = ", ".join(values)
    await installation.execute("DELETE FROM check_queue WHERE message_id = :message_id", message_id=message_id)
    await installation.execute("DELETE FROM message_checks WHERE message_id = :message_id", message_id=message_id)
    await installation.execute(
        f"INSERT INTO message_checks ({names}) VALUES ({', '.join(f':{name}' for name in values)})", **values
    )
    await installation.execute(
        "UPDATE ticket_messages SET warning = :warning WHERE message_id = :id", warning=warning, id=message_id
    )
