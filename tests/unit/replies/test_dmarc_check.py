"""The DMARC record of a domain. A proposal is never weaker than the record that is there."""

import pytest

from router.checks.dmarc import tree_walk_names
from router.dns.answers import DnsAnswer
from router.replies.records.dmarc_check import DmarcCheck, check_dmarc

DOMAIN = "help.example.com"


def _check(*own: str, parent: tuple[str, ...] = (), failing: str = "") -> DmarcCheck:
    zone = {f"_dmarc.{DOMAIN}": own, "_dmarc.example.com": parent}
    answers = {
        name: DnsAnswer("failed", fault="timeout")
        if name == failing
        else DnsAnswer("found", zone[name])
        if zone.get(name)
        else DnsAnswer("no_domain")
        for name in tree_walk_names(DOMAIN)
    }
    return check_dmarc(DOMAIN, answers)


@pytest.mark.parametrize("record", ["v=DMARC1; p=reject", "v=DMARC1;p=quarantine;", "v=DMARC1; p=none; t=y"])
def test_a_valid_record_stays(record: str) -> None:
    result = _check(record, "another text")
    assert (result.check.status, result.expected) == ("ok", (record,))


def test_after_none_comes_quarantine() -> None:
    advice = _check("v=DMARC1; p=none; sp=none; rua=mailto:a@example.com").check
    assert (advice.status, "v=DMARC1; p=quarantine; sp=none; rua=mailto:a@example.com" in advice.fix) == ("ok", True)


def test_the_record_of_the_organization_applies() -> None:
    result = _check(parent=("v=DMARC1; p=reject",))
    assert (result.check.status, result.found) == ("ok", ("_dmarc.example.com: v=DMARC1; p=reject",))


@pytest.mark.parametrize(
    ("records", "text", "policy"),
    [
        (("v=DMARC1; p=reject", "v=DMARC1; p=none"), "has 2 DMARC records", "reject"),
        (('"v=DMARC1; p=quarantine"',), "quotation marks", "quarantine"),
        (("v=DMARC1\\; p=reject",), "backslashes", "reject"),
        (("v=DMARC1 p=reject",), "does not begin with v=DMARC1;", "reject"),
        (("v=DMARC1; p=nothing",), "no valid p=", "none"),
    ],
)
def test_what_is_wrong(records: tuple[str, ...], text: str, policy: str) -> None:
    result = _check(*records)
    assert (result.check.status, text in result.check.fix) == ("wrong", True), result.check.fix
    assert result.expected[0].startswith(f"v=DMARC1; p={policy}; rua=mailto:")


def test_no_record_is_missing_only_if_dns_answered() -> None:
    assert _check().check.status == "missing"
    assert _check(failing=f"_dmarc.{DOMAIN}").check.status == "error"
    assert _check(failing="_dmarc.com").check.status == "error"
