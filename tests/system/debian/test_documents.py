"""The code blocks of the pages in docs are valid, and a test runs each command or the page says that none does."""

import configparser
import json
import re
import subprocess
import tomllib
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
import yaml  # type: ignore[import-untyped]

from config.load import load
from smtp import replies
from smtp.replies import Reply
from tests.support.documents import DOCS, Block, count_commands, parse_blocks, read_blocks
from tests.system.cli.test_documented_commands import PAGES as RUN_BY_COMMAND_TEST
from tests.system.debian.machine import Machine
from tests.system.debian.page_walk import PageSection
from tests.system.debian.walk import METHODS, Walk

# Pages that describe a reference and not a task may be longer.
LONG_PAGES = {"api.md", "mail.md"}
MAX_LINES = 250
SECTIONS = {
    step
    for method in METHODS
    for step in Walk(cast(Machine, None), method=method).steps()
    if isinstance(step, PageSection)
}
ROOT = DOCS.parent
NAMES = sorted(path.name for path in DOCS.glob("*.md"))
BLOCKS = [block for name in NAMES for block in read_blocks(name)]
# Pages whose blocks another program runs and counts.
RUN_ELSEWHERE = {
    "api.md": "tests/system/api/test_docs.py",
    "install-deb.md": "tests/system/debian/deb_walk.py",
    "install-image.md": "tests/system/image/trial.py",
}
COMMANDS = [block for block in BLOCKS if block.language == "sh" and block.page not in RUN_ELSEWHERE]


def check_shell(text: str) -> None:
    checked = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def check_sections(text: str) -> None:
    configparser.ConfigParser(strict=False, interpolation=None).read_string(text)


PARSERS: dict[str, Callable[[str], object]] = {
    "sh": check_shell,
    "ini": check_sections,
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
    "text": str,
}


def place(block: Block) -> str:
    return f"{block.page}:{block.line}"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "api.md"])
def test_blocks_are_valid(name: str) -> None:
    for block in read_blocks(name):
        PARSERS[block.language](block.text)


def test_every_command_is_run_or_marked() -> None:
    walked = {place(block) for section in SECTIONS for block in section.blocks()}
    tested = {place(block) for block in COMMANDS if block.page in RUN_BY_COMMAND_TEST}
    marked = {place(block) for block in COMMANDS if block.not_run}
    assert walked | tested | marked == {place(block) for block in COMMANDS}
    assert (walked | tested) & marked == set()


@pytest.mark.parametrize(("page", "program"), RUN_ELSEWHERE.items())
def test_other_programs_name_the_pages_that_they_run(page: str, program: str) -> None:
    if page in NAMES:
        assert page in (ROOT / program).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_pages_are_short_and_their_code_is_fenced(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES or name in LONG_PAGES
    prose = re.sub(r"^ *```\w*\n.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "```" not in prose, "a fence names its language"
    assert re.findall(r"\n\n {4,}\S.*", prose) == [], "blocks that are only indented are not checked"


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([\w-]+\.md)[)#]", index)) == set(NAMES) - {"README.md"}


def test_documented_configuration_is_valid(tmp_path: Path) -> None:
    (block,) = (block for block in COMMANDS if "/etc/emailrouter/emailrouter.toml <<'EOF'" in block.text)
    complete = block.text.partition("<<'EOF'\n")[2].partition("\nEOF")[0]
    for number, text in enumerate([complete, *(each.text for each in BLOCKS if each.language == "toml")]):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)
        load(file, {"EMAILROUTER_SERVER__DATA_DIR": str(tmp_path)})


def test_the_page_of_symptoms_names_existing_replies() -> None:
    existing = {(str(reply.code), reply.enhanced) for reply in vars(replies).values() if isinstance(reply, Reply)}
    named = set(re.findall(r"`(\d{3}) (\d\.\d\.\d)`", (DOCS / "troubleshooting.md").read_text()))
    assert len(named) > 10
    assert named - existing == set()


def test_the_link_of_the_slack_app_contains_the_manifest() -> None:
    (manifest,) = (block.text for block in BLOCKS if (block.page, block.language) == ("slack-webhook.md", "json"))
    (link,) = re.findall(r"\((https://api\.slack\.com/apps\?\S+)\)", (DOCS / "slack-webhook.md").read_text())
    parameters = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query, strict_parsing=True)
    assert set(parameters) == {"new_app", "manifest_json"}
    assert json.loads(parameters["manifest_json"][0]) == json.loads(manifest)


def test_commands_are_counted_without_the_files_that_they_write() -> None:
    text = "# a comment\nadd \\\n  --all\n\ninstall /dev/stdin x <<'EOF'\n[a]\nb = 1\nEOF\nshow"
    assert count_commands(text) == 3


def test_blocks_have_headings_languages_and_marks() -> None:
    document = "# A\n```sh\none\ntwo\n```\n## B\n- item:\n\n  ```toml\n  x\n  ```\n"
    document += "*Not run by the tests: it needs a provider.*\n\n```sh\nthree\n```\n"
    assert parse_blocks("a.md", document) == [
        Block("a.md", "A", 3, "sh", "one\ntwo"),
        Block("a.md", "B", 10, "toml", "x"),
        Block("a.md", "B", 15, "sh", "three", not_run="it needs a provider"),
    ]
