"""Routing of one recipient."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.address import Mailbox, parse_mailbox
from router.model import Alias, Domain
from router.reply_tokens import find_ticket_tag
from router.routing.route import DomainFacts, Refusal, Target, candidate_keys, route_recipient

DOMAIN = Domain("dom_1", "ws_1", "example.com", "active", "t", "[]", 1, 1, 1)


def alias(key: str, status: str = "active") -> Alias:
    return Alias(f"alias_{key}", "ws_1", "dom_1", "example.com", key, key, "int_1", status, 1)  # type: ignore[arg-type]  # tests pass any status


def domain_facts(*aliases: Alias) -> DomainFacts:
    return DomainFacts(DOMAIN, aliases, "int_default")


def route(address: str, *aliases: Alias) -> Target | Refusal:
    return route_recipient(parse_mailbox(address), domain_facts(*aliases))


def target_of(address: str, *aliases: Alias) -> Target:
    target = route(address, *aliases)
    assert isinstance(target, Target), target
    return target


def test_unknown_domain_is_relaying() -> None:
    assert route_recipient(parse_mailbox("a@b.test"), DomainFacts(None)) == Refusal("relay")


def test_unverified_domain_is_pending() -> None:
    pending = DomainFacts(replace(DOMAIN, status="pending_verification"), [alias("a")])
    assert route_recipient(parse_mailbox("a@example.com"), pending) == Refusal("pending")


def test_exact_alias_has_precedence() -> None:
    target = target_of("Support@Example.com", alias("support"), alias("*"))
    assert (target.alias_id, target.address, target.tag) == ("alias_support", "support@example.com", "")
    assert target.recipient == "Support@Example.com"


def test_tag_routes_to_the_alias_without_it() -> None:
    target = target_of("support+VIP@example.com", alias("support"))
    assert (target.alias_id, target.tag) == ("alias_support", "VIP")


def test_alias_with_a_plus_matches_exactly() -> None:
    target = target_of("support+vip@example.com", alias("support"), alias("support+vip"))
    assert (target.alias_id, target.tag) == ("alias_support+vip", "")


@pytest.mark.parametrize("name", ["support", "support+eu"])
def test_the_tag_of_a_ticket_leads_to_the_alias_whatever_its_name(name: str) -> None:
    token = "A" * 26
    target = target_of(f"{name}+t-{token}@example.com", alias("support"), alias("support+eu"), alias("*"))
    assert (target.alias_id, target.tag) == (f"alias_{name}", f"t-{token}")
    customers = target_of(f"support+vip+t-{token}@example.com", alias("support"))
    assert find_ticket_tag(customers.tag) == token.lower()


def test_catch_all_matches_other_addresses() -> None:
    target = target_of("nobody@example.com", alias("*"))
    assert (target.alias_id, target.address) == ("alias_*", "*@example.com")


def test_unknown_without_alias_and_catch_all() -> None:
    assert route("nobody@example.com", alias("support")) == Refusal("unknown")


def test_disabled_alias_is_refused_despite_a_catch_all() -> None:
    assert route("support@example.com", alias("support", "disabled"), alias("*")) == Refusal("disabled")
    assert route("support+x@example.com", alias("support", "disabled"), alias("*")) == Refusal("disabled")
    assert route("any@example.com", alias("*", "disabled")) == Refusal("disabled")


def test_asterisk_does_not_match_the_catch_all() -> None:
    assert route("*@example.com", alias("*")) == Refusal("unknown")


@pytest.mark.parametrize("address", ["postmaster@example.com", "PostMaster@example.com", "postmaster+x@example.com"])
def test_postmaster_is_always_accepted(address: str) -> None:
    assert target_of(address, alias("postmaster")).alias_id == "alias_postmaster"
    assert target_of(address, alias("*")).alias_id == "alias_*"
    assert target_of(address, alias("postmaster", "disabled"), alias("*")).alias_id == "alias_*"
    alone = target_of(address)
    assert (alone.alias_id, alone.address, alone.integration_id) == (None, "postmaster@example.com", "int_default")
    assert target_of(address, alias("postmaster", "disabled"), alias("*", "disabled")).alias_id is None


KEYS = st.sampled_from(["a", "b", "a+b", "a+b+c", "*", "postmaster", "+", "+a", "a+", f"a+b+t-{'c' * 26}"])
ALIASES = st.dictionaries(KEYS, st.sampled_from(["active", "disabled"]))


@given(local=KEYS, existing=ALIASES)
def test_any_mailbox_routes_to_the_first_matching_alias(local: str, existing: dict[str, str]) -> None:
    mailbox = Mailbox(local, "example.com")
    candidates = set(candidate_keys(mailbox))
    target = route_recipient(mailbox, domain_facts(*(alias(k, s) for k, s in existing.items() if k in candidates)))
    if isinstance(target, Target) and target.alias_id is not None:
        key = target.alias_id.removeprefix("alias_")
        assert existing[key] == "active"
        assert key in candidates
    if local in existing and local != "*" and existing[local] == "active":
        assert isinstance(target, Target)
        assert target.alias_id == f"alias_{local}"
    if isinstance(target, Refusal) and target.reason == "unknown":
        assert not ({local, local.partition("+")[0] or local} - {"*"}) & existing.keys()


def test_recipient_is_stored_without_invisible_characters() -> None:
    target = target_of("a\u200b+t\u202eag@example.com", alias("*"))
    assert (target.recipient, target.tag) == ("a+tag@example.com", "tag")
