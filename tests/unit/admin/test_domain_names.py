"""Validation and normalisation of domain names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.admin.domains.domain_names import normalize_domain_name
from router.errors import Refused


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "192.0.2.1",
        "[192.0.2.1]",
        "2001:db8::1",
        "co.uk",
        "CO.UK.",
        "anything.ck",
        "chiyoda.tokyo.jp",
        "公司.cn",
        "xn--55qx5d.cn",
        "a..b",
        ".example.org",
        "exa mple.org",
        "-a.example",
        "a_b.example",
        "some one@example.org",
        "someone@",
        "@",
        "a@b@example.org",
        "someone@[192.0.2.1]",
        "https://",
        "https://192.0.2.1/",
        "https://[2001:db8::1]/",
        "https://user:word@example.org/",
        "ftp://example.org",
        "//example.org/",
        "www.co.uk/",
        "example.org:443",
        "example.123",
        "xn--a.example",
        "exam\u202eple.org",
        "a" * 64 + ".org",
        ".".join(["abcdefgh"] * 30),
        "",
        "   ",
        "ex\x00ample.org",
        "ex\ud800ample.org",
    ],
)
def test_invalid_domain_names(name: str) -> None:
    with pytest.raises(Refused) as refused:
        normalize_domain_name(name)
    assert (refused.value.code, refused.value.field) == ("invalid_domain", "domain")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Example.ORG.", "example.org"),
        (" example.org ", "example.org"),
        ("https://example.org/", "example.org"),
        (" HTTP://WWW.Example.org.:8080/contact?x#y ", "example.org"),
        ("www.example.org/contact", "example.org"),
        ("https://www.ck/", "www.ck"),
        ("https://bücher.example/ä", "xn--bcher-kva.example"),
        ("@example.org", "example.org"),
        ("Support@Example.org", "example.org"),
        ('"odd local part"@example.org', "example.org"),
        ("mailto:support@example.org", "example.org"),
        ("www.example.org", "www.example.org"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("example.co.uk", "example.co.uk"),
        ("www.ck", "www.ck"),
        ("city.kawasaki.jp", "city.kawasaki.jp"),
        ("example.公司.cn", "example.xn--55qx5d.cn"),
        ("github.io", "github.io"),
        ("example.test", "example.test"),
        ("mail.example.internal", "mail.example.internal"),
    ],
)
def test_domain_normalization(typed: str, kept: str) -> None:
    assert normalize_domain_name(typed) == kept


@given(
    st.one_of(
        st.text(max_size=300),
        st.builds(
            "{}{}{}".format,
            st.sampled_from(["https://", "http://www.", "@", "a@", ""]),
            st.text(max_size=40),
            st.sampled_from(["", "/", ":80/a"]),
        ),
    )
)
def test_normalization_of_any_text_is_idempotent_or_rejects_it(text: str) -> None:
    try:
        kept = normalize_domain_name(text)
    except Refused:
        return
    assert kept.isascii()
    assert normalize_domain_name(kept) == kept
