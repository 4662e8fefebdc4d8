"""Completion in a real bash, which splits words at `@` and `=`. Completion that fails prints nothing."""

import asyncio
import os
import sys
from pathlib import Path

from tests.support.installation.command_line import WEBHOOK, CommandLine
from tests.support.process import environment

SCRIPT = """
emailrouter() { "$PYTHON" -m emailrouter "$@"; }
env() { command env "${@:1:$#-1}" "$PYTHON" -m emailrouter; }  # the script runs the program by its name
source <(emailrouter completion bash)
while read -r COMP_LINE; do
    COMP_POINT=${#COMP_LINE}
    _emailrouter_completion emailrouter
    (IFS='|'; echo "${COMPREPLY[*]}")
done
"""


async def test_bash(cli: CommandLine) -> None:
    (await cli("domain", "add", "example.org")).ok()
    (await cli("integration", "add", "General support", "--webhook-url", "-", stdin=WEBHOOK)).ok()
    (await cli("alias", "add", "support@example.org", "--integration", "General support")).ok()
    cases = {
        "emailrouter alias show support@ex": "example.org",  # bash keeps `support@`
        "emailrouter alias add a@example.org --integration Gen": r"General\ support",
    }
    process = await asyncio.create_subprocess_exec(
        "bash",
        "--norc",
        "-c",
        SCRIPT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=cli.folder,
        env=environment({**cli.env, "PYTHON": sys.executable}),
    )
    async with asyncio.timeout(60):
        output, _ = await process.communicate("".join(f"{line}\n" for line in cases).encode())
    assert output.decode().splitlines() == list(cases.values())


async def test_failure_is_silent(tmp_path: Path) -> None:
    variables = {"_EMAILROUTER_COMPLETE": "bash_complete", "COMP_LINE": "emailrouter alias show s"}
    for url in ("sqlite:///none.db", "postgresql://u@127.0.0.1:1/x", "nonsense"):
        done = await CommandLine(tmp_path, {"database.url": url})(env=variables)
        assert (done.code, done.stdout.strip(), done.stderr) == (0, "", ""), url
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - ASYNC240 forbids Path.iterdir here
