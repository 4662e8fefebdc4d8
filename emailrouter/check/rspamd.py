"""Checks that rspamd answers, by asking it about a test message."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlsplit

from emailrouter.assembly.spam_filter import build_spam_filter
from emailrouter.check.check_context import CheckContext
from emailrouter.check.clock import compare_date
from router.check_result import CheckResult, ok, warn
from router.checks.rspamd import SessionFacts, SpamCheck
from router.clock import SECOND
from router.meter import NULL_METER
from router.network import is_loopback

NAME = "rspamd"
_TEST_ID = "emailrouter-check"
_FIXES = {
    "refused": "Set [checks] rspamd_password to the password of the worker that rspamd_url names",
    "timeout": "Check the load, the DNS and the log of rspamd, or raise [checks] rspamd_timeout",
    "unreachable": "Start rspamd (systemctl start rspamd), or correct [checks] rspamd_url and the firewall",
    "too_large": "Raise [checks] rspamd_max_bytes",
    "skipped": "Check the settings of rspamd for this host and for test messages",
}
_OTHER_FIX = "Check that [checks] rspamd_url names the normal worker of rspamd (port 11333), and its log"


async def rspamd(context: CheckContext) -> list[CheckResult]:
    """Reports `warn` at most: without rspamd, mail is still accepted and delivered."""
    config = context.config
    url = config.checks.rspamd_url
    if url is None:
        return []
    client = build_spam_filter(config, NULL_METER)
    if client is None:
        return [ok(NAME, "not used, because [checks] enabled is false")]
    host = config.server.hostname
    facts = SessionFacts("127.0.0.1", host, host, f"postmaster@{host}", (f"postmaster@{host}",), _TEST_ID)
    try:
        found = await client.ask(_test_message(context), facts)
    finally:
        await client.close()
    results = [_describe(url, found)]
    if found.date and not is_loopback(urlsplit(url).hostname or ""):
        compared = compare_date(f"that of {urlsplit(url).hostname} (rspamd)", found.date, context.clock.now())
        results += [] if compared is None else [compared]
    return results


def _test_message(context: CheckContext) -> bytes:
    host = context.config.server.hostname
    date = format_datetime(datetime.fromtimestamp(context.clock.now() / SECOND, UTC))
    lines = (
        f"From: Email Router <postmaster@{host}>",
        f"To: postmaster@{host}",
        "Subject: Test message of emailrouter check",
        f"Date: {date}",
        f"Message-ID: <{_TEST_ID}@{host}>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        "This message tests the connection to rspamd. It is not delivered.",
        "",
    )
    return "\r\n".join(lines).encode("ascii", "replace")


def _describe(url: str, found: SpamCheck) -> CheckResult:
    server = f" ({found.server})" if found.server else ""
    if found.verdict is not None:
        score = f"{found.verdict.score:.1f} of {found.verdict.required:.1f}"
        text = f"{url} answers{server}: {found.verdict.action} for a test message, score {score}"
        return ok(NAME, text)
    fix = _FIXES.get(found.outcome, _OTHER_FIX)
    if found.outcome == "refused":
        return warn(NAME, f"{url} refuses the password{server}: messages have no spam verdict", fix)
    if found.outcome == "skipped":
        return warn(NAME, f"{url} answers{server}, but does not check the test message", fix)
    if found.outcome == "too_large":
        return warn(NAME, f"not asked about the test message: {found.problem}", fix)
    return warn(NAME, f"{url} has no usable answer{server}: {found.problem}; messages have no spam verdict", fix)
