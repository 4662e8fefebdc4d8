"""Runs the command blocks of docs/operations.md, except certbot, on a fresh Debian under a real systemd.

The walk covers the installation, a message from a real Postfix to a stand-in for Slack, backup, restore, upgrade, the
move to PostgreSQL and a reboot, and tests the units. It fails if a block was not run.

    python -m tests.system.debian.walk [--mirror URL] [--authority FILE]

The walk requires root, debootstrap and systemd-nspawn. The walk is not part of the test suite, because it downloads
packages from Debian and a Python registry.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.system.debian import surroundings, trial
from tests.system.debian.document import DOCUMENT, Block, parse_blocks
from tests.system.debian.machine import CHECKOUT, Failed, Machine

FIRST_TICKET = "From an empty Debian host to the first ticket"
SOURCE = "usr/local/src/emailrouter"


class Walk:
    """One run of the commands and tests. A failed command or test raises `Failed`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._blocks = parse_blocks(DOCUMENT.read_text())
        self._done: set[int] = set()
        self._began = time.monotonic()

    def run(self) -> None:
        machine = self._machine
        self._run_step("the surroundings", lambda: surroundings.build(machine))
        self._run_section(FIRST_TICKET)
        self._run_step("a real message becomes a ticket", self._check_message_arrived)
        self._run_section("The dashboard behind a proxy")
        self._run_step("HTTPS through the proxy", lambda: self.request(f"https://{surroundings.TICKETS}/readyz"))
        one = trial.ONE
        self._run_step("restarts", lambda: trial.test_restarts(machine, one, one, one))
        self._run_step("socket activation", lambda: trial.test_socket_activation(machine))
        self._run_step("system calls", lambda: trial.test_system_calls(machine, one))
        self._run_step("watchdog", lambda: trial.test_watchdog(machine, one))
        self._run_step(
            "invalid configuration", lambda: trial.test_invalid_configuration(machine, one, "emailrouter.socket")
        )
        self._run_section("Backup and restore", only="# SQLite")
        self._run_section("Upgrade")
        self._run_section("With PostgreSQL")
        self._run_section("Backup and restore", only="# PostgreSQL")
        self._run_step("an empty database", lambda: trial.test_empty_database(machine))
        self._run_step("restarts of roles", lambda: trial.test_restarts(machine, *trial.ROLES))
        self._run_step("system calls of roles", lambda: trial.test_system_calls(machine, *trial.ROLES))
        self._run_step("one process or roles", lambda: trial.test_exclusive_units(machine))
        self._run_step("credentials", lambda: trial.test_credential_store(machine))
        self._run_step("a reboot", self._reboot)
        not_run = [block for number, block in enumerate(self._blocks) if number not in self._done]
        if not_run:
            raise Failed(f"blocks that were not run: {[f'line {block.line}' for block in not_run]}")

    # --- commands of the document

    def _run_section(self, heading: str, only: str = "") -> None:
        """Runs the blocks under a heading, or only those that start with `only`."""
        found = False
        for number, block in enumerate(self._blocks):
            if block.heading == heading and block.text.startswith(only):
                found = True
                self._done.add(number)
                self._run_step(f"line {block.line}", partial(self._run_block, block))
        if not found:
            raise Failed(f"there is no block under {heading!r}")

    def _run_block(self, block: Block) -> None:
        for line in block.text.splitlines():
            _print(f"    {line}")
        machine = self._machine
        for name in _certificate_names(block):
            surroundings.issue(machine, name)
        text = "\n".join(line for line in block.text.splitlines() if not line.startswith("certbot "))
        registries = any(
            line.startswith(("apt-get ", "/opt/emailrouter/bin/pip install ")) for line in text.splitlines()
        )
        typed = surroundings.WEBHOOK if "emailrouter integration add" in text else None
        _, printed = machine.run(text, registries=registries, typed=typed)
        if not registries:
            _print("".join(f"        {line}\n" for line in printed.splitlines()).rstrip("\n"))
        if "emailrouter domain add" in text:
            surroundings.publish(machine, printed)
        if "--no-build-isolation" in text:
            surroundings.start_slack(machine)

    def _run_step(self, what: str, work: Callable[[], str | None]) -> None:
        _print(f"{time.monotonic() - self._began:6.0f} s  {what}")
        try:
            result = work()
        except Failed:
            logged = self._machine.run("journalctl --unit 'emailrouter*' --output cat --lines 20", check=False)[1]
            _print(f"the log of the program:\n{logged}")
            raise
        if result:
            _print(f"          {result}")

    # --- assertions

    def _check_message_arrived(self) -> str:
        machine = self._machine
        machine.until(lambda: "Hello" in machine.run("emailrouter ticket list")[1], "the ticket")
        machine.until(lambda: any("Hello" in str(post) for post in surroundings.posts(machine)), "the Slack message")
        log = machine.run("journalctl --unit 'postfix*' --output cat")[1]
        sent = [line for line in log.splitlines() if "status=sent (250 2.0.0 Ok: queued as msg_" in line]
        if len(sent) != 1:
            raise Failed(f"the log of Postfix:\n{log}")
        message = sent[0].rpartition("queued as ")[2].rstrip(")")
        if "ESMTPS" not in (trace := machine.run(f"emailrouter --json trace {message}")[1]):
            raise Failed(f"not sent over STARTTLS: {trace}")
        return sent[0]

    def request(self, url: str) -> None:
        """Requests a URL until it succeeds, because nginx reloads in the background."""
        command = f"{surroundings.PYTHON} -c 'import urllib.request; urllib.request.urlopen(\"{url}\")'"
        self._machine.until(lambda: self._machine.run(command, check=False)[0] == 0, url)

    def _reboot(self) -> str:
        machine = self._machine
        machine.shut_down()
        machine.boot()
        before = len(surroundings.posts(machine))
        machine.run("printf 'Subject: After the reboot\\n\\nA mail.\\n' | sendmail support@example.com")
        machine.until(
            lambda: any("After the reboot" in str(p) for p in surroundings.posts(machine)[before:]), "its ticket"
        )
        return machine.run("emailrouter check")[1].splitlines()[-1]


def _certificate_names(block: Block) -> Iterator[str]:
    """Yields the host names in the certbot commands of a block.

    certbot does not run, because the machine cannot reach Let's Encrypt.
    """
    for line in block.text.splitlines():
        if line.startswith("certbot certonly "):
            yield line.split(" -d ")[1].strip()


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system.debian.walk")
    parser.add_argument("--mirror", help="URL of the Debian mirror (default: that of debootstrap)")
    parser.add_argument(
        "--authority", type=Path, help="PEM file of the authority of the Python registry, if it is not public"
    )
    arguments = parser.parse_args()
    missing = [name for name in ("debootstrap", "systemd-nspawn", "nsenter") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        parser.error(f"requires root{''.join(f', {name}' for name in missing)}")
    with tempfile.TemporaryDirectory(prefix="walk-") as folder:
        machine = Machine(
            Path(folder) / "root", name=surroundings.HOST, mirror=arguments.mirror, authority=arguments.authority
        )
        try:
            with machine:
                _copy_checkout(machine.root / SOURCE)
                Walk(machine).run()
        except Failed as failed:
            _print(f"failed: {failed}")
            return 1
    _print("succeeded")
    return 0


def _copy_checkout(target: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout.decode()
    for name in listed.rstrip("\0").split("\0"):
        if (CHECKOUT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, target / name)


if __name__ == "__main__":
    sys.exit(main())
