"""A Debian system with systemd, installed by debootstrap and booted by systemd-nspawn.

The machine is not connected to the network of the host, which only scripts run with `registries=True` use. Requires
root, `debootstrap` and `systemd-nspawn` (Debian: systemd-container).
"""

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

RELEASES = ("bookworm", "trixie")
# Packages to add to debootstrap's smallest variant. procps provides /bin/kill, which ExecReload runs.
BOOTED = "systemd,systemd-sysv,dbus,ca-certificates,procps"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CHECKOUT = Path(__file__).resolve().parents[3]
TIMEOUT_SECONDS = 600.0


class Failed(Exception):  # noqa: N818 - an outcome of the walk
    """A command in the machine failed, or an expected result is missing."""


class Machine:
    """A context manager that installs and boots a Debian system, and removes it at the end.

    Args:
        release: The name of the Debian release.
        authority: PEM file of the CA that signed the certificate of the Python registry; None for a public CA.
    """

    def __init__(
        self, root: Path, *, name: str, release: str, mirror: str | None = None, authority: Path | None = None
    ) -> None:
        self.root = root
        self._release = release
        self._name = name
        self._mirror = mirror
        self._authority = authority
        self._process: subprocess.Popen[bytes] | None = None

    # --- lifecycle

    def __enter__(self) -> Self:
        try:
            self._install()
            self.boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def boot(self) -> None:
        """Boots the machine and waits until systemd has finished starting the enabled units."""
        command = ["systemd-nspawn", "--quiet", "--directory", str(self.root), "--boot", "--private-network"]
        # The machine uses neither the service manager nor the resolver configuration of the host.
        command += ["--register=no", "--keep-unit", "--resolv-conf=off", f"--hostname={self._name}", "--console=pipe"]
        with (self.root.parent / "console").open("ab") as console:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
            )
        self.until(lambda: self._leader() is not None, "its first process")
        # "degraded" is normal: some units cannot start in a container.
        self.until(lambda: self._output("systemctl is-system-running") in ("running", "degraded"), "the boot")

    def shut_down(self) -> None:
        """Shuts the machine down through systemd. Kills it if it still runs after 120 s."""
        if self._process is None:
            return
        if self._leader() is not None:
            self.run("systemctl --no-block poweroff", check=False)
        try:
            self._process.wait(120)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self) -> None:
        try:
            self.shut_down()
        finally:
            shutil.rmtree(self.root, ignore_errors=True)

    def _install(self) -> None:
        command = ["debootstrap", "--variant=minbase", f"--include={BOOTED}", self._release, str(self.root)]
        subprocess.run([*command, *([self._mirror] if self._mirror else [])], check=True, stdout=subprocess.DEVNULL)
        (self.root / "etc/hostname").write_text(f"{self._name}\n")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        (self.root / "etc/resolv.conf").unlink(missing_ok=True)
        (self.root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
        (self.root / "outside").mkdir()
        shutil.copy("/etc/resolv.conf", self.root / "outside/resolv.conf")
        if self._authority is not None:
            shutil.copy(self._authority, self.root / "outside/authority.pem")

    # --- commands

    def run(
        self, script: str, *, registries: bool = False, typed: str | None = None, check: bool = True
    ) -> tuple[int, str]:
        """Runs a script as root in /root and returns its exit code and output.

        Args:
            registries: Whether the script uses the network of the host, which reaches package registries.
            typed: Lines to type at prompts; None to run the script without a terminal.
            check: Whether to raise `Failed` for an exit code other than 0.
        """
        setup = "cd /root"
        command = self._enter(registries)
        if registries:
            command += ["unshare", "--mount"]
            setup += " && mount --bind /outside/resolv.conf /etc/resolv.conf"
        command += ["bash", "-c", f'{setup} && exec bash -euo pipefail -c "$0"', script]
        code, output = _run_on_terminal(command, typed) if typed is not None else _run_without_terminal(command)
        if check and code != 0:
            raise Failed(f"exit code {code}:\n{output}")
        return code, output

    def put(self, path: str, text: str) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def until(self, done: Callable[[], bool], what: str, timeout_seconds: float = 120.0) -> None:
        end = time.monotonic() + timeout_seconds
        while not done():
            if time.monotonic() > end:
                raise Failed(f"{what} was not reached within {timeout_seconds:.0f} s")
            time.sleep(0.2)

    def _output(self, script: str) -> str:
        return self.run(script, check=False)[1].strip()

    def _leader(self) -> int | None:
        """Returns the host's PID of the machine's process 1, or None if that process does not run.

        Raises `Failed` if systemd-nspawn has ended.
        """
        if self._process is None:
            return None
        if self._process.poll() is not None:
            raise Failed(f"systemd-nspawn ended: see {self.root.parent / 'console'}")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def _enter(self, registries: bool) -> list[str]:
        leader = self._leader()
        if leader is None:
            raise Failed("the machine is not running")
        namespaces = ["--mount", "--uts", "--ipc", "--pid", "--cgroup", *([] if registries else ["--net"])]
        variables = {"HOME": "/root", "PATH": PATH, "LANG": "C.UTF-8", "TERM": "dumb"}
        if registries:
            # debconf would prompt for settings that later commands set.
            variables["DEBIAN_FRONTEND"] = "noninteractive"
            if self._authority is not None:
                variables["PIP_CERT"] = "/outside/authority.pem"
        assignments = [f"{name}={value}" for name, value in variables.items()]
        return ["nsenter", f"--target={leader}", *namespaces, "env", "--ignore-environment", *assignments]


def _run_without_terminal(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def _run_on_terminal(command: list[str], typed: str) -> tuple[int, str]:
    terminal, inside = pty.openpty()
    output = b""
    try:
        process = subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside, start_new_session=True)
        os.close(inside)
        lines = typed.splitlines()
        end = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.5)[0]:
                try:
                    output += os.read(terminal, 65536)
                except OSError:  # the command has closed the terminal
                    break
            if lines and output.rstrip(b" ").endswith(b":"):
                os.write(terminal, lines.pop(0).encode() + b"\n")
                output += b"\n"
        return process.wait(10), output.decode(errors="replace")
    finally:
        os.close(terminal)
