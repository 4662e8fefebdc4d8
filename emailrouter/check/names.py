"""The DNS: this host's own name, the MX hosts, and both records of every domain."""

from __future__ import annotations

import asyncio

from emailrouter.check.facts import Facts
from emailrouter.check.line import Line, fail, ok, warn
from router.dns.resolver import DnsFailure, DnsRecords
from router.dns.verification import RecordReport, VerificationResult, check_domain
from router.model import Domain
from router.outbound.addresses import is_public
from router.store.database import fetch_models

MOST_DOMAINS = 200
AT_ONCE = 8


async def own_name(facts: Facts) -> list[Line]:
    """The hostname forward and reverse."""
    hostname = facts.config.server.hostname
    if "." not in hostname or hostname.endswith((".local", ".localdomain", ".internal")):
        fix = 'Set [server] hostname to the full name of this host in the public DNS, like "mx1.example.com"'
        return [fail("hostname", f"{hostname} is not a public host name", fix)]
    lines = await _forward(facts, hostname, "hostname")
    if lines[-1].status == "fail":
        return lines
    found = await facts.resolver.query_addresses(hostname)
    for address in found.values if isinstance(found, DnsRecords) else ():
        names = await facts.resolver.query_names(address)
        if isinstance(names, DnsRecords) and hostname in names.values:
            lines.append(ok("reverse dns", f"{address} resolves to {hostname}"))
            continue
        said = f"{address} has no PTR record"
        if isinstance(names, DnsRecords):
            said = f"{address} resolves to {', '.join(names.values[:3])}"
        if isinstance(names, DnsFailure):
            said = f"the PTR record of {address} could not be queried: {names.reason}"
        fix = f"Ask the provider of the address to set its PTR record to {hostname} (only some senders check it)"
        lines.append(warn("reverse dns", said, fix))
    return lines


async def name_servers(facts: Facts) -> list[Line]:
    """Which name servers are asked, what of resolv.conf is skipped, and whether one does not understand EDNS."""
    servers = facts.resolver.servers
    found = await facts.resolver.query_addresses(facts.config.server.hostname)
    asked = ", ".join(server.address for server in servers.current())
    if isinstance(found, DnsFailure):
        fix = "Set [dns] nameservers to servers that respond, or correct /etc/resolv.conf"
        return [warn("name servers", f"{asked}: {found.reason}", fix)]
    plain = [server.address for server in servers.current() if server.skips_edns]
    lines = [ok("name servers", f"{asked}{f' (from {servers.path})' if servers.uses_file else ''}")]
    if servers.skipped:
        fix = "Write one IP address after `nameserver`, without port or brackets, or set [dns] nameservers"
        lines.append(warn("name servers", f"ignored in {servers.path}: {'; '.join(servers.skipped)}", fix))
    if plain:
        offer = "No action is needed: large responses are fetched over TCP"
        lines.append(ok("name servers", f"queried without EDNS, which they do not support: {', '.join(plain)}", offer))
    return lines


async def mx_hosts(facts: Facts) -> list[Line]:
    """Every host that domains are told to point at."""
    hosts = [mx.host for mx in facts.config.server.mx_hosts if mx.host != facts.config.server.hostname]
    found = await asyncio.gather(*(_forward(facts, host, "mx hosts") for host in hosts))
    return [line for lines in found for line in lines]


async def _forward(facts: Facts, host: str, name: str) -> list[Line]:
    found = await facts.resolver.query_addresses(host)
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


async def domains(facts: Facts) -> list[Line]:
    """Both records of every domain, asked now; nothing is written."""
    if facts.database is None:
        return []
    rows = await fetch_models(facts.database, Domain, "check_domains", most=MOST_DOMAINS + 1)
    if not rows:
        fix = "Add one: emailrouter domain add example.com (prints the DNS records to add)"
        return [warn("domains", "no domains yet: no mail is accepted", fix)]
    count = await facts.database.fetch_one("workspace_count")
    hosts = [(mx.host, mx.priority) for mx in facts.config.server.mx_hosts]
    several = count is not None and count["workspaces"] > 1
    places = asyncio.Semaphore(AT_ONCE)

    async def look(domain: Domain) -> list[Line]:
        mode = facts.config.dns.verification
        async with places:
            verdict = await check_domain(
                domain.name,
                domain.token,
                hosts,
                ("mx+txt" if several else "mx") if mode == "auto" else mode,
                resolver=facts.resolver,
                now=facts.clock.now(),
                upstream=domain.mx_managed == "upstream",
            )
        return _judged(domain, verdict)

    lines = [line for found in await asyncio.gather(*(look(row) for row in rows[:MOST_DOMAINS])) for line in found]
    if len(rows) > MOST_DOMAINS:
        lines.append(ok("domains", f"only the first {MOST_DOMAINS} domains were checked"))
    return lines


def _judged(domain: Domain, verdict: VerificationResult) -> list[Line]:
    name = f"domain {domain.name}"
    state = "verified" if domain.status == "active" else "not verified yet"
    wrong = [record for record in verdict.records if record.status != "ok"]
    if domain.status == "active" and verdict.is_definitely_missing:
        return [fail(name, f"verified, but its {_found(record)}", record.fix) for record in wrong]
    if domain.status == "active" and verdict.has_correct_record:
        mx = next(record for record in verdict.records if record.type == "MX")
        if mx.status == "ok":
            return [ok(name, f"{state}; MX {', '.join(mx.found) or 'correct'}")]
        return [warn(name, f"{state}, but its {_found(mx)}", mx.fix)]
    if verdict.is_verified:
        fix = f"emailrouter domain verify {domain.name} (or wait for the next automatic check)"
        return [warn(name, "its records are correct, but it is not verified yet", fix)]
    return [warn(name, f"{state}; its {_found(record)}", record.fix) for record in wrong]


def _found(record: RecordReport) -> str:
    words = {"missing": "is missing", "wrong": "is wrong", "error": "could not be queried", "ok": "is correct"}
    shown = f" ({', '.join(record.found[:3])})" if record.found else ""
    return f"{record.type} record {words[record.status]}{shown}"
