"""Checks the optional records of MTA-STS, TLS-RPT and DANE, and shows the text to publish.

Missing records are not reported as problems: mail is delivered without them.
"""

from __future__ import annotations

import asyncio

from emailrouter.check.certificate import tlsa_digest
from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, fail, ok
from router.dns.resolver import DnsRecords
from router.model import Domain
from router.store.database import fetch_models

MAX_DOMAINS = 50


async def policies(context: CheckContext) -> list[CheckResult]:
    """Checks MTA-STS (RFC 8461) and TLS-RPT (RFC 8460) for verified domains without an upstream relay."""
    if context.database is None or context.config.smtp.tls_cert is None:
        return []
    rows = await fetch_models(context.database, Domain, "check_domains", limit=MAX_DOMAINS)
    names = dict.fromkeys(row.name for row in rows if row.status == "active" and row.mx_managed == "here")
    found = await asyncio.gather(*(_check_policies(context, name) for name in names))
    return [result for results in found for result in results]


async def _check_policies(context: CheckContext, domain: str) -> list[CheckResult]:
    sts, report = await asyncio.gather(
        context.resolver.query_txt(f"_mta-sts.{domain}"), context.resolver.query_txt(f"_smtp._tls.{domain}")
    )
    results = []
    if isinstance(sts, DnsRecords) and any(value.startswith("v=STSv1") for value in sts.values):
        results.append(ok("mta-sts", f"{domain} publishes a policy, which must list every MX host"))
    else:
        hosts = ", ".join(f"mx: {mx.host}" for mx in context.config.server.mx_hosts)
        results.append(
            ok(
                "mta-sts",
                f"{domain} publishes no policy",
                f'To publish: TXT _mta-sts.{domain} "v=STSv1; id=1", and '
                f"https://mta-sts.{domain}/.well-known/mta-sts.txt with the lines: version: STSv1, mode: testing, "
                f"{hosts}, max_age: 86400",
            )
        )
    if isinstance(report, DnsRecords) and any(value.startswith("v=TLSRPTv1") for value in report.values):
        results.append(ok("tls-rpt", f"{domain} requests reports"))
    else:
        results.append(
            ok(
                "tls-rpt",
                f"{domain} requests no reports",
                f'To publish: TXT _smtp._tls.{domain} "v=TLSRPTv1; rua=mailto:postmaster@{domain}"',
            )
        )
    return results


async def dane(context: CheckContext) -> list[CheckResult]:
    """Checks the TLSA record of this host (RFC 7672), which has an effect only in a zone signed with DNSSEC."""
    path = context.config.smtp.tls_cert
    digest = None if path is None else tlsa_digest(path)
    if digest is None:
        return []
    name = f"_25._tcp.{context.config.server.hostname}"
    record = f"{name}. TLSA 3 1 1 {digest}"
    found = await context.resolver.query_tlsa(name)
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
