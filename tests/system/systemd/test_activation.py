"""Socket activation with systemd-socket-activate."""

import os
import shutil
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support import mails
from tests.support.installation import migrated_installation
from tests.support.process import Program, environment
from tests.support.slack import SlackStandIn
from tests.support.smtp import send_mail

needs_activate = pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None, reason="this machine has no systemd-socket-activate"
)
# Replaces its own process with the command, so that `Program.pid` is the PID of the command.
_EXEC = "import os, sys; os.execvp(sys.argv[1], sys.argv[1:])"
_FIRST = 3  # SD_LISTEN_FDS_START in sd_listen_fds(3)


def run_activated(settings: Mapping[str, object], folder: Path, *addresses: str) -> Program:
    """Returns `serve` under systemd-socket-activate.

    systemd-socket-activate passes only a few environment variables, such as PATH, and those of `-E` options.
    """
    env = environment({**settings, "smtp.listen": "systemd"})
    passed = [name for name in env if name.startswith(("EMAILROUTER_", "PYTHON"))]
    options = [option for address in addresses for option in ("-l", address)]
    options += [option for name in passed for option in ("-E", f"{name}={env[name]}")]
    command_line = ("systemd-socket-activate", *options, sys.executable, "-m", "emailrouter", "serve")
    return Program(*command_line, cwd=folder, command=("-c", _EXEC))


def free_port(host: str) -> int:
    """Returns a free port, because systemd-socket-activate does not support port 0.

    Args:
        host: An address that only this process uses, so that no other process takes the port.
    """
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def flags(pid: int, descriptor: int) -> int:
    """The open flags of a descriptor, including O_CLOEXEC (proc(5))."""
    text = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("flags:")).split()[1], 8)


@needs_activate
async def test_first_connection_starts_the_program(tmp_path: Path, slack: SlackStandIn) -> None:
    host = f"127.77.{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
    first, second = free_port(host), free_port(host)
    async with (
        migrated_installation(tmp_path, slack) as installation,
        run_activated(installation.settings, tmp_path, f"{host}:{first}", f"{host}:{second}") as program,
    ):
        await program.wait_until(lambda: program.stderr_text.count("Listening on") == 2, "two sockets")
        assert program.log_events("ready") == []

        # The connection waits in the queue of the socket while the program starts.
        reply = await send_mail(host, first, "ada@customer.test", ["support@example.org"], mails.plain())
        assert reply.code == 250, reply
        facts = await program.ready()
        assert facts["smtp"] == [f"{host}:{first}", f"{host}:{second}"]
        reply = await send_mail(host, second, "ada@customer.test", ["support@example.org"], mails.plain())
        assert reply.code == 250, reply
        assert len(await slack.wait_for(2, accepted=True)) == 2

        # systemd passes blocking, inheritable sockets. Accept could block, and a child could keep the port open.
        for descriptor in (_FIRST, _FIRST + 1):
            assert flags(program.pid, descriptor) & os.O_NONBLOCK
            assert flags(program.pid, descriptor) & os.O_CLOEXEC
        assert await program.terminate() == 0


async def test_missing_sockets_are_reported(tmp_path: Path, slack: SlackStandIn) -> None:
    async with migrated_installation(tmp_path, slack) as installation:
        env = {**installation.settings, "smtp.listen": "systemd"}
        async with Program("serve", env=env, cwd=tmp_path) as program:
            assert await program.wait() == 1
        assert "start the socket unit" in program.stderr_text
