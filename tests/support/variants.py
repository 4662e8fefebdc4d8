"""The variants of queries with optional parts."""

from collections.abc import Iterator
from itertools import product

from router.store.catalog import Catalog, NamedQuery


def variants(catalog: Catalog, name: str) -> list[NamedQuery]:
    """Returns the distinct variants of a query, for all combinations of given parameters."""
    found = (catalog.select(name, values) for values in given_values(catalog, name))
    return list({query.sqlite: query for query in found}.values())


def given_values(catalog: Catalog, name: str) -> Iterator[dict[str, object]]:
    """Yields each combination of values that the conditions of a query distinguish."""
    tested: dict[str, set[object]] = {}
    for condition in catalog.conditions(name):
        tested.setdefault(condition.parameter, {None, "other"}).add(condition.value)
    choices = [sorted(values, key=str) for values in tested.values()]
    for combination in product(*choices):
        yield dict(zip(tested, combination, strict=True))
