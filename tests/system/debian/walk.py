"""Runs the command blocks of pages in docs, except certbot, on a fresh Debian under a real systemd.

The walk covers the installation, a message from a real Postfix to a stand-in for Slack, backup, restore, upgrade, the
move to PostgreSQL and a reboot, and tests the units. test_documents.py checks that it runs every block of its
pages.

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
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.support.documents import Block, read_blocks
from tests.system.debian import surroundings, trial
from tests.system.debian.machine import CHECKOUT, Failed, Machine

SOURCE = "usr/local/src/emailrouter"


@dataclass(frozen=True, slots=True)
class PageSection:
    """The blocks under a heading of a page, or only those that start with `only`."""

    page: str
    heading: str
    only: str = ""

    def blocks(self) -> list[Block]:
        return [
            block
            for block in read_blocks(self.page)
            if (block.heading, block.language) == (self.heading, "sh")
            and block.text.startswith(self.only)
            and not block.not_run
        ]


class Walk:
    """One run of the commands and tests. A failed command or test raises `Failed`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._began = time.monotonic()

    def steps(self) -> list[PageSection | tuple[str, Callable[[], str | None]]]:
        """Returns the sections of the pages and the named tests, in order."""
        machine, one = self._machine, trial.ONE
        return [
            ("the surroundings", partial(surroundings.build, machine)),
            PageSection("install-source.md", "From an empty Debian host to the first ticket"),
            ("a real message becomes a ticket", self._check_message_arrived),
            PageSection("reverse-proxy.md", "The dashboard behind a proxy"),
            ("HTTPS through the proxy", partial(self.request, f"https://{surroundings.TICKETS}/readyz")),
            ("restarts", partial(trial.test_restarts, machine, one, one, one)),
            ("socket activation", partial(trial.test_socket_activation, machine)),
            ("system calls", partial(trial.test_system_calls, machine, one)),
            ("watchdog", partial(trial.test_watchdog, machine, one)),
            ("invalid configuration", partial(trial.test_invalid_configuration, machine, one, "emailrouter.socket")),
            PageSection("backup-and-restore.md", "Backup and restore", only="# SQLite"),
            PageSection("upgrade.md", "Upgrade"),
            PageSection("postgresql.md", "With PostgreSQL"),
            PageSection("backup-and-restore.md", "Backup and restore", only="# PostgreSQL"),
            ("an empty database", partial(trial.test_empty_database, machine)),
            ("restarts of roles", partial(trial.test_restarts, machine, *trial.ROLES)),
            ("system calls of roles", partial(trial.test_system_calls, machine, *trial.ROLES)),
            ("one process or roles", partial(trial.test_exclusive_units, machine)),
            ("credentials", partial(trial.test_credential_store, machine)),
            ("a reboot", self._reboot),
        ]

    def run(self) -> None:
        for step in self.steps():
            if isinstance(step, PageSection):
                for block in step.blocks():
                    self._run_step(f"{block.page}, line {block.line}", partial(self._run_block, block))
            else:
                self._run_step(*step)

    # --- commands of the pages

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
