"""The DNS questions of one message: at most `MAX_QUESTIONS`, each answered once.

A sender chooses the names that the checks of a message query. The limit bounds the traffic that a message causes.
"""

from __future__ import annotations

from typing import Final

from router.checks.dns_cache import Question, QuestionResolver, normalize_question
from router.dns.answers import AnswerFault, DnsAnswer, RecordType

# Enough for SPF (`router.checks.spf.MAX_QUESTIONS`), iprev (6), the keys of 5 DKIM signatures, and the DMARC records of
# the domain of From (8, and 1 for its existence). The organizational domains of SPF and DKIM need more only if these
# use fewer.
MAX_QUESTIONS = 40

# Reasons of `temperror` results that are shown to users.
FAULT_REASONS: Final[dict[AnswerFault, str]] = {
    "": "",
    "timeout": "no DNS response",
    "refused": "DNS server error",
    "malformed": "malformed DNS response",
    "limit": "too many DNS questions",
}


class Questions:
    """Counts and remembers the questions of one message, so that all its checks see the same answers."""

    def __init__(self, cache: QuestionResolver, limit: int = MAX_QUESTIONS) -> None:
        self._cache = cache
        self._limit = limit
        self._asked: set[Question] = set()
        self._answers: dict[Question, DnsAnswer] = {}

    async def query(self, name: str, record_type: RecordType) -> DnsAnswer:
        """Returns `failed` with the fault `limit` for a new question over the limit."""
        question = normalize_question(name, record_type)
        if question is None:
            return DnsAnswer("no_domain")
        if question not in self._answers:
            if question not in self._asked and len(self._asked) >= self._limit:
                return DnsAnswer("failed", fault="limit")
            self._asked.add(question)
            answer = await self._cache.query(*question)
            self._answers.setdefault(question, answer)
        return self._answers[question]
