"""Optional parts of SQL texts."""

import pytest

from router.store.variants import Condition, find_conditions, select_parts

TEXT = "{if a: A {if not b: (no b)}} {if b = x, not a: B=x} {if not b = x: B<>x}"


def variant(text: str, **values: object) -> str:
    holding = frozenset(condition for condition in find_conditions(text) if condition.holds(values))
    return " ".join(select_parts(text, holding).split())


def test_parts_are_included_if_all_conditions_hold() -> None:
    assert variant(TEXT) == "B<>x"
    assert variant(TEXT, a=1) == "A (no b) B<>x"
    assert variant(TEXT, a=1, b="x") == "A"
    assert variant(TEXT, b="x") == "B=x"
    assert variant(TEXT, a="", b="y") == "A B<>x"


@pytest.mark.parametrize("missing", [None, False])
def test_none_and_false_are_not_given(missing: object) -> None:
    assert variant("{if a: A}{if not a: none}", a=missing) == "none"


def test_a_parameter_of_none_can_be_required() -> None:
    assert variant("{if has a: A}", a=None) == "A"
    assert variant("{if has a: A}", b=1) == ""


def test_each_condition_is_found_once() -> None:
    assert find_conditions("{if a: 1}{if not a, b = x: {if a: 2}}") == (
        Condition("a"),
        Condition("a", prefix="not "),
        Condition("b", "x"),
    )


def test_a_malformed_condition_is_refused() -> None:
    with pytest.raises(ValueError, match="'a or b' is not a condition"):
        find_conditions("{if a or b: 1}")


def test_a_union_has_a_part_for_each_value() -> None:
    assert select_parts("{union REPLAYABLE_STATE: SELECT @}", frozenset()) == "SELECT 'dead' UNION ALL SELECT 'pending'"
    with pytest.raises(ValueError, match="no choice NOTHING"):
        select_parts("{union NOTHING: SELECT @}", frozenset())
