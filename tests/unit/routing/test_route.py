"""The decision for one recipient, row by row of SPEC.md section 5, and for any mailbox at all."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mail.address import Mailbox, parse_mailbox
from router.model import Alias, Domain
from router.routing.route import DomainFacts, Refusal, Target, candidate_keys, route_recipient

DOMAIN = Domain("dom_1", "ws_1", "example.com", "active", "t", "[]", 1, 1, 1)


def alias(key: str, status: str = "active") -> Alias:
    return Alias(f"alias_{key}", "ws_1", "dom_1", "example.com", key, key, "int_1", status, 1)  # type: ignore[arg-type]  # a test may say any status


def facts(*aliases: Alias) -> DomainFacts:
    return DomainFacts(DOMAIN, aliases, "int_default")


def route(address: str, *aliases: Alias) -> Target | Refusal:
    return route_recipient(parse_mailbox(address), facts(*aliases))


def to(address: str, *aliases: Alias) -> Target:
    found = route(address, *aliases)
    assert isinstance(found, Target), found
    return found


def test_a_domain_that_is_not_ours_is_relaying() -> None:
    assert route_recipient(parse_mailbox("a@b.test"), DomainFacts(None)) == Refusal("relay")


def test_a_domain_that_is_not_verified_yet_may_be_tried_again() -> None:
    pending = DomainFacts(replace(DOMAIN, status="pending_verification"), [alias("a")])
    assert route_recipient(parse_mailbox("a@example.com"), pending) == Refusal("pending")


def test_an_exact_alias_wins() -> None:
    found = to("Support@Example.com", alias("support"), alias("*"))
    assert (found.alias_id, found.address, found.tag) == ("alias_support", "support@example.com", "")
    assert found.recipient == "Support@Example.com"


def test_a_tag_is_kept_and_routes_to_its_user() -> None:
    found = to("support+VIP@example.com", alias("support"))
    assert (found.alias_id, found.tag) == ("alias_support", "VIP")


def test_an_alias_with_a_plus_is_itself() -> None:
    found = to("support+vip@example.com", alias("support"), alias("support+vip"))
    assert (found.alias_id, found.tag) == ("alias_support+vip", "")


def test_the_catch_all_takes_the_rest() -> None:
    found = to("nobody@example.com", alias("*"))
    assert (found.alias_id, found.address) == ("alias_*", "*@example.com")


def test_without_alias_and_catch_all_it_is_unknown() -> None:
    assert route("nobody@example.com", alias("support")) == Refusal("unknown")


def test_a_disabled_alias_refuses_and_is_not_passed_on() -> None:
    assert route("support@example.com", alias("support", "disabled"), alias("*")) == Refusal("disabled")
    assert route("support+x@example.com", alias("support", "disabled"), alias("*")) == Refusal("disabled")
    assert route("any@example.com", alias("*", "disabled")) == Refusal("disabled")


def test_nobody_writes_to_the_catch_all_by_name() -> None:
    assert route("*@example.com", alias("*")) == Refusal("unknown")


@pytest.mark.parametrize("address", ["postmaster@example.com", "PostMaster@example.com", "postmaster+x@example.com"])
def test_the_postmaster_is_always_reachable(address: str) -> None:
    assert to(address, alias("postmaster")).alias_id == "alias_postmaster"
    assert to(address, alias("*")).alias_id == "alias_*"
    assert to(address, alias("postmaster", "disabled"), alias("*")).alias_id == "alias_*"
    alone = to(address)
    assert (alone.alias_id, alone.address, alone.integration_id) == (None, "postmaster@example.com", "int_default")
    assert to(address, alias("postmaster", "disabled"), alias("*", "disabled")).alias_id is None


KEYS = st.sampled_from(["a", "b", "a+b", "a+b+c", "*", "postmaster", "+", "+a", "a+"])
ALIASES = st.dictionaries(KEYS, st.sampled_from(["active", "disabled"]))


@given(local=KEYS, present=ALIASES)
def test_any_mailbox_goes_to_the_first_alias_that_decides(local: str, present: dict[str, str]) -> None:
    mailbox = Mailbox(local, "example.com")
    asked = set(candidate_keys(mailbox))
    found = route_recipient(mailbox, facts(*(alias(k, s) for k, s in present.items() if k in asked)))
    if isinstance(found, Target) and found.alias_id is not None:
        key = found.alias_id.removeprefix("alias_")
        assert present[key] == "active"
        assert key in asked
    if local in present and local != "*" and present[local] == "active":
        assert isinstance(found, Target)
        assert found.alias_id == f"alias_{local}"
    if isinstance(found, Refusal) and found.reason == "unknown":
        assert not ({local, local.partition("+")[0] or local} - {"*"}) & present.keys()


def test_a_recipient_is_kept_without_invisible_characters() -> None:
    found = to("a\u200b+t\u202eag@example.com", alias("*"))
    assert (found.recipient, found.tag) == ("a+tag@example.com", "tag")
