"""The descriptions of fields in the OpenAPI document: a text below the declaration of a field.

The texts are read from the source when the document is built, once in a process. pydantic's
`use_attribute_docstrings` would read them whenever a process starts.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel


def add_descriptions(model: type[BaseModel], schema: dict[str, Any]) -> None:
    """Adds the descriptions of the fields to the JSON schema of the model.

    The text of a field precedes the description of its type.
    """
    texts = _field_texts(model)
    for name, field in model.model_fields.items():
        names = (field.serialization_alias, field.alias, name)
        found = next((schema["properties"][each] for each in names if each in schema["properties"]), None)
        if found is not None and name in texts:
            found["description"] = " ".join(filter(None, (texts[name], found.get("description"))))


def _field_texts(model: type[BaseModel]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            texts |= _texts_of_module(each.__module__).get(each.__name__, {})
    return texts


@cache
def _texts_of_module(module: str) -> Mapping[str, Mapping[str, str]]:
    """Returns the texts by class and field."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: dict(_texts_in(node.body)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _texts_in(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for statements in pairwise(body):
        match statements:
            case (ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text)))):
                yield name, " ".join(text.split())
