"""Asks rspamd whether a message is spam (`POST /checkv2`), and interprets its answer.

A missing answer never raises, never delays a message by more than the time limit, and never makes a message spam.
The address of rspamd is a setting of the operator, so it may be private; redirects are not followed.
"""

from __future__ import annotations

import asyncio
import io
import json
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import structlog

from router.checks.spam_verdict import REFUSING_ACTIONS, SpamSymbol, SpamVerdict
from router.mail.address import AddressError, domain_key
from router.mail.auth_results import AuthResult, AuthWord
from router.mail.decode import clean_line
from router.meter import Meter, SpamCheckOutcome
from router.network import parse_address
from router.outbound.client import USER_AGENT, describe_error
from router.outbound.lookup import SystemResolver
from router.side_tasks import SideTasks

_log = structlog.get_logger()

SOURCE = "rspamd"
# In bytes. rspamd lists up to 10,240 URLs and as many addresses of a message in its response, of 100 to 300 bytes each.
MAX_RESPONSE_BYTES = 8 * 1024 * 1024
MAX_SYMBOLS = 100  # a usual message has 10 to 40
MAX_SYMBOL_NAME = 100  # characters
MAX_DESCRIPTION = 200  # characters
MAX_ACTION = 40  # characters
# Characters of a header value of the request. RFC 5321 limits an address to 254 and a domain to 255.
MAX_VALUE = 300
MAX_RECIPIENTS = 100  # in the request; rspamd reads 1,024
MAX_CONNECTIONS = 16  # further requests wait for a connection within their time limit

# RFC 8617 section 5.2: a chain with an invalid structure fails.
_ARC_RESULTS: Mapping[str, tuple[AuthWord, str]] = {
    "ARC_ALLOW": ("pass", ""),
    "ARC_REJECT": ("fail", ""),
    "ARC_INVALID": ("fail", "the structure of the chain is invalid"),
    "ARC_DNSFAIL": ("temperror", "a key could not be queried"),
    "ARC_NA": ("none", ""),
}


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What is known of the SMTP session that a message arrived in.

    Attributes:
        peer: The IP address of the client, or "".
        hostname: The name of the client that its PTR record and the addresses of the name confirm, or "".
        reverse_path: The address of MAIL FROM, "" for a null reverse-path.
        message_id: Our id of the message.
        tls: The TLS version and the cipher, separated by a space, or "".
    """

    peer: str
    helo: str
    hostname: str
    reverse_path: str
    recipients: tuple[str, ...]
    message_id: str
    tls: str = ""


@dataclass(frozen=True, slots=True)
class SpamCheck:
    """The result of asking rspamd.

    Attributes:
        verdict: Present exactly if `outcome` is `checked`.
        problem: Why there is no verdict, for operators; "" if there is one.
        server: What the responding program calls itself, such as `rspamd/3.4`, or "".
        date: The field `Date` of its response, or "".
    """

    outcome: SpamCheckOutcome
    verdict: SpamVerdict | None = None
    problem: str = ""
    server: str = ""
    date: str = ""


class VerdictError(ValueError):
    """The body of a response is not a verdict. The text says what is wrong, without quoting it."""


class RspamdClient:
    """Sends messages to one rspamd, through connections that stay open if rspamd allows it.

    Args:
        timeout: The time limit of a check in seconds, including waiting for a connection.
        max_bytes: Larger messages are not sent.
        mta_name: The host name of this server.
    """

    def __init__(
        self,
        url: str,
        password: str | None,
        meter: Meter,
        *,
        timeout: float,
        max_bytes: int,
        mta_name: str,
        side_tasks: SideTasks | None = None,
    ) -> None:
        self._url = f"{url}/checkv2"
        self._host = urlsplit(url).hostname or url
        self._password = password
        self._side_tasks = side_tasks or SideTasks()
        self._meter = self._side_tasks.wrap_meter(meter)
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._mta_name = mta_name
        self._session: aiohttp.ClientSession | None = None
        self._is_failing = False

    async def check(self, content: bytes, facts: SessionFacts) -> SpamVerdict | None:
        """Returns the verdict about a message, None if there is none.

        Args:
            content: The message as it was received.
        """
        started = time.monotonic()
        try:
            found = await self.ask(content, facts)
        except asyncio.CancelledError:  # the deadline of the message
            self._meter.record_spam_check("timeout", time.monotonic() - started)
            raise
        self._meter.record_spam_check(found.outcome, time.monotonic() - started)
        if found.outcome != "too_large":
            self._log_change(found)
        return found.verdict

    async def ask(self, content: bytes, facts: SessionFacts) -> SpamCheck:
        """Returns the verdict about a message, or why there is none. Records neither metrics nor log lines."""
        if len(content) > self._max_bytes:
            return SpamCheck("too_large", problem=f"the message is larger than {self._max_bytes} bytes")
        headers = [*request_headers(facts, self._mta_name)]
        if self._password is not None:
            headers.append(("Password", self._password))
        try:
            async with asyncio.timeout(self._timeout):
                return await self._send(content, headers)
        except TimeoutError:
            return SpamCheck("timeout", problem=f"no response within {self._timeout:g} s")
        except aiohttp.ClientConnectionError as error:
            return SpamCheck("unreachable", problem=describe_error(error, self._host))
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            # ValueError and RuntimeError come from aiohttp and the event loop for connections that break.
            return SpamCheck("malformed", problem=f"the response is not valid HTTP ({type(error).__name__})")

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _log_change(self, found: SpamCheck) -> None:
        """Logs when rspamd stops or resumes giving verdicts, not each message without one."""
        is_failing = found.outcome not in ("checked", "skipped")
        if is_failing and not self._is_failing:
            self._side_tasks.run("log", lambda: _log.warning("rspamd.unavailable", reason=found.problem))
        elif self._is_failing and not is_failing:
            self._side_tasks.run("log", lambda: _log.info("rspamd.available"))
        self._is_failing = is_failing

    async def _send(self, content: bytes, headers: list[tuple[str, str]]) -> SpamCheck:
        try:
            return await self._send_once(content, headers)
        except aiohttp.ServerDisconnectedError:
            # rspamd may have closed an idle connection just when it was used again.
            return await self._send_once(content, headers)

    async def _send_once(self, content: bytes, headers: list[tuple[str, str]]) -> SpamCheck:
        # BytesIO: aiohttp then sends the message in pieces, between which other tasks run.
        async with self._get_session().post(
            self._url, data=io.BytesIO(content), headers=headers, allow_redirects=False
        ) as response:
            server, date = (clean_line(response.headers.get(name, ""), MAX_VALUE) for name in ("Server", "Date"))
            if response.status != 200:
                response.close()
                outcome: SpamCheckOutcome = "refused" if response.status in (401, 403) else "failed"
                return SpamCheck(outcome, problem=f"it returned {response.status}", server=server, date=date)
            body = await _read(response)
        if body is None:
            return SpamCheck(
                "malformed", problem=f"the response is larger than {MAX_RESPONSE_BYTES} bytes", server=server, date=date
            )
        try:
            verdict = parse_verdict(body)
        except VerdictError as error:
            return SpamCheck("malformed", problem=str(error), server=server, date=date)
        return SpamCheck("skipped" if verdict is None else "checked", verdict, server=server, date=date)

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, resolver=SystemResolver()),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # `ask` limits the time
                trust_env=False,
                auto_decompress=False,
                headers={"Accept-Encoding": "identity", "User-Agent": USER_AGENT},
            )
        return self._session


def request_headers(facts: SessionFacts, mta_name: str) -> Iterator[tuple[str, str]]:
    """Yields the header fields that describe a message to rspamd.

    Their values are printable ASCII, whatever the client sent: rspamd counts others as a sign of spam, and a line break
    would begin another field.
    """
    address = parse_address(facts.peer)
    version, _, cipher = facts.tls.partition(" ")
    fields = [
        ("IP", "" if address is None else str(address)),
        ("Helo", facts.helo),
        ("Hostname", facts.hostname),
        ("From", _bracket(facts.reverse_path)),
        *(("Rcpt", _bracket(recipient)) for recipient in facts.recipients[:MAX_RECIPIENTS]),
        ("Queue-ID", facts.message_id),
        ("MTA-Name", mta_name),
        ("TLS-Version", version),
        ("TLS-Cipher", cipher),
    ]
    for name, value in fields:
        cleaned = "".join(character if " " <= character <= "~" else "?" for character in value[:MAX_VALUE]).strip()
        if cleaned:
            yield name, cleaned


def _bracket(address: str) -> str:
    """Returns the address in angle brackets, with its domain in A-labels."""
    local, at, domain = address.rpartition("@")
    try:
        return f"<{local}{at}{domain_key(domain)}>"
    except AddressError:
        return f"<{address}>"


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """Returns the body, None if it is larger than `MAX_RESPONSE_BYTES`."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_RESPONSE_BYTES:
            response.close()
            return None
    return bytes(body)


