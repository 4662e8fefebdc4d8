"""Mail providers, other receivers of a domain's mail, and what a change of its MX records means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin.domains.domain_preview import DomainPreview, build_preview
from router.dns.mail_providers import PROVIDERS, find_provider
from router.dns.receivers import MAX_DOMAIN_LENGTH, suggest_subdomain
from router.dns.records import check_mx
from router.dns.resolver import DnsFailure, DnsRecords, MxRecord, NoDnsRecord

OWN = "mx1.router.test"
MX_HOSTS = [(OWN, 10)]
GOOGLE = DnsRecords((MxRecord(1, "aspmx.l.google.com"), MxRecord(5, "alt1.aspmx.l.google.com")))


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("aspmx.l.google.com", "google"),
        ("alt4.aspmx.l.google.com", "google"),
        ("smtp.google.com", "google"),
        ("aspmx2.googlemail.com", "google"),
        ("acme-example.mail.protection.outlook.com", "microsoft"),
        ("acme-example.a-v1.mx.microsoft", "microsoft"),
        ("acme-example.mail.protection.office365.us", "microsoft"),
        ("mx.zoho.com", "zoho"),
        ("mx3.zoho.eu", "zoho"),
        ("mx2.zoho.com.au", "zoho"),
        ("mx.zohomail.com", "zoho"),
        ("mx.zohocloud.ca", "zoho"),
        ("in1-smtp.messagingengine.com", "fastmail"),
        ("mailsec.protonmail.ch", "proton"),
        ("mx02.mail.icloud.com", "icloud"),
        ("google.com", None),
        ("aspmx.l.google.com.acme.example", None),
        ("notgooglemail.com", None),
        ("mail.protection.outlook.com.acme.example", None),
        ("mx.zoho.acme.example", None),
        ("mx.notzoho.com", None),
        ("", None),
    ],
)
def test_a_provider_is_known_by_its_mx_hosts(host: str, key: str | None) -> None:
    found = find_provider([host])
    assert (found and found.key) == key


def test_every_provider_says_how_to_forward() -> None:
    assert len({provider.key for provider in PROVIDERS}) == len(PROVIDERS)
    for provider in PROVIDERS:
        text = " ".join(provider.forwarding_steps)
        assert "address" in text, provider.name
        assert ("confirmation message" in text) is provider.sends_confirmation
        assert ("blocked by default" in text) is provider.blocks_forwarding
    assert [provider.key for provider in PROVIDERS if provider.blocks_forwarding] == ["microsoft"]


def test_previews() -> None:
    preview = build_preview("acme.example", GOOGLE, MX_HOSTS)
    assert (preview.receiver, preview.provider and preview.provider.key) == ("Google Workspace", "google")
    assert preview.mx == ("1 aspmx.l.google.com", "5 alt1.aspmx.l.google.com")
    assert (preview.moves_all_mail, preview.suggested_subdomain) == (True, "help.acme.example")
    assert preview.warning.startswith("Google Workspace receives the mail of acme.example. Pointing its MX records")
    assert "moves all mail of acme.example" in preview.warning
    unknown = build_preview("help.acme.example", DnsRecords((MxRecord(5, "mx.elsewhere.test"),)), MX_HOSTS)
    assert (unknown.receiver, unknown.provider) == ("Another server (mx.elsewhere.test)", None)
    assert (unknown.moves_all_mail, unknown.suggested_subdomain) == (True, "support.acme.example")
    for answer in (
        NoDnsRecord(),
        DnsRecords((MxRecord(0, ""),)),
        DnsRecords((MxRecord(10, OWN), MxRecord(20, "backup.elsewhere.test"))),
    ):
        assert not build_preview("acme.example", answer, MX_HOSTS).moves_all_mail
    shared = DnsRecords((MxRecord(10, "mx.elsewhere.test"), MxRecord(10, OWN)))
    assert build_preview("acme.example", shared, MX_HOSTS).moves_all_mail
    assert build_preview("acme.example", DnsFailure("no response"), MX_HOSTS) == DomainPreview(
        "acme.example", failure="no response"
    )
    assert build_preview("www.acme.example", NoDnsRecord(), MX_HOSTS).name_without_www == "acme.example"
    assert build_preview("www.ck", NoDnsRecord(), MX_HOSTS).name_without_www == ""


def test_a_subdomain_is_suggested_if_it_fits() -> None:
    longest = ".".join(["a" * 59] * 4)
    assert len(longest) == MAX_DOMAIN_LENGTH - 1
    assert suggest_subdomain(longest) == ""
    assert suggest_subdomain(longest[5:]) == f"help.{longest[5:]}"


_HOSTS = st.sampled_from([OWN, "aspmx.l.google.com", "mx.elsewhere.test", "10.mx1.router.test", ""])


@given(st.lists(st.tuples(st.integers(0, 20), _HOSTS)), st.sampled_from(["", "www.example.net"]))
def test_no_advice_takes_mail_from_others_without_saying_so(records: list[tuple[int, str]], alias: str) -> None:
    answer = DnsRecords(tuple(MxRecord(*record) for record in sorted(records)), alias)
    check = check_mx("acme.example", answer, MX_HOSTS)
    preview = build_preview("acme.example", answer, MX_HOSTS)
    if any(advice in check.fix for advice in ("replace the MX", "remove these MX", "Remove the CNAME")):
        assert preview.warning in check.fix
        assert preview.suggested_subdomain in preview.warning
    if check.status == "ok":
        assert not preview.moves_all_mail
