"""Limits on sign-in attempts for an account, known devices, and log and audit entries."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from router.admin.access import sign_in_limits
from router.admin.access.sessions import AUDIT_INTERVAL_SECONDS, NewSession, SessionService
from router.admin.access.sign_in_limits import SignInClient
from router.errors import Refused
from router.ratelimit import sliding_window
from router.ratelimit.attempt_limiter import AttemptLimiter, CountedAttempt
from router.ratelimit.failure_throttle import RateLimited
from router.ratelimit.sliding_window import RateLimit
from tests.support.clock import FakeClock
from tests.support.installation import Installation, seeded_installation
from tests.support.refusal import refused_code
from tests.support.stores import Store, sqlite_store

EMAIL = "grace@example.org"
PASSWORD = "correct horse battery"
UNAUTHORIZED, LIMITED = ("unauthorized", None), ("rate_limited", None)
# An email address that imitates the end of another log line.
FORGED = r'"\"address\": \"192.0.2.6\", \"event\": \"sign_in.failed"@example.org'
HOUR = RateLimit(requests=5, seconds=3600)


@pytest.fixture(autouse=True)
def few_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in_limits, "ACCOUNT_LIMIT", RateLimit(3, 3600))
    monkeypatch.setattr(sign_in_limits, "DEVICE_LIMIT", RateLimit(2, 900))


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Installation]:
    async with sqlite_store(tmp_path) as store, seeded_installation(store) as found:
        yield found


def fail2ban_pattern() -> re.Pattern[str]:
    """Returns the fail2ban filter of docs/sign-in.md, with a pattern for addresses in place of `<ADDR>`."""
    text = (Path(__file__).parents[3] / "docs" / "sign-in.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"^failregex = (.+)$", text, re.MULTILINE)
    return re.compile(found.replace("<ADDR>", r"(?P<address>[0-9A-Fa-f:.]+)"))


async def add_grace(installation: Installation) -> str:
    return (await installation.services.users.create(installation.actor, email=EMAIL, password=PASSWORD)).id


async def guess(
    sessions: SessionService, n: int, email: str = EMAIL, password: str = "a guess", device: str = ""
) -> str:
    """Tries to sign in from the n-th address; returns the error code, or `""` after a success."""
    address = f"198.51.100.{n}"
    try:
        await sessions.sign_in(email, password, address=address, device=device)
    except Refused as refused:
        return refused.code
    return ""


async def sign_in_grace(installation: Installation, device: str = "", password: str = PASSWORD) -> NewSession:
    return await installation.services.sessions.sign_in(EMAIL, password, address="192.0.2.7", device=device)


async def test_attempts_are_counted_across_processes(store: Store) -> None:
    clock = FakeClock()
    processes = [AttemptLimiter(store.database, clock) for _ in range(2)]
    outcomes = await asyncio.gather(
        *(process.reserve("a", HOUR) for process in processes for _ in range(6)), return_exceptions=True
    )
    attempts = [outcome for outcome in outcomes if isinstance(outcome, CountedAttempt)]
    assert sorted(attempt.remaining for attempt in attempts) == [0, 1, 2, 3, 4]
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 7
    await attempts[0].release(store.database)
    assert (await processes[1].reserve("a", HOUR)).remaining == 0
    with pytest.raises(RateLimited) as throttled:
        await processes[0].reserve("a", HOUR)
    clock.advance(throttled.value.retry_after)
    for window in range(4):
        await processes[window % 2].reserve("a", HOUR)
        clock.advance(3600)
    first = sliding_window.window_start(HOUR, clock.now()) - 5 * HOUR.seconds
    old = {"window_start": first, "previous_start": first + HOUR.seconds}
    assert await store.database.fetch_all("rate_limit_used", scope="a", **old) == []


async def test_an_account_is_locked_for_unknown_devices_from_any_address(installation: Installation) -> None:
    await add_grace(installation)
    other = SessionService(installation.database, installation.clock, installation.core.box)
    processes = (installation.services.sessions, other)
    # Nonexistent accounts get the same errors.
    for forms in ((EMAIL, "Grace@EXAMPLE.org"), ("invented@example.org",) * 2):
        codes = [await guess(processes[n % 2], n, forms[n % 2]) for n in range(5)]
        assert codes == ["unauthorized"] * 3 + ["rate_limited"] * 2
    assert await guess(other, 9, password=PASSWORD) == "rate_limited"
    assert await guess(other, 9, "admin@example.org") == "unauthorized"
    installation.clock.advance(7200)
    assert await guess(other, 9, password=PASSWORD) == ""


async def test_a_known_device_can_sign_in_while_others_guess(sqlite: Installation) -> None:
    installation, sessions = sqlite, sqlite.services.sessions
    await add_grace(installation)
    device = (await sign_in_grace(installation)).device_cookie
    for n in range(4):
        await guess(sessions, n)
    assert await refused_code(sign_in_grace(installation)) == LIMITED
    assert await guess(sessions, 9, password=PASSWORD, device=device[:-4] + "AAAA") == "rate_limited"
    for _ in range(3):
        device = (await sign_in_grace(installation, device)).device_cookie
    codes = [await guess(sessions, 9, device=device) for _ in range(3)]
    assert codes == ["unauthorized", "unauthorized", "rate_limited"]
    # A device is known only for the user who signed in on it.
    await installation.services.users.create(installation.actor, email="other@example.org", password=PASSWORD)
    for n in range(3):
        await guess(sessions, n, "other@example.org")
    assert await guess(sessions, 9, "other@example.org", PASSWORD, device) == "rate_limited"
    installation.clock.advance(days=181)
    known = SessionService(installation.database, installation.clock, installation.core.box)._devices
    assert known.read(device) is None


async def test_a_new_password_invalidates_all_known_devices(sqlite: Installation) -> None:
    installation, grace = sqlite, await add_grace(sqlite)
    first = await sign_in_grace(installation)
    caller = await installation.services.authentication.authenticate_session(first.token)
    new = "another horse battery"
    device = await installation.services.sessions.change_password(caller.actor, current=PASSWORD, new=new)
    for n in range(3):
        await guess(installation.services.sessions, n)
    assert await refused_code(sign_in_grace(installation, first.device_cookie, new)) == LIMITED
    assert (await sign_in_grace(installation, device, new)).user.id == grace


async def test_the_current_password_cannot_be_guessed_from_a_session(sqlite: Installation) -> None:
    installation = sqlite
    await add_grace(sqlite)
    actor = (
        await installation.services.authentication.authenticate_session((await sign_in_grace(installation)).token)
    ).actor
    sessions = installation.services.sessions
    for expected in (("invalid_request", "currentPassword"),) * 2 + (LIMITED,):
        assert await refused_code(sessions.change_password(actor, current="a guess", new="a new password")) == expected


async def test_all_failures_are_logged_and_the_first_of_an_hour_is_audited(installation: Installation) -> None:
    grace = await add_grace(installation)
    sessions, actor = installation.services.sessions, installation.actor
    with capture_logs() as logs:
        for n in range(4):
            await guess(sessions, n)
        await guess(sessions, 7, "nobody@example.org")
        await guess(sessions, 8, "my password, in the wrong field")
        await guess(sessions, 9, FORGED)
    failed = [(line["account"], line["address"]) for line in logs if line["event"] == "sign_in.failed"]
    assert failed == [
        *((EMAIL, f"198.51.100.{n}") for n in range(3)),
        ("nobody@example.org", "198.51.100.7"),
        ("", "198.51.100.8"),
        ('"address": "192.0.2.6", "event": "sign_in.failed@example.org', "198.51.100.9"),
    ]
    filtered = [fail2ban_pattern().search(json.dumps(line)) for line in logs]
    assert [found and found["address"] for found in filtered if found] == [address for _, address in failed]
    assert [line["address"] for line in logs if line["event"] == "sign_in.rate_limited"] == ["198.51.100.2"]
    entries = (await installation.services.audit.list(actor)).items[:-1]
    found = [(entry.action, entry.target, entry.user_id, entry.address) for entry in entries]
    assert found == [
        ("user.sign_in_limited", grace, None, "198.51.100.2"),
        ("user.sign_in_failed", grace, None, "198.51.100.0"),
    ]
    assert json.loads(entries[0].detail) == {"email": EMAIL}
    installation.clock.advance(2 * AUDIT_INTERVAL_SECONDS)
    with capture_logs() as logs:
        await guess(sessions, 3)
        await sign_in_grace(installation)
    assert [line["event"] for line in logs] == ["sign_in.failed", "sign_in.succeeded"]
    assert fail2ban_pattern().search(json.dumps(logs[1])) is None
    entries = (await installation.services.audit.list(actor)).items[:2]
    assert [entry.action for entry in entries] == ["user.sign_in", "user.sign_in_failed"]
    assert (entries[0].user_id, entries[0].address) == (grace, "192.0.2.7")


async def test_concurrent_guesses_do_not_exceed_the_limit_of_their_address(
    sqlite: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_limits, "ADDRESS_ACCOUNT_LIMIT", RateLimit(1, 900))
    sessions = SessionService(sqlite.database, sqlite.clock, sqlite.core.box)
    codes = await asyncio.gather(*(guess(sessions, 1) for _ in range(4)))
    assert sorted(codes) == ["rate_limited"] * 3 + ["unauthorized"]


def test_all_forms_of_an_account_share_a_counter() -> None:
    forms = {
        SignInClient.from_unknown_device("192.0.2.7", email).counter_key
        for email in ("Grace@Example.ORG", EMAIL, "grace@EXAMPLE.org")
    }
    assert len(forms) == 1
    assert SignInClient.from_unknown_device("192.0.2.7", "no address").account == ""
    assert (
        SignInClient.from_unknown_device("2001:db8::1", EMAIL).address
        == SignInClient.from_unknown_device("2001:db8::2", EMAIL).address
    )
