"""Filters of lists: names, values and errors."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.schema.tickets import TicketListParameters
from router.choice import Choice
from router.errors import Refused
from router.filters import (
    AliasFilter,
    DeliveryFilter,
    DomainFilter,
    IntegrationFilter,
    KeyFilter,
    ListFilter,
    TicketFilter,
    UserFilter,
    query_name,
)

FILTERS = (TicketFilter, DeliveryFilter, DomainFilter, AliasFilter, IntegrationFilter, UserFilter, KeyFilter)


@st.composite
def queries(draw: Any) -> tuple[type[ListFilter], dict[str, str]]:
    """A filter and a query string with valid values, synonyms, other texts and other parameters."""
    list_filter = draw(st.sampled_from(FILTERS))
    query = draw(st.dictionaries(st.sampled_from(("limit", "cursor", "unassigned")), st.text()))
    for name, criterion in list_filter.criteria().items():
        texts = st.text()
        if criterion.choice is not None:
            texts = st.sampled_from((*criterion.choice.values, *criterion.choice.synonyms)) | st.text()
        if draw(st.booleans()):
            query[query_name(name)] = draw(texts)
    return list_filter, query


@given(queries())
def test_a_query_string_is_read_as_its_filters(asked: tuple[type[ListFilter], dict[str, str]]) -> None:
    list_filter, query = asked
    expected = {}
    for name, criterion in list_filter.criteria().items():
        text = query.get(query_name(name))
        if criterion.choice is None or text is None:
            expected[name] = text
            continue
        try:
            expected[name] = criterion.choice.parse(text)
        except Refused:
            with pytest.raises(Refused) as refused:
                list_filter.from_query(query)
            assert refused.value.field in {choice.name for choice in choices(list_filter)}
            return
    found = list_filter.from_query(query)
    assert {name: getattr(found, name) for name in expected} == expected
    assert found == list_filter(**expected)


def choices(list_filter: type[ListFilter]) -> list[Choice[Any]]:
    return [criterion.choice for criterion in list_filter.criteria().values() if criterion.choice is not None]


@pytest.mark.parametrize("list_filter", FILTERS)
def test_a_filter_is_named_like_the_field_of_its_enumeration(list_filter: type[ListFilter]) -> None:
    for name, criterion in list_filter.criteria().items():
        assert criterion.choice is None or criterion.choice.name == query_name(name)
        assert criterion.help.startswith("Only ")
        assert criterion.help.endswith(".")


def test_parameters_of_a_call_are_those_of_the_filter() -> None:
    assert set(TicketListParameters.model_fields) == {*TicketFilter.criteria(), "sort", "limit", "cursor"}
    schema = TicketListParameters.model_json_schema()["properties"]
    assert schema["assignedTo"]["description"].startswith(TicketFilter.criteria()["assigned_to"].help)


def test_names_in_query_strings() -> None:
    assert [query_name(name) for name in ("q", "assigned_to", "alias_id")] == ["q", "assignedTo", "aliasId"]
