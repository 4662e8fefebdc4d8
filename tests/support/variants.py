"""The variants of queries with optional parts."""

from collections.abc import Iterator
from itertools import combinations, product

from router.store.catalog import Catalog, NamedQuery

# Of more parameters, at most this many are given at once, or all.
MAX_GIVEN = 3


def variants(catalog: Catalog, name: str) -> list[NamedQuery]:
    """Returns the distinct variants of a query, for all combinations of up to `MAX_GIVEN` given parameters."""
    found = (catalog.select(name, values) for values in given_values(catalog, name))
    return list({query.sqlite: query for query in found}.values())


def given_values(catalog: Catalog, name: str) -> Iterator[dict[str, object]]:
    """Yields each combination of values that the conditions of a query distinguish."""
    tested: dict[str, set[object]] = {}
    for condition in catalog.conditions(name):
        tested.setdefault(condition.parameter, {"other"}).add(condition.value or "other")
    for size in (*range(min(MAX_GIVEN, len(tested)) + 1), len(tested)):
        for parameters in combinations(tested, size):
            for values in product(*(sorted(tested[parameter], key=str) for parameter in parameters)):
                yield dict.fromkeys(tested) | dict(zip(parameters, values, strict=True))
