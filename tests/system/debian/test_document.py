"""Checks the shell syntax and the configuration in docs/operations.md, without a Debian machine."""

import subprocess
from pathlib import Path

import pytest

from config.load import load
from tests.system.debian.document import DOCUMENT, Block, parse_blocks

BLOCKS = parse_blocks(DOCUMENT.read_text())


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"line {block.line}")
def test_every_block_is_valid_shell(block: Block) -> None:
    checked = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_documented_configuration_is_valid(tmp_path: Path) -> None:
    (block,) = (block for block in BLOCKS if "/etc/emailrouter/emailrouter.toml <<'EOF'" in block.text)
    file = tmp_path / "emailrouter.toml"
    file.write_text(block.text.partition("<<'EOF'\n")[2].partition("\nEOF")[0])
    config = load(file, {})
    assert (config.smtp.listen, str(config.server.data_dir)) == ("systemd", "/var/lib/emailrouter")


def test_blocks_have_their_headings() -> None:
    found = parse_blocks("# A\n```sh\none\ntwo\n```\n    indented\n## B\n```toml\nx\n```\n```sh\nthree\n```\n")
    assert found == [Block("A", 3, "one\ntwo"), Block("B", 12, "three")]
