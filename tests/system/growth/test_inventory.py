"""Every module of the packages in `SCOPE`, except `__init__`, is run by a subject or is exempt with a reason."""

import sys
from pathlib import Path
from types import FrameType

from tests.system.growth.exempt import EXEMPT
from tests.system.growth.inventory import SUBJECTS

ROOT = Path(__file__).parents[3]
SCOPE = ("api", "smtp", "router")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def executed_modules() -> set[str]:
    files: set[str] = set()

    def trace(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            files.add(frame.f_code.co_filename)

    sys.setprofile(trace)
    try:
        for subject in SUBJECTS:
            for shape in (*subject.quick_shapes[:3], *subject.regressions):
                subject.run(shape.build(64))
    finally:
        sys.setprofile(None)
    found = (Path(file) for file in files if file.startswith(str(ROOT)))
    return {module_name(path) for path in found if path.relative_to(ROOT).parts[0] in SCOPE}


def test_every_module_is_run_or_exempt() -> None:
    sources = [path for package in SCOPE for path in (ROOT / package).rglob("*.py")]
    every = {module_name(path) for path in sources}
    packages = {module_name(path) for path in sources if path.stem == "__init__"}
    covered = executed_modules()
    # An exemption of a package covers its modules.
    below = tuple(f"{entry}." for entry in EXEMPT if entry not in SCOPE)
    known = {name for name in every if name in EXEMPT or name.startswith(below)}
    assert sorted(every - packages - covered - known) == [], "add a subject, or an exemption with a reason"
    assert sorted(set(EXEMPT) - every) == [], "exempt, but the module does not exist"
    assert sorted(set(EXEMPT) & covered) == [], "exempt, but run by a subject"


def test_names_are_unique() -> None:
    names = [subject.name for subject in SUBJECTS]
    assert len(set(names)) == len(names)
