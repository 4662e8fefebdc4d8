"""docs/operations.md, literally: every block of its commands, in its order, on a fresh Debian under a real systemd.

It ends with a real mail from a real Postfix as a ticket and in (a stand-in for) Slack, goes on through backup, restore,
upgrade, the move to PostgreSQL and a reboot, and tries the units as the document promises them
(`tests.system.debian.trial`).
What stands in for the Internet is in `tests.system.debian.surroundings`; what that cannot show is listed in the
document.

    python -m tests.system.debian.walk [--mirror URL] [--authority FILE]

As root, with debootstrap and systemd-nspawn; some four minutes. --mirror: Debian's packages, if not the usual ones;
--authority: the PEM of who signs this machine's Python registry. Not a test of the suite: it needs both registries.
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
from tests.system.debian.document import DOCUMENT, Block, blocks
from tests.system.debian.machine import CHECKOUT, Failed, Machine

FIRST_TICKET = "From an empty Debian host to the first ticket"
SOURCE = "usr/local/src/emailrouter"


class Walk:
    """One walk; `run` raises `Failed`."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._blocks = blocks(DOCUMENT.read_text())
        self._done: set[int] = set()
        self._began = time.monotonic()

    def run(self) -> None:
        """From the empty machine to its last reboot."""
        machine = self._machine
        self._try("the surroundings", lambda: surroundings.build(machine))
        self._follow(FIRST_TICKET)
        self._try("a real mail is a ticket", self._the_mail_arrived)
        self._follow("The dashboard behind a proxy")
        self._try("HTTPS through the proxy", lambda: self.request(f"https://{surroundings.TICKETS}/readyz"))
        one = trial.ONE
        self._try("restarts", lambda: trial.restarts_refuse_nobody(machine, one, one, one))
        self._try("socket activation", lambda: trial.a_mail_starts_it(machine))
        self._try("system calls", lambda: trial.nothing_denied_is_needed(machine, one))
        self._try("watchdog", lambda: trial.the_watchdog_bites(machine, one))
        wrong = trial.a_wrong_configuration_closes_the_socket
        self._try("wrong configuration", lambda: wrong(machine, one, "emailrouter.socket"))
        self._follow("Backup and restore", only="# SQLite")
        self._follow("Upgrade")
        self._follow("With PostgreSQL")
        self._follow("Backup and restore", only="# PostgreSQL")
        self._try("an empty database", lambda: trial.an_empty_database_is_begun(machine))
        self._try("restarts of roles", lambda: trial.restarts_refuse_nobody(machine, *trial.ROLES))
        self._try("system calls of roles", lambda: trial.nothing_denied_is_needed(machine, *trial.ROLES))
        self._try("one process or roles", lambda: trial.they_exclude_each_other(machine))
        self._try("credentials", lambda: trial.secrets_come_from_the_credential_store(machine))
        self._try("a reboot", self._reboot)
        forgotten = [block for number, block in enumerate(self._blocks) if number not in self._done]
        if forgotten:
            raise Failed(f"blocks that were not tried: {[f'line {block.line}' for block in forgotten]}")

    # --- commands of the document

    def _follow(self, heading: str, only: str = "") -> None:
        """The blocks under a heading, or those of them that begin so."""
        found = False
        for number, block in enumerate(self._blocks):
            if block.heading == heading and block.text.startswith(only):
                found = True
                self._done.add(number)
                self._try(f"line {block.line}", partial(self._do, block))
        if not found:
            raise Failed(f"there is no block under {heading!r}")

    def _do(self, block: Block) -> None:
        for line in block.text.splitlines():
            _say(f"    {line}")
        machine = self._machine
        for name in _asked_of_certbot(block):
            surroundings.issue(machine, name)
        text = "\n".join(line for line in block.text.splitlines() if not line.startswith("certbot "))
        registries = any(
            line.startswith(("apt-get ", "/opt/emailrouter/bin/pip install ")) for line in text.splitlines()
        )
        typed = surroundings.WEBHOOK if "emailrouter integration add" in text else None
        _, printed = machine.run(text, registries=registries, typed=typed)
        if not registries:
            _say("".join(f"        {line}\n" for line in printed.splitlines()).rstrip("\n"))
        if "emailrouter domain add" in text:
            surroundings.publish(machine, printed)
        if "--no-build-isolation" in text:
            surroundings.open_slack(machine)

    def _try(self, what: str, work: Callable[[], str | None]) -> None:
        _say(f"{time.monotonic() - self._began:6.0f} s  {what}")
        try:
            said = work()
        except Failed:
            logged = self._machine.run("journalctl --unit 'emailrouter*' --output cat --lines 20", check=False)[1]
            _say(f"the log of the program:\n{logged}")
            raise
        if said:
            _say(f"          {said}")

    # --- assertions

    def _the_mail_arrived(self) -> str:
        machine = self._machine
        machine.until(lambda: "Hello" in machine.run("emailrouter ticket list")[1], "the ticket")
        machine.until(lambda: any("Hello" in str(post) for post in surroundings.posts(machine)), "the Slack message")
        log = machine.run("journalctl --unit 'postfix*' --output cat")[1]
        sent = [line for line in log.splitlines() if "status=sent (250 2.0.0 Ok: queued as msg_" in line]
        if len(sent) != 1:
            raise Failed(f"Postfix says:\n{log}")
        message = sent[0].rpartition("queued as ")[2].rstrip(")")
        if "ESMTPS" not in (trace := machine.run(f"emailrouter --json trace {message}")[1]):
            raise Failed(f"not by STARTTLS: {trace}")
        return sent[0]

    def request(self, url: str) -> None:
        """nginx reloads in the background."""
        ask = f"{surroundings.PYTHON} -c 'import urllib.request; urllib.request.urlopen(\"{url}\")'"
        self._machine.until(lambda: self._machine.run(ask, check=False)[0] == 0, url)

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


def _asked_of_certbot(block: Block) -> Iterator[str]:
    """The names that certbot is asked to get certificates for: it cannot from here."""
    for line in block.text.splitlines():
        if line.startswith("certbot certonly "):
            yield line.split(" -d ")[1].strip()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.debian.walk")
    parser.add_argument("--mirror", help="Debian's packages, if not the usual ones")
    parser.add_argument(
        "--authority", type=Path, help="PEM of who signs the Python registry, if it is not a public one"
    )
    given = parser.parse_args()
    missing = [name for name in ("debootstrap", "systemd-nspawn", "nsenter") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        parser.error(f"needs root and {', '.join(missing) or 'all it has'}")
    with tempfile.TemporaryDirectory(prefix="walk-") as folder:
        machine = Machine(Path(folder) / "root", name=surroundings.HOST, mirror=given.mirror, authority=given.authority)
        try:
            with machine:
                _bring_checkout(machine.root / SOURCE)
                Walk(machine).run()
        except Failed as failed:
            _say(f"failed: {failed}")
            return 1
    _say("all of it works")
    return 0


def _bring_checkout(to: Path) -> None:
    """What is in this checkout, without what it made."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout.decode()
    for name in listed.rstrip("\0").split("\0"):
        if (CHECKOUT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, to / name)


if __name__ == "__main__":
    sys.exit(main())
