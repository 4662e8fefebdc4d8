"""The commands of docs/operations.md, as far as they can be looked at without a Debian to run them on."""

import subprocess
from pathlib import Path

import pytest

from config.load import load
from tests.system.debian.document import DOCUMENT, Block, blocks

BLOCKS = blocks(DOCUMENT.read_text())


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"line {block.line}")
def test_every_block_is_what_a_shell_understands(block: Block) -> None:
    read = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")


def test_the_configuration_there_can_be_loaded(tmp_path: Path) -> None:
    """A here-document writes it."""
    (block,) = (block for block in BLOCKS if "/etc/emailrouter/emailrouter.toml <<'EOF'" in block.text)
    file = tmp_path / "emailrouter.toml"
    file.write_text(block.text.partition("<<'EOF'\n")[2].partition("\nEOF")[0])
    config = load(file, {})
    assert (config.smtp.listen, str(config.server.data_dir)) == ("systemd", "/var/lib/emailrouter")


def test_blocks_are_found_with_their_headings() -> None:
    found = blocks("# A\n```sh\none\ntwo\n```\n    indented\n## B\n```toml\nx\n```\n```sh\nthree\n```\n")
    assert found == [Block("A", 3, "one\ntwo"), Block("B", 12, "three")]
