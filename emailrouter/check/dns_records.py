"""Checks the DNS: name servers, the host name, the MX hosts, and the records of domains."""

from __future__ import annotations

import asyncio

from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, fail, ok, warn
from router.dns.receivers import is_public_name
from router.dns.resolver import DnsFailure, DnsRecords
from router.dns.verification import RecordReport, VerificationResult, automatic_mode, check_domain
from router.model import Domain
from router.outbound.addresses import is_public
from router.store.database import fetch_models

MAX_DOMAINS = 200
MAX_CONCURRENT = 8


async def hostname(context: CheckContext) -> list[CheckResult]:
    hostname = context.config.server.hostname
    if not is_public_name(hostname):
        fix = 'Set [server] hostname to the full name of this host in the public DNS, like "mx1.example.com"'
        return [fail("hostname", f"the host name {hostname} is not public", fix)]
    results = await _check_addresses(context, hostname, "hostname")
    if results[-1].status == "fail":
        return results
    found = await context.resolver.query_addresses(hostname)
    for address in found.values if isinstance(found, DnsRecords) else ():
        names = await context.resolver.query_names(address)
        if isinstance(names, DnsRecords) and hostname in names.values:
            results.append(ok("reverse dns", f"{address} resolves to {hostname}"))
            continue
        text = f"{address} has no PTR record"
        if isinstance(names, DnsRecords):
            text = f"{address} resolves to {', '.join(names.values[:3])}"
        if isinstance(names, DnsFailure):
            text = f"the PTR record of {address} could not be queried: {names.reason}"
        fix = f"Ask the provider of the address to set its PTR record to {hostname} (only some senders check it)"
        results.append(warn("reverse dns", text, fix))
    return results


async def name_servers(context: CheckContext) -> list[CheckResult]:
    servers = context.resolver.servers
    found = await context.resolver.query_addresses(context.config.server.hostname)
    queried = ", ".join(server.address for server in servers.current_servers())
    if isinstance(found, DnsFailure):
        fix = "Set [dns] nameservers to servers that respond, or correct /etc/resolv.conf"
        return [warn("name servers", f"{queried}: {found.reason}", fix)]
    plain = [server.address for server in servers.current_servers() if server.skips_edns]
    results = [ok("name servers", f"{queried}{f' (from {servers.path})' if servers.uses_file else ''}")]
    if servers.skipped:
        fix = "Write one IP address after `nameserver`, without port or brackets, or set [dns] nameservers"
        results.append(warn("name servers", f"ignored in {servers.path}: {'; '.join(servers.skipped)}", fix))
    if plain:
        offer = "No action is needed: large responses are fetched over TCP"
        results.append(
            ok("name servers", f"queried without EDNS, which they do not support: {', '.join(plain)}", offer)
        )
    return results


async def mx_hosts(context: CheckContext) -> list[CheckResult]:
    """Checks the addresses of each MX host except this host, which `hostname` checks."""
    hosts = [mx.host for mx in context.config.server.mx_hosts if mx.host != context.config.server.hostname]
    found = await asyncio.gather(*(_check_addresses(context, host, "mx hosts") for host in hosts))
    return [result for results in found for result in results]


async def _check_addresses(context: CheckContext, host: str, name: str) -> list[CheckResult]:
    found = await context.resolver.query_addresses(host)
    if isinstance(found, DnsFailure):
        fix = "Check that this host can query the DNS: [dns] nameservers, /etc/resolv.conf, the firewall (port 53)"
        return [warn(name, f"the addresses of {host} could not be queried: {found.reason}", fix)]
    if not isinstance(found, DnsRecords):
        fix = f"Add an A record (and AAAA) for {host} with the public address of this host: MX records name it"
        return [fail(name, f"{host} has no A or AAAA record", fix)]
    private = [address for address in found.values if not is_public(address)]
    if private:
        fix = f"Set the A and AAAA records of {host} to public addresses, or other servers cannot send mail here"
        return [warn(name, f"{host} has an address that is not public: {', '.join(private)}", fix)]
    return [ok(name, f"{host} resolves to {', '.join(found.values)}")]


async def domains(context: CheckContext) -> list[CheckResult]:
    if context.database is None:
        return []
    rows = await fetch_models(context.database, Domain, "check_domains", limit=MAX_DOMAINS + 1)
    if not rows:
        fix = "Add one: emailrouter domain add example.com (prints the DNS records to add)"
        return [warn("domains", "no domains yet: no mail is accepted", fix)]
    count = await context.database.fetch_one("workspace_count")
    hosts = [(mx.host, mx.priority) for mx in context.config.server.mx_hosts]
    setting = context.config.dns.verification
    mode = automatic_mode(count["workspaces"] if count else 0) if setting == "auto" else setting
    semaphore = asyncio.Semaphore(MAX_CONCURRENT)

    async def check_one(domain: Domain) -> list[CheckResult]:
        async with semaphore:
            verdict = await check_domain(domain, hosts, mode, resolver=context.resolver, now=context.clock.now())
        return _verification_results(domain, verdict)

    results = [
        result for found in await asyncio.gather(*(check_one(row) for row in rows[:MAX_DOMAINS])) for result in found
    ]
    if len(rows) > MAX_DOMAINS:
        results.append(ok("domains", f"only the first {MAX_DOMAINS} domains were checked"))
    return results


def _verification_results(domain: Domain, verdict: VerificationResult) -> list[CheckResult]:
    name = f"domain {domain.name}"
    state = "verified" if domain.status == "active" else "not verified yet"
    wrong = [record for record in verdict.records if record.status != "ok"]
    if domain.status == "active" and verdict.is_definitely_missing:
        return [fail(name, f"verified, but its {_describe_record(record)}", record.fix) for record in wrong]
    if domain.status == "active" and verdict.has_correct_record:
        mx = next(record for record in verdict.records if record.type == "MX")
        if mx.status == "ok":
            return [ok(name, f"{state}; MX {', '.join(mx.found) or 'correct'}")]
        return [warn(name, f"{state}, but its {_describe_record(mx)}", mx.fix)]
    if verdict.is_verified:
        fix = f"emailrouter domain verify {domain.name} (or wait for the next automatic check)"
        return [warn(name, "its records are correct, but it is not verified yet", fix)]
    return [warn(name, f"{state}; its {_describe_record(record)}", record.fix) for record in wrong]


def _describe_record(record: RecordReport) -> str:
    words = {"missing": "is missing", "wrong": "is wrong", "error": "could not be queried", "ok": "is correct"}
    shown = f" ({', '.join(record.found[:3])})" if record.found else ""
    return f"{record.type} record {words[record.status]}{shown}"
