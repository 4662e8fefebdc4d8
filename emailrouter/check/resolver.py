"""Checks whether the resolver suits the checks of senders and DNS block lists.

Public resolvers are refused by block lists, and some resolvers return addresses for names that do not exist. Only
constant names, random names and the configured lists are queried, nothing about a sender.
"""

from __future__ import annotations

import asyncio
import secrets
from ipaddress import ip_address, ip_network

from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, ok, warn
from router.dns.answers import DnsAnswer

NAME = "resolver"
# Queried if rspamd is set, which queries this list by default.
DEFAULT_LIST = "zen.spamhaus.org"
# The entries of each list for tests (RFC 5782 section 5): 127.0.0.2 is listed, 127.0.0.1 is not.
LISTED, NOT_LISTED = "2.0.0.127", "1.0.0.127"
# A reserved domain (RFC 2606) under which no such name exists.
MISSING_DOMAIN = "example.com"

_REFUSED = ip_network("127.255.255.0/24")  # the error codes of Spamhaus and others
_LISTING = ip_network("127.0.0.0/8")
_OWN_RESOLVER = "Run a resolver on this host (apt-get install unbound), and set it in [dns] nameservers and resolv.conf"


async def resolver(context: CheckContext) -> list[CheckResult]:
    config = context.config
    lists = config.smtp.dnsbl
    if not lists and config.checks.enabled and config.checks.rspamd_url is not None:
        lists = (DEFAULT_LIST,)
    if not lists and not config.checks.enabled:
        return []
    found = await asyncio.gather(_check_missing_name(context), *(_check_list(context, name) for name in lists))
    return list(found)


async def _check_missing_name(context: CheckContext) -> CheckResult:
    name = f"emailrouter-check-{secrets.token_hex(8)}.{MISSING_DOMAIN}"
    answer = await context.resolver.query(name, "A")
    if answer.status == "found":
        text = f"returns {answer.values[0]} for {name}, which does not exist: SPF and DMARC give wrong results"
        return warn(NAME, text, _OWN_RESOLVER)
    if answer.status == "failed":
        text = f"does not answer ({_fault(answer)}; queried {name}): SPF, DKIM and DMARC give temperror"
        return warn(NAME, text, "Set [dns] nameservers to servers that respond, or correct /etc/resolv.conf")
    return ok(NAME, f"returns no address for a name that does not exist (queried {name})")


async def _check_list(context: CheckContext, name: str) -> CheckResult:
    listed, not_listed = await asyncio.gather(
        *(context.resolver.query(f"{entry}.{name}", "A") for entry in (LISTED, NOT_LISTED))
    )
    queried = f"queried {LISTED}.{name}"
    removal = f"remove {name} from [smtp] dnsbl"
    if name not in context.config.smtp.dnsbl:
        removal = f"turn {name} off in rspamd (local.d/rbl.conf)"
    if any(_has(answer, "refused") for answer in (listed, not_listed)):
        text = f"{name} refuses queries through this resolver ({queried}): it lists no sender"
        return warn(NAME, text, f"{_OWN_RESOLVER}, not a public one; a busy host may need an account at {name}")
    if _has(not_listed, "listed"):
        text = f"{name} lists every address, also 127.0.0.1 (queried {NOT_LISTED}.{name})"
        return warn(NAME, text, f"{removal[:1].upper()}{removal[1:]}: every sender is listed")
    if listed.status == "failed":
        fix = f"Check the resolver and whether {name} still exists; if not, {removal}"
        return warn(NAME, f"{name} does not answer ({_fault(listed)}; {queried})", fix)
    if not _has(listed, "listed"):
        text = f"{name} does not list the test entry 127.0.0.2 ({queried}): it refuses this resolver or was closed"
        return warn(NAME, text, f"{_OWN_RESOLVER}; if that does not help, {removal}")
    return ok(NAME, f"{name} answers ({queried})")


def _has(answer: DnsAnswer, kind: str) -> bool:
    addresses = [ip_address(value) for value in answer.values]
    if kind == "refused":
        return any(address in _REFUSED for address in addresses)
    return any(address in _LISTING and address not in _REFUSED for address in addresses)


def _fault(answer: DnsAnswer) -> str:
    return {
        "timeout": "no response in time",
        "refused": "an error such as SERVFAIL or REFUSED",
        "malformed": "a malformed response",
    }.get(answer.fault, answer.fault)
