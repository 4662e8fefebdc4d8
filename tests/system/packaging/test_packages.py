"""The scripts of the packages are valid shell, and the walks run every block of their pages."""

import re
import subprocess
from pathlib import Path
from typing import cast

import pytest

from tests.support.documents import Block, read_blocks
from tests.system.debian import deb_walk
from tests.system.debian.machine import Failed, Machine
from tests.system.debian.page_walk import PageSection, PageWalk, Step
from tests.system.image import trial

ROOT = Path(__file__).parents[3]
SCRIPTS = [
    ROOT / "packaging" / "install.sh",
    *(ROOT / "packaging" / "debian").glob("emailrouter.p*"),
    ROOT / "packaging" / "debian" / "emailrouter.sh",
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_is_valid_shell(script: Path) -> None:
    assert script.read_text().startswith("#!/bin/sh\n")
    checked = subprocess.run(["sh", "-n", script], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("page", "headings"), [(deb_walk.PAGE, deb_walk.HEADINGS), (trial.PAGE, trial.HEADINGS)], ids=["deb", "image"]
)
def test_walk_runs_every_block_of_its_page(page: str, headings: tuple[str, ...]) -> None:
    found = read_blocks(page)
    assert {block.language for block in found} == {"sh"}
    assert not any(block.not_run for block in found)
    assert list(dict.fromkeys(block.heading for block in found)) == list(headings)
    for block in found:
        checked = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, ""), f"{page}, line {block.line}"


def test_steps_of_the_walk_of_packages_are_headings_of_the_page() -> None:
    steps = deb_walk.DebWalk(cast(Machine, None), Path(), Path()).steps()
    named = [step.heading for step in steps if isinstance(step, PageSection)]
    assert sorted([*named, deb_walk.UPGRADE]) == sorted(deb_walk.HEADINGS)


class FailingWalk(PageWalk):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []

    def steps(self) -> list[Step]:
        return [PageSection(deb_walk.PAGE, "Install"), ("a test", lambda: "a result"), ("another", self._fail)]

    def _fail(self) -> str:
        raise Failed("it failed")

    def _run_block(self, block: Block) -> None:
        self.lines.append(block.line)

    def _read_log(self) -> str:
        return "the last lines"


def test_a_walk_runs_its_steps_and_shows_the_log_after_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    walk = FailingWalk()
    with pytest.raises(Failed, match="it failed"):
        walk.run()
    lines = [block.line for block in read_blocks(deb_walk.PAGE) if block.heading == "Install"]
    assert walk.lines == lines
    steps = [f"{deb_walk.PAGE}, line {line}" for line in lines]
    ends = ["a test", "a result", "another", "the log of the program:", "the last lines"]
    without_times = re.sub(r"^ +([0-9]+ s  )?", "", capsys.readouterr().out, flags=re.MULTILINE)
    assert without_times.splitlines() == [*steps, *ends]


def test_a_section_without_commands_fails() -> None:
    with pytest.raises(Failed, match="no commands"):
        PageSection(deb_walk.PAGE, "Nothing").blocks()
