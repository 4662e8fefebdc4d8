"""The command blocks of the pages in docs are valid, and something runs them or the page says that nothing does."""

import subprocess
from pathlib import Path
from typing import cast

import pytest

from config.load import load
from tests.support.documents import DOCS, Block, parse_blocks, read_blocks
from tests.system.debian.machine import Machine
from tests.system.debian.walk import PageSection, Walk

# Pages whose blocks other tests run.
RUN_ELSEWHERE = {"api.md": "tests/system/api/test_docs.py"}
SECTIONS = [step for step in Walk(cast(Machine, None)).steps() if isinstance(step, PageSection)]
PAGES = sorted(path.name for path in DOCS.glob("*.md"))
COMMANDS = [
    block for page in PAGES if page not in RUN_ELSEWHERE for block in read_blocks(page) if block.language == "sh"
]


def name(block: Block) -> str:
    return f"{block.page}:{block.line}"


@pytest.mark.parametrize("block", COMMANDS, ids=name)
def test_every_block_is_valid_shell(block: Block) -> None:
    checked = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_walk_runs_every_block_once() -> None:
    walked = sorted(name(block) for section in SECTIONS for block in section.blocks())
    assert walked == sorted(name(block) for block in COMMANDS if not block.not_run)
    assert [section for section in SECTIONS if not section.blocks()] == []


def test_documented_configuration_is_valid(tmp_path: Path) -> None:
    (block,) = (block for block in COMMANDS if "/etc/emailrouter/emailrouter.toml <<'EOF'" in block.text)
    file = tmp_path / "emailrouter.toml"
    file.write_text(block.text.partition("<<'EOF'\n")[2].partition("\nEOF")[0])
    config = load(file, {})
    assert (config.smtp.listen, str(config.server.data_dir)) == ("systemd", "/var/lib/emailrouter")


def test_blocks_have_headings_languages_and_marks() -> None:
    document = "# A\n```sh\none\ntwo\n```\n    indented\n## B\n- item:\n\n  ```toml\n  x\n  ```\n"
    document += "*Not run by the tests: it needs a provider.*\n\n```sh\nthree\n```\n"
    assert parse_blocks("a.md", document) == [
        Block("a.md", "A", 3, "sh", "one\ntwo"),
        Block("a.md", "B", 11, "toml", "x"),
        Block("a.md", "B", 16, "sh", "three", not_run="it needs a provider"),
    ]
