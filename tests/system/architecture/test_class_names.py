"""One class name has one meaning in the whole repository."""

import ast
from collections import defaultdict

from tests.system.architecture.test_house import ROOT, tracked

# Names that several modules may define, with their common meaning.
SHARED = {"MxRecord": "an MX record, as name servers return it and as the API displays it"}


def classes() -> dict[str, set[str]]:
    """Returns the paths of the modules that define each class name."""
    modules_by_name: dict[str, set[str]] = defaultdict(set)
    for path in tracked():
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    modules_by_name[node.name].add(str(path.relative_to(ROOT)))
    return modules_by_name


def test_a_class_name_has_one_meaning() -> None:
    shared = {name: modules for name, modules in classes().items() if len(modules) > 1}
    assert {name: sorted(modules) for name, modules in shared.items() if name not in SHARED} == {}
    assert SHARED.keys() <= shared.keys(), "SHARED contains an entry that is no longer needed"
