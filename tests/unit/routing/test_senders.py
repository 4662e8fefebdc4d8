"""Normalisation and matching of the entries of sender lists."""

from collections.abc import Iterable
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.address import MAX_MAILBOX_BYTES, Mailbox, parse_mailbox
from router.network import parse_address
from router.routing.senders import SenderList, normalize_entry, normalize_new_entry

NETWORKS = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(lambda n: str(ip_network((n[0], n[1]), strict=False))),
    st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(
        lambda n: str(ip_network((n[0], n[1]), strict=False))
    ),
)


def narrowest(entries: Iterable[str], reverse_path: str = "", peer: str = "") -> str | None:
    match = SenderList((entry, entry) for entry in entries).narrowest(sender(reverse_path), peer)
    return None if match is None else match.entry


def sender(reverse_path: str) -> Mailbox | None:
    return parse_mailbox(reverse_path, local_part_limit=MAX_MAILBOX_BYTES) if reverse_path else None


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("Eve@SPAM.test", "eve@spam.test"),
        ("@Bad.test", "@bad.test"),
        ("bad.test", "@bad.test"),
        ("@bücher.example", "@xn--bcher-kva.example"),
        (".BÜCHER.example", ".xn--bcher-kva.example"),
        (".example", ".example"),
        ("192.0.2.1", "192.0.2.1/32"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("e\u200bve@spam.test", "eve@spam.test"),
    ],
)
def test_entries_are_normalised(text: str, entry: str) -> None:
    assert normalize_entry(text) == entry
    assert normalize_entry(entry) == entry


@pytest.mark.parametrize(
    "text", ["", "*@x.test", "a@b@c", "192.0.2.1/24", "a b@x.test", "@..", "@͸.test", ".", "..a.test", "@.a.test", ".1"]
)
def test_invalid_entries(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        normalize_entry(text)


@pytest.mark.parametrize("text", ["nonsense", "@nonsense"])
def test_a_single_word_is_no_new_domain(text: str) -> None:
    assert normalize_entry(text) == "@nonsense", "an earlier version stored it"
    with pytest.raises(ValueError, match=r'a domain \("@spam.example", .* a domain needs a dot'):
        normalize_new_entry(text)
    for allowed in ("bad.test", ".example", "cron@host", "192.0.2.1"):
        assert normalize_new_entry(allowed) == normalize_entry(allowed)


@pytest.mark.parametrize(
    ("reverse_path", "peer", "entry"),
    [
        ("Eve@SPAM.test", "", "eve@spam.test"),
        ("e\u200bv\u202ee@spam.test", "", "eve@spam.test"),
        ("any@bad.test", "", "@bad.test"),
        ("any@BÜCHER.example", "", "@xn--bcher-kva.example"),
        ("a/b@slash.test", "192.0.2.1", "a/b@slash.test"),
        ('"eve"@spam.test', "", "eve@spam.test"),
        ("ann@good.test", "203.0.113.9", "203.0.113.0/24"),
        ("", "::ffff:203.0.113.9", "203.0.113.0/24"),
        ("", "2001:db8::1", "2001:db8::/32"),
        ("", "unknown", None),
        ("", "203.0.114.9", None),
        ("ann@spam.test", "192.0.2.1", None),
        ("eve@good.test", "", None),
        ("", "", None),
        ("any@BÜCHER.example", "203.0.113.9", "@xn--bcher-kva.example"),
        ("any@wide.test", "", ".wide.test"),
        ("any@a.b.wide.test", "203.0.113.9", ".b.wide.test"),
        ("any@ab.wide.test", "", ".wide.test"),
        ("any@notwide.test", "", None),
        ("any@[192.0.2.1]", "", None),
    ],
)
def test_matching_entry(reverse_path: str, peer: str, entry: str | None) -> None:
    """An entry with a slash in its local part is an address, not a network."""
    names = [
        "eve@spam.test",
        "@bad.test",
        "@xn--bcher-kva.example",
        "a/b@slash.test",
        ".wide.test",
        ".b.wide.test",
        ".1]",
    ]
    assert narrowest([*names, "203.0.113.0/24", "2001:db8::/32"], reverse_path, peer) == entry


@pytest.mark.parametrize("peer", ["198.51.100.9", "::ffff:198.51.100.9"])
def test_ipv4_mapped_network_is_an_ipv4_network(peer: str) -> None:
    entry = normalize_entry("::ffff:198.51.100.0/120")
    assert narrowest([entry], peer=peer) == entry
    assert narrowest([entry], peer="198.51.101.9") is None


@given(st.lists(NETWORKS, max_size=6), st.one_of(st.ip_addresses(), st.integers(0, 5)))
def test_networks_match_like_the_standard_library(networks: list[str], peer: object) -> None:
    if isinstance(peer, int):  # selects the last address of a network
        edge = ip_network(networks[peer % len(networks)]) if networks else ip_network("192.0.2.0/24")
        peer = edge.broadcast_address
    entry = narrowest(networks, peer=str(peer))
    address = parse_address(str(peer))
    containing = [ip_network(network) for network in networks if address in ip_network(network)]
    longest = max(containing, key=lambda network: network.prefixlen, default=None)
    assert entry == (None if longest is None else str(longest))
