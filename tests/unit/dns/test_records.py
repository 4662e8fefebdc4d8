"""Checks of MX and TXT records, including mistakes that are made in providers' web forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dns.records import check_mx, check_txt, format_mx_records
from router.dns.resolver import DnsFailure, DnsRecords, MxRecord, NoDnsRecord

DOMAIN = "help.example.org"
MX_HOSTS = [("mx1.router.test", 10), ("mx2.router.test", 20)]
TOKEN = "ab12cd34ef56"
VALUE = f"emailrouter-verification={TOKEN}"
NO_RECORD = NoDnsRecord()


def _mx(*records: tuple[int, str], alias: str = "") -> DnsRecords[MxRecord]:
    return DnsRecords(tuple(MxRecord(*record) for record in records), alias)


@pytest.mark.parametrize(
    "found",
    [
        _mx((10, "mx1.router.test"), (20, "mx2.router.test")),
        _mx((10, "mx1.router.test")),
        _mx((0, "mx2.router.test")),
        _mx((10, "mx1.router.test"), (11, "old.example.net")),
        _mx((10, "mx1.router.test"), (15, "backup.example.net"), (20, "mx2.router.test")),
        _mx((10, "mx1.router.test"), alias="www.example.net"),
    ],
)
def test_correct_mx(found: DnsRecords[MxRecord]) -> None:
    check = check_mx(DOMAIN, found, MX_HOSTS)
    assert (check.status, check.fix) == ("ok", "")


@pytest.mark.parametrize("host", ["vm", "localhost", "mail.internal", "Mail.Local."])
def test_no_mx_record_with_a_private_name_is_proposed(host: str) -> None:
    hosts = [("mx1.router.test", 10), (host, 20)]
    problem = (
        f"{host} is not a public host name, so no mail could arrive. Before you create the MX record, set [server]"
    )
    missing, wrong = (check_mx(DOMAIN, found, hosts) for found in (NO_RECORD, _mx((1, "smtp.google.com"))))
    assert (missing.status, wrong.status) == ("missing", "wrong")
    assert missing.fix.startswith(problem)
    assert wrong.fix.startswith(problem)
    assert "MX 20" not in missing.fix + wrong.fix
    assert "Google Workspace receives the mail of help.example.org" in wrong.fix
    assert check_mx(DOMAIN, _mx((10, "mx1.router.test")), hosts).status == "ok"


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        (
            NO_RECORD,
            "missing",
            [
                "help.example.org has no MX record",
                "MX 10 mx1.router.test and MX 20 mx2.router.test",
                "until its TTL ends",
            ],
        ),
        (
            DnsFailure("no response"),
            "error",
            ["Cannot read the MX records of help.example.org: no response", "later"],
        ),
        (NoDnsRecord("site.example.net"), "wrong", ["is a CNAME for site.example.net", "Remove the CNAME"]),
        (_mx((5, "mx.host.example"), alias="host.example"), "wrong", ["is a CNAME for host.example"]),
        (
            _mx((1, "aspmx.l.example.com"), (10, "mx1.router.test")),
            "wrong",
            ["equal or higher priority: 1 aspmx.l.example.com", "greater than 10"],
        ),
        (_mx((10, "mx1.router.test"), (10, "old.example.net")), "wrong", ["10 old.example.net", "remove these MX"]),
        (
            _mx((5, "aspmx.l.example.com")),
            "wrong",
            ["To move all mail, replace the MX records found (5 aspmx.l.example.com) with MX 10 mx1.router.test"],
        ),
        (_mx((0, "")), "wrong", ["has a null MX record", "and add MX 10"]),
        (_mx((0, ""), (10, "mx1.router.test")), "wrong", ["has a null MX record", "Remove MX 0 ."]),
        (_mx((10, "mx1.ruoter.test")), "wrong", ["mx1.ruoter.test) looks like a misspelling of mx1.router.test"]),
        (_mx((10, "mx1.router.test.help.example.org")), "wrong", ["with a trailing dot (mx1.router.test.)"]),
        (_mx((10, "mx1.router.test.example.org")), "wrong", ["with a trailing dot (mx1.router.test.)"]),
        (_mx((0, "10\\032mx1.router.test")), "wrong", ["priority is in the host name field (10 mx1.router"]),
        (
            _mx((0, "mx1.router.test\\03210")),
            "wrong",
            ["priority is in the host name field (mx1.router.test 10)"],
        ),
        (_mx((0, "10.mx1.router.test")), "wrong", ["priority is in the host name field (10.mx1.router.test)"]),
        (_mx((10, "mx1\\.router\\.test")), "wrong", ["escaped the dots of the host name", "MX 10 mx1.router.test"]),
        (
            _mx((10, "mx1\\.router\\.test.help.example.org")),
            "wrong",
            ["escaped the dots of the host name", "without a trailing dot"],
        ),
        (_mx((10, "203.0.113.5")), "wrong", ["contains an IP address (203.0.113.5)"]),
    ],
)
def test_incorrect_mx(found: DnsRecords[MxRecord] | NoDnsRecord | DnsFailure, status: str, words: list[str]) -> None:
    check = check_mx(DOMAIN, found, MX_HOSTS)
    assert check.status == status
    for word in words:
        assert word in check.fix


def test_misplaced_mx() -> None:
    check = check_mx(DOMAIN, NO_RECORD, MX_HOSTS, [f"{DOMAIN}.example.org"])
    assert check.status == "missing"
    assert "is at help.example.org.example.org" in check.fix


def test_own_hosts_are_normalised() -> None:
    assert check_mx(DOMAIN, _mx((10, "mx1.router.test")), [("MX1.Router.Test.", 10)]).status == "ok"
    assert format_mx_records([("B.test.", 20), ("a.test", 10)]) == ("10 a.test", "20 b.test")


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from(["mx1.router.test", "x.test", "y.test", ""]))))
def test_mx_is_correct_if_no_other_host_has_equal_or_higher_priority(records: list[tuple[int, str]]) -> None:
    best = min((n for n, host in records if host == "mx1.router.test"), default=None)
    is_correct = best is not None and all(n > best for n, host in records if host != "mx1.router.test")
    check = check_mx(DOMAIN, DnsRecords(tuple(MxRecord(*record) for record in sorted(records))), MX_HOSTS)
    assert (check.status == "ok") is is_correct
    assert bool(check.fix) is not is_correct


@pytest.mark.parametrize("values", [(VALUE,), ("v=spf1 -all", VALUE), ("emailrouter-verification=old", VALUE)])
def test_correct_txt(values: tuple[str, ...]) -> None:
    assert check_txt(DOMAIN, DnsRecords(values), TOKEN).status == "ok"


@pytest.mark.parametrize(
    ("found", "status", "words"),
    [
        (NO_RECORD, "missing", f"_emailrouter.help.example.org has no TXT record. Add one with the value {VALUE}."),
        (DnsFailure("refused"), "error", "Cannot read the TXT records of _emailrouter.help.example.org: refused"),
        (DnsRecords((f'"{VALUE}"',)), "wrong", "quotation marks or spaces"),
        (DnsRecords((f" {VALUE}",)), "wrong", "quotation marks or spaces"),
        (DnsRecords((f"\u201c{VALUE}\u201d",)), "wrong", "quotation marks or spaces"),
        (DnsRecords((TOKEN,)), "wrong", "only the code"),
        (DnsRecords((VALUE.upper(),)), "wrong", "upper or lower case"),
        (DnsRecords((f'"{VALUE[:30]}" "{VALUE[30:]}"',)), "wrong", "in one piece"),
        (DnsRecords((f"emailrouter-verification= {TOKEN}",)), "wrong", "in one piece"),
        (DnsRecords((TOKEN, "emailrouter-verification=")), "wrong", "split across two"),
        (DnsRecords(("emailrouter-verification=zz99",)), "wrong", "a different code (emailrouter-verification=zz99)"),
        (DnsRecords(("v=spf1 -all",)), "wrong", "has the expected value"),
    ],
)
def test_incorrect_txt(found: DnsRecords[str] | NoDnsRecord | DnsFailure, status: str, words: str) -> None:
    check = check_txt(DOMAIN, found, TOKEN)
    assert check.status == status
    assert words in check.fix


def test_misplaced_txt() -> None:
    apex = check_txt(DOMAIN, NO_RECORD, TOKEN, [DOMAIN])
    assert "is at help.example.org instead of _emailrouter.help.example.org" in apex.fix
    appended = check_txt(DOMAIN, NO_RECORD, TOKEN, [f"_emailrouter.{DOMAIN}.{DOMAIN}"])
    assert "appends the zone name automatically" in appended.fix
    assert (apex.status, appended.status) == ("missing", "missing")
