"""What a domain may publish to have its mail come encrypted: MTA-STS, TLS-RPT and DANE, with the text for each.

For information: mail comes without them. Only a record that is there and wrong keeps senders away.
"""

from __future__ import annotations

import asyncio

from emailrouter.check.certificate import spki_digest
from emailrouter.check.facts import Facts
from emailrouter.check.line import Line, fail, ok
from router.dns.resolver import DnsRecords
from router.model import Domain
from router.store.database import fetch_models

MOST_DOMAINS = 50


async def policies(facts: Facts) -> list[Line]:
    """MTA-STS (RFC 8461) and TLS-RPT (RFC 8460) of each verified domain."""
    if facts.database is None or facts.config.smtp.tls_cert is None:
        return []
    rows = await fetch_models(facts.database, Domain, "check_domains", most=MOST_DOMAINS)
    names = dict.fromkeys(row.name for row in rows if row.status == "active" and row.mx_managed == "here")
    found = await asyncio.gather(*(_policies(facts, name) for name in names))
    return [line for lines in found for line in lines]


async def _policies(facts: Facts, domain: str) -> list[Line]:
    sts, report = await asyncio.gather(
        facts.resolver.query_txt(f"_mta-sts.{domain}"), facts.resolver.query_txt(f"_smtp._tls.{domain}")
    )
    lines = []
    if isinstance(sts, DnsRecords) and any(value.startswith("v=STSv1") for value in sts.values):
        lines.append(ok("mta-sts", f"{domain} publishes a policy, which must list every MX host"))
    else:
        hosts = " ".join(f"mx: {mx.host}" for mx in facts.config.server.mx_hosts)
        lines.append(
            ok(
                "mta-sts",
                f"{domain} publishes no policy",
                f'To publish: TXT _mta-sts.{domain} "v=STSv1; id=1", and '
                f"https://mta-sts.{domain}/.well-known/mta-sts.txt with the lines: version: STSv1, mode: testing, "
                f"{hosts}, max_age: 86400",
            )
        )
    if isinstance(report, DnsRecords) and any(value.startswith("v=TLSRPTv1") for value in report.values):
        lines.append(ok("tls-rpt", f"{domain} requests reports"))
    else:
        lines.append(
            ok(
                "tls-rpt",
                f"{domain} requests no reports",
                f'To publish: TXT _smtp._tls.{domain} "v=TLSRPTv1; rua=mailto:postmaster@{domain}"',
            )
        )
    return lines


async def dane(facts: Facts) -> list[Line]:
    """The TLSA record of this host (RFC 7672): useful in a signed zone alone, and harmful when it is wrong."""
    path = facts.config.smtp.tls_cert
    digest = None if path is None else spki_digest(path)
    if digest is None:
        return []
    name = f"_25._tcp.{facts.config.server.hostname}"
    record = f"{name}. TLSA 3 1 1 {digest}"
    found = await facts.resolver.query_tlsa(name)
    if not isinstance(found, DnsRecords):
        offer = f"To publish, if the zone is signed with DNSSEC: {record}"
        return [ok("dane", f"{name} has no TLSA record", offer)]
    ours = [value for value in found.values if value.lower().replace(" ", "").startswith("311")]
    if ours and all(digest not in value.lower().replace(" ", "") for value in ours):
        fix = f"Publish the record of the current certificate, at first in addition to the old one: {record}"
        return [
            fail("dane", f"the TLSA record of {name} is for another key: senders that verify it will not deliver", fix)
        ]
    return [ok("dane", f"{name} has a TLSA record")]