def parse_verdict(body: bytes) -> SpamVerdict | None:
    """Parses the body of a response. Returns None if rspamd did not check the message.

    Raises:
        VerdictError: The body is not a verdict.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise VerdictError("the response is not JSON") from None
    if not isinstance(found, dict):
        raise VerdictError("the response is not a JSON object")
    action = found.get("action")
    if not isinstance(action, str):
        raise VerdictError("the response has no action")
    action = clean_line(action, MAX_ACTION)
    if found.get("is_skipped") is True and action not in REFUSING_ACTIONS:
        # A pattern such as GTUBE skips all other rules, but rejects the message.
        return None
    symbols = found.get("symbols")
    if not isinstance(symbols, dict):
        raise VerdictError("the response has no symbols")
    score, required = _number(found.get("score")), _number(found.get("required_score"))
    if score is None or required is None:
        raise VerdictError("the response has no score")
    return SpamVerdict(SOURCE, score, required, action, _select(symbols))


def _select(symbols: Mapping[str, Any]) -> tuple[SpamSymbol, ...]:
    """Returns the symbols with the highest scores first. That of ARC is always among them."""
    found = []
    for name, value in symbols.items():
        score = _number(value.get("score")) if isinstance(value, dict) else None
        if score is None:
            raise VerdictError("a symbol has no score")
        found.append((name not in _ARC_RESULTS, -score, name))
    selected = []
    for _, negative, name in sorted(found)[:MAX_SYMBOLS]:
        description = symbols[name].get("description")
        text = clean_line(description, MAX_DESCRIPTION) if isinstance(description, str) else ""
        selected.append(SpamSymbol(clean_line(name, MAX_SYMBOL_NAME), 0.0 - negative, text))
    return tuple(sorted(selected, key=lambda symbol: (-symbol.score, symbol.name)))


def _number(value: object) -> float | None:
    """Returns a finite number; None for any other value. JSON of Python has `NaN`, `Infinity` and long integers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def arc_result(verdict: SpamVerdict) -> AuthResult | None:
    """Returns what rspamd says about the ARC chain, None if it says nothing. It also checks who sealed the chain."""
    names = {symbol.name for symbol in verdict.symbols}
    for name, (word, reason) in _ARC_RESULTS.items():
        if name in names:
            return AuthResult("arc", word, reason=reason)
    return None
