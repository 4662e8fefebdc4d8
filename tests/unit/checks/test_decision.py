"""What follows from the checks of a message."""

import pytest

from router.checks.decision import Decision, SenderFacts, decide
from router.checks.policy import CheckPolicy
from router.checks.spam_verdict import SpamVerdict

SPAM = SpamVerdict("rspamd", 20.0, 15.0, "reject", ())
OWN = SenderFacts(from_domain="example.com", dmarc="fail", dmarc_policy="reject", is_own_domain=True)
BLOCKED = SenderFacts(from_domain="a.test", dmarc="none", blocked="@a.test")


def test_of_equal_findings_the_forged_own_domain_is_told() -> None:
    assert "your domain" in decide(OWN, SPAM, CheckPolicy(on_spam="flag")).warning
    assert "your domain" in decide(OWN, SPAM, CheckPolicy(on_fail="quarantine")).spam_reason


def test_the_most_severe_finding_decides() -> None:
    assert decide(OWN, SPAM, CheckPolicy()).spam_reason.startswith("rspamd rates")
    assert decide(BLOCKED, None, CheckPolicy()).spam_reason == "The sender is blocked (@a.test)"


@pytest.mark.parametrize("policy", [CheckPolicy(), CheckPolicy(on_fail="quarantine"), CheckPolicy(on_spam="flag")])
def test_an_allowed_sender_has_no_consequence(policy: CheckPolicy) -> None:
    assert decide(SenderFacts(dmarc="fail", dmarc_policy="reject", allowed="@a.test"), SPAM, policy) == Decision()


def test_the_own_domain_is_never_only_shown() -> None:
    quiet = CheckPolicy(on_fail="show", on_spam="show")
    assert decide(OWN, SPAM, quiet).warning
    assert decide(SenderFacts(from_domain="a.test", dmarc="fail", dmarc_policy="reject"), SPAM, quiet) == Decision()
