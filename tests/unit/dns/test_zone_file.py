"""Zone files, read again by dnspython."""

import dns.rdatatype
import dns.zonefile
from hypothesis import given
from hypothesis import strategies as st

from router.dns.verification import RecordReport, expected_records
from router.dns.zone_file import format_zone_file
from router.enumerations import MxManaged
from router.model import Domain

_LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True)
_NAME = st.lists(_LABEL, min_size=2, max_size=6).map(".".join)


def pending_domain(name: str, mx_managed: MxManaged = "here") -> Domain:
    token = "0123456789abcdef0123456789abcdef01234567"
    return Domain("dom_1", "ws_1", name, "pending_verification", token, "[]", 0, None, None, mx_managed)


def read(text: str) -> list[tuple[str, str, object]]:
    """Returns name, type and data of each record. Every name must be absolute, so that no zone is appended to it."""
    assert all(line.partition(" ")[0].endswith(".") for line in text.splitlines())
    rrsets = dns.zonefile.read_rrsets(text, rdclass=None)
    return [(str(each.name), dns.rdatatype.to_text(each.rdtype), data) for each in rrsets for data in each]


@given(_NAME, st.lists(st.tuples(_NAME, st.integers(0, 65535)), min_size=1, max_size=3, unique=True))
def test_the_records_of_a_domain(name: str, mx_hosts: list[tuple[str, int]]) -> None:
    domain = pending_domain(name)
    text = format_zone_file(expected_records(domain, mx_hosts))
    found = read(text)
    assert {(n, str(data)) for n, kind, data in found if kind == "MX"} == {
        (f"{name}.", f"{priority} {host}.") for host, priority in mx_hosts
    }
    (txt,) = [(n, data.strings) for n, kind, data in found if kind == "TXT"]  # type: ignore[attr-defined]
    assert txt == (f"_emailrouter.{name}.", (b"emailrouter-verification=" + domain.token.encode(),))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=600))
def test_any_text_of_a_txt_record(text: str) -> None:
    report = RecordReport("verification", "TXT", "t.example", (text,), (), "missing", None, "")
    ((_, _, data),) = read(format_zone_file([report]))
    assert b"".join(data.strings).decode() == text  # type: ignore[attr-defined]


def test_a_domain_behind_a_relay_needs_only_the_txt_record() -> None:
    domain = pending_domain("acme.example", mx_managed="upstream")
    text = format_zone_file(expected_records(domain, [("mx1.router.test", 10)]))
    assert text == f'_emailrouter.acme.example. 3600 IN TXT "emailrouter-verification={domain.token}"\n'
