"""Finds modules, functions and classes that are too large."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

FILE_LINES, FUNCTION_LINES, ATTRIBUTES = 350, 50, 15
# Classes with one of these bases or decorators declare their attributes and may exceed ATTRIBUTES.
DECLARING = frozenset({"dataclasses.dataclass", "pydantic.BaseModel"})


@dataclass
class Class:
    """A class definition. `above` contains the dotted names of its bases and decorators."""

    place: str
    attributes: set[str] = field(default_factory=set)
    above: set[str] = field(default_factory=set)


def oversized(sources: Mapping[str, str]) -> dict[str, int]:
    """Returns the modules, functions and classes that exceed a limit, with their sizes.

    The size of a class is the number of attributes that it and its bases assign with `self.`. Other sizes are in lines.

    Args:
        sources: The source of each module by path, such as `smtp/server.py`.
    """
    found = {path: text.count("\n") for path, text in sources.items() if text.count("\n") > FILE_LINES}
    classes: dict[str, Class] = {}
    for path, text in sources.items():
        tree = ast.parse(text)
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        names = _imported(tree)
        for qualified, node in _definitions(tree):
            if isinstance(node, ast.ClassDef):
                above = {_dotted(each, names, module) for each in (*node.bases, *node.decorator_list)}
                classes[f"{module}.{qualified}"] = Class(f"{path}: {qualified}", set(_assigned(node)), above)
            elif (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES:
                found[f"{path}: {qualified}"] = lines
    for dotted, each in classes.items():
        lineage = _lineage(dotted, classes)
        attributes = {name for part in lineage & classes.keys() for name in classes[part].attributes}
        if len(attributes) > ATTRIBUTES and not lineage & DECLARING:
            found[each.place] = len(attributes)
    return found


def _definitions(
    node: ast.AST, outer: str = ""
) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        inner = outer
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{outer}{child.name}", child
            inner = f"{outer}{child.name}."
        yield from _definitions(child, inner)


def _assigned(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.Attribute(ast.Name("self"), attribute, ast.Store()):
                yield attribute
            case ast.ClassDef():
                continue
        yield from _assigned(child)


def _imported(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            for each in node.names:
                top = each.name.partition(".")[0]
                found |= {each.asname: each.name} if each.asname else {top: top}
    return found


def _dotted(node: ast.expr, names: Mapping[str, str], module: str) -> str:
    match node:
        case ast.Name(name):
            return names.get(name, f"{module}.{name}")
        case ast.Attribute(value, name):
            return f"{_dotted(value, names, module)}.{name}"
        case ast.Subscript(value) | ast.Call(value):
            return _dotted(value, names, module)
    return ast.unparse(node)


def _lineage(dotted: str, classes: Mapping[str, Class]) -> set[str]:
    """Returns the names of a class, of its ancestors, and of all their decorators."""
    found = {dotted}
    for each in classes[dotted].above if dotted in classes else ():
        found |= _lineage(each, classes)
    return found
