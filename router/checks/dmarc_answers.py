"""Fetches the DNS answers that DMARC needs: those of From first, so that no other check can use up the questions."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

from router.checks.dmarc import alignment_domains, author_domain, tree_walk_names
from router.dns.answers import DnsAnswer, Lookup
from router.mail.auth_results import AuthResult


async def fetch_author_answers(
    lookup: Lookup, from_domains: Sequence[str]
) -> tuple[dict[str, DnsAnswer], DnsAnswer | None]:
    """Returns the answers of the tree walk of the domain in From, and an answer about the domain itself.

    Asks at most 9 questions, concurrently. Ask them before or together with the first question of SPF: a sender could
    otherwise use up the questions of a message with SPF, and so replace `fail` by `temperror`.
    """
    domain, _ = author_domain(from_domains)
    if not domain:
        return {}, None
    # Of all types, TXT is the one that SPF asks as well.
    answers, from_exists = await asyncio.gather(fetch_answers(lookup, [domain]), lookup(domain, "TXT"))
    return answers, from_exists


async def fetch_alignment_answers(
    lookup: Lookup,
    from_domains: Sequence[str],
    answers: Mapping[str, DnsAnswer],
    spf: AuthResult,
    dkim: Sequence[AuthResult],
) -> dict[str, DnsAnswer]:
    """Returns `answers` with those that the alignment of SPF and DKIM needs."""
    domains = alignment_domains(from_domains, answers, spf, dkim)
    return {**answers, **await fetch_answers(lookup, domains, known=answers)}


async def fetch_answers(
    lookup: Lookup, domains: Collection[str], *, known: Collection[str] = ()
) -> dict[str, DnsAnswer]:
    """Returns the TXT answers of the tree walks of some domains by name, except those of `known` names."""
    names = list(dict.fromkeys(name for domain in domains for name in tree_walk_names(domain) if name not in known))
    return dict(zip(names, await asyncio.gather(*(lookup(name, "TXT") for name in names)), strict=True))
