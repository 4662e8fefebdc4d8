"""Which of the allowed and blocked senders decides."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.routing.sender_lists import AllowEntry, BlockEntry, SenderDecision, SenderLists

PEERS = ("192.0.2.1", "2001:db8::1", "")
ADDRESSES = ("a@x.test", "b@x.test", "a@sub.x.test", "a@y.test", "")
# From the widest to the narrowest; the entries of one kind and length are equally narrow.
NETWORKS = ("0.0.0.0/0", "2001:db8::/32", "192.0.2.0/24", "192.0.2.1/32", "2001:db8::1/128")
NAMES = (".test", ".x.test", ".sub.x.test", "@x.test", "@sub.x.test", "a@x.test", "a@sub.x.test")
LISTED = st.lists(st.sampled_from((*NETWORKS, *NAMES)), unique=True)


def is_match(entry: str, address: str, peer: str) -> bool:
    if "/" in entry:
        return peer != "" and ip_address(peer) in ip_network(entry)
    domain = address.rpartition("@")[2]
    if entry.startswith("."):
        return f".{domain}".endswith(entry)
    return entry == address or (entry.startswith("@") and entry == f"@{domain}")


def sender_of(entry: AllowEntry | BlockEntry | None) -> str | None:
    return None if entry is None else entry.sender


def rank(entry: str | None) -> int:
    if entry is None:
        return -1
    kind_first = {"@sub.x.test": "@x.test", "a@sub.x.test": "a@x.test"}.get(entry, entry)
    return (*NETWORKS, *NAMES).index(kind_first)


def narrowest(entries: Iterable[str], addresses: Sequence[str], peer: str) -> str | None:
    found = [entry for entry in entries if any(is_match(entry, address, peer) for address in addresses)]
    return max(found, key=rank, default=None)


@given(LISTED, LISTED, st.sampled_from(ADDRESSES), st.sampled_from(PEERS), st.booleans())
def test_the_narrowest_entry_decides_at_rcpt(
    allowed: list[str], blocked: list[str], reverse_path: str, peer: str, has_checks: bool
) -> None:
    lists = SenderLists((AllowEntry(e, True) for e in allowed), (BlockEntry(e, "refuse") for e in blocked))
    decision = lists.decide_recipient(reverse_path, peer, has_checks=has_checks)
    holding = allowed if has_checks else [entry for entry in allowed if "/" in entry]
    allow, block = (narrowest(entries, [reverse_path], peer) for entries in (holding, blocked))
    wins = allow is not None and rank(allow) >= rank(block)
    assert sender_of(decision.allowed) == (allow if wins else None)
    assert sender_of(decision.blocked) == (None if wins else block)
    assert sender_of(decision.overruled) == (block if wins else None)
    assert decision.is_refused == (block is not None and not wins)


@example([], ["@x.test"], ["0.0.0.0/0", "@sub.x.test"], ("a@x.test", "a@sub.x.test"), False)
@given(LISTED, LISTED, LISTED, st.tuples(st.sampled_from(ADDRESSES), st.sampled_from(ADDRESSES)), st.booleans())
def test_entries_that_require_authentication_hold_only_for_an_authenticated_from(
    required: list[str], free: list[str], blocked: list[str], addresses: tuple[str, str], authenticated: bool
) -> None:
    reverse_path, author = addresses
    entries = {entry: AllowEntry(entry, True) for entry in required} | {e: AllowEntry(e, False) for e in free}
    lists = SenderLists(entries.values(), (BlockEntry(e, "spam") for e in blocked))
    decision = lists.decide(reverse_path, author, "192.0.2.1", authenticated=authenticated)
    names = [name for name, entry in entries.items() if not entry.require_auth or "/" in name]
    allow = narrowest(names, [reverse_path, author], "192.0.2.1")
    if authenticated:
        allow = max(allow, narrowest(entries, [author], ""), key=rank)
    block = narrowest(blocked, [reverse_path, author], "192.0.2.1")
    wins = allow is not None and rank(allow) >= rank(block)
    assert rank(sender_of(decision.allowed)) == (rank(allow) if wins else -1)
    assert rank(sender_of(decision.blocked)) == (-1 if wins else rank(block))
    deciding = decision.allowed or decision.blocked
    assert deciding is None or any(is_match(deciding.sender, each, "192.0.2.1") for each in addresses)


def test_only_the_action_refuse_refuses() -> None:
    lists = SenderLists(blocked=[BlockEntry("@x.test", "refuse"), BlockEntry("a@x.test", "spam")])
    assert lists.decide_recipient("b@x.test", "", has_checks=True).is_refused
    assert not lists.decide_recipient("a@x.test", "", has_checks=True).is_refused, "the narrower entry decides"
    assert lists.decide("b@y.test", "b@x.test", "", authenticated=True).blocked == BlockEntry("@x.test", "refuse")


@pytest.mark.parametrize("address", ["", "no address", "postmaster", "a@b@c", "a@x.test\n"])
def test_invalid_addresses_match_nothing(address: str) -> None:
    lists = SenderLists([AllowEntry("@x.test", False)], [BlockEntry(".test", "refuse")])
    assert lists.decide(address, address, "", authenticated=True) == SenderDecision()
