"""Connects to the smarthosts of the configuration and of domains, and signs in. Sends no mail."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from emailrouter.check.check_context import CheckContext
from emailrouter.check.secret_box import read_secret_box
from router.check_result import CheckResult, fail, ok, warn
from router.model import Domain, Smarthost
from router.outbound.smarthost.access import SmarthostAccess
from router.outbound.smarthost.client import SmarthostClient
from router.outbound.smarthost.outcome import ProbeResult
from router.replies import sealed_smarthost
from router.replies.sending import installation_access
from router.secrets import DecryptionError
from router.store.database import fetch_models

NAME = "smarthost"
MAX_DOMAINS = 100
MAX_CONCURRENT = 8
_ANSWER_SECONDS, _PROBE_SECONDS = 8.0, 15.0  # less than the time limit of a check
# Base64 and line ends add about a third to the bytes that `max_message_bytes` counts.
_ENCODED_PERCENT = 140


@dataclass(frozen=True, slots=True)
class _Checked:
    """A smarthost to check. `place` is where its settings are changed."""

    name: str
    place: str
    access: SmarthostAccess
    state: Smarthost | None


async def smarthosts(context: CheckContext) -> list[CheckResult]:
    checked, results = await _read_smarthosts(context)
    config = context.config
    client = SmarthostClient(
        helo=config.server.hostname,
        timeout=min(config.outgoing.timeout.total_seconds(), _ANSWER_SECONDS),
        allow_private=config.delivery.allow_private_networks,
        tls_context=context.tls_context,
    )
    semaphore = asyncio.Semaphore(MAX_CONCURRENT)

    async def check_one(smarthost: _Checked) -> list[CheckResult]:
        async with semaphore:
            return _describe(context, smarthost, await _probe(client, smarthost.access))

    for found in await asyncio.gather(*(check_one(smarthost) for smarthost in checked)):
        results += found
    return results


async def _read_smarthosts(context: CheckContext) -> tuple[list[_Checked], list[CheckResult]]:
    """Returns the smarthosts, and the problems of those whose settings cannot be decrypted."""
    states: dict[str, Smarthost] = {}
    domains: list[Domain] = []
    if context.database is not None:
        stored = await fetch_models(context.database, Smarthost, "check_smarthosts", limit=MAX_DOMAINS + 1)
        states = {smarthost.id: smarthost for smarthost in stored}
        domains = list(await fetch_models(context.database, Domain, "check_smarthost_domains", limit=MAX_DOMAINS))
    checked, problems = [], []
    access = installation_access(context.config.outgoing)
    if access is not None:
        checked.append(_Checked(NAME, "[outgoing] smarthost", access, states.get(access.id)))
    box = read_secret_box(context.config)
    for domain in domains:
        name = f"{NAME} of {domain.name}"
        try:
            if box is None:
                raise DecryptionError("no key")
            url, password = sealed_smarthost.unseal(box, domain.encrypted_smarthost)
        except DecryptionError:
            fix = "Restore the right secret key (see the line `secret key`), or set the smarthost of the domain again"
            problems.append(fail(name, "its settings cannot be decrypted with the secret key of this host", fix))
            continue
        access = SmarthostAccess(domain.id, url, password, is_guarded=True)
        checked.append(_Checked(name, f"the smarthost of {domain.name}", access, states.get(domain.id)))
    return checked, problems


async def _probe(client: SmarthostClient, access: SmarthostAccess) -> ProbeResult:
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            return await client.probe(access)
    except TimeoutError:
        return ProbeResult("retry", "connect", None, f"not finished within {_PROBE_SECONDS:g} s")


def _describe(context: CheckContext, checked: _Checked, found: ProbeResult) -> list[CheckResult]:
    url = sealed_smarthost.mask(checked.access.url)
    if found.kind != "accepted":
        answer = f"{found.code} {found.text}" if found.code else found.text
        return [fail(checked.name, f"{url}: {answer}; replies are not sent", _find_fix(checked, found))]
    facts = [found.tls or "no TLS", "signed in" if found.is_authenticated else "without a user"]
    if found.max_message_bytes is not None:
        facts.append(f"messages of up to {found.max_message_bytes / 1_000_000:.1f} MB")
    results = [ok(checked.name, f"{url} is ready for mail: {', '.join(facts)}")]
    limit = context.config.outgoing.max_message_bytes
    if found.max_message_bytes is not None and found.max_message_bytes < limit * _ENCODED_PERCENT // 100:
        text = f"{url} rejects messages that [outgoing] max_message_bytes ({limit / 1_000_000:.1f} MB) allows"
        fix = f"Set [outgoing] max_message_bytes to at most {found.max_message_bytes * 100 // _ENCODED_PERCENT}"
        results.append(warn(checked.name, text, fix))
    return results + _describe_state(context, checked, url)


def _describe_state(context: CheckContext, checked: _Checked, url: str) -> list[CheckResult]:
    """Describes what earlier submissions have shown, if that was with the same URL."""
    state, results = checked.state, []
    if state is None or state.url not in (str(checked.access.url), url):
        return []
    if state.status == "failing":
        text = f"{url} is failing ({state.last_error}), so its mail is held until the next attempt succeeds"
        results.append(warn(checked.name, text, "Check again after the next attempt, within an hour"))
    if state.rejects_token_sender and context.config.outgoing.bounce_address == "token":
        text = f"{url} rejects senders like b-<token>@domain, so replies are sent from the alias"
        fix = (
            "Allow all senders of the domain at the smarthost, so that each bounce names its recipient, or set "
            '[outgoing] bounce_address = "alias"'
        )
        results.append(warn(checked.name, text, fix))
    return results


def _find_fix(checked: _Checked, found: ProbeResult) -> str:
    access, place = checked.access, checked.place
    match found.stage:
        case "connect":
            return f"Check the host and the port in {place}, and allow connections to port {access.url.port} (firewall)"
        case "tls" if found.kind == "smarthost":
            return f"Use a port with TLS in {place}, such as smtps://{access.url.host}:465"
        case "tls":
            relaxed = "" if access.is_guarded else "; in a network that you trust, append ?tls=opportunistic"
            return f"Use the host name of the certificate in {place}, from an authority that this host trusts{relaxed}"
        case "auth":
            password = "its password" if access.is_guarded else "[outgoing] smarthost_password"
            return f"Check the user in {place} and {password}; some providers require a password for applications"
        case _:
            return f"Check the port in {place}, and ask the provider of the smarthost whether it allows this host"
