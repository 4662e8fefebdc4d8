"""The stored results of checks, and their summary in one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.checks.decision import SenderFacts
from router.checks.results import MessageChecks, from_row, to_values
from router.checks.spam_verdict import SpamSymbol, SpamVerdict
from router.mail.auth_results import AuthResult

SPF = AuthResult("spf", "softfail", "a.test")
NO_SPF, NO_DKIM = AuthResult("spf", "none"), AuthResult("dkim", "none")
SIGNED = (AuthResult("dkim", "fail", "b.test", "s1"), AuthResult("dkim", "pass", "a.test", "s2"))


@pytest.mark.parametrize(
    ("results", "summary"),
    [
        ((), ""),
        ((SPF, *SIGNED, AuthResult("dmarc", "pass", "a.test")), "DMARC pass (a.test)"),
        ((SPF, *SIGNED, AuthResult("dmarc", "none", "a.test")), "DKIM pass (a.test), SPF softfail (a.test)"),
        ((SPF, NO_DKIM, AuthResult("dmarc", "fail", "a.test")), "DMARC fail (a.test), SPF softfail (a.test)"),
        ((NO_SPF, NO_DKIM, AuthResult("dmarc", "none", "a.test")), "no SPF, DKIM or DMARC"),
        ((NO_SPF, AuthResult("iprev", "pass", "mx.a.test")), "no SPF, DKIM or DMARC"),
    ],
)
def test_the_summary_says_what_matters(results: tuple[AuthResult, ...], summary: str) -> None:
    assert MessageChecks("done", results=results).summary == summary


def test_the_signature_that_passes_stands_for_dkim() -> None:
    assert MessageChecks("done", results=(SPF, *SIGNED)).words() == {"spf": "softfail", "dkim": "pass"}


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_the_columns_restore_the_results(text: str, score: float, flag: bool) -> None:
    verdict = SpamVerdict("rspamd", score, 15.0, text, (SpamSymbol(text, score, text),))
    facts = SenderFacts(text, "fail", "reject", flag, flag, flag, text, text)
    checks = MessageChecks("done", 5, flag, (SPF, *SIGNED), (NO_SPF,), verdict if flag else None, facts)
    assert from_row(to_values(checks)) == checks
