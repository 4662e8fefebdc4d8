"""Runs the command blocks of docs/install-deb.md on fresh Debian systems, with packages from `make package`.

The walk covers the installation, the first ticket, upgrades while mail arrives (one process with SQLite, then three
roles with PostgreSQL), removal, reinstallation and purge. It counts the commands and minutes to the first ticket.

    python -m tests.system.debian.deb_walk [--release NAME] [--packages FOLDER] [--mirror URL] [--authority FILE]

Requires root, debootstrap, systemd-nspawn, and the packages in dist/, which it builds if they are missing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.support.documents import Block, count_commands
from tests.system.debian import surroundings, trial
from tests.system.debian.machine import CHECKOUT, Failed, Machine
from tests.system.debian.page_walk import PageSection, PageWalk, Step, print_block, print_line

PAGE = "install-deb.md"
HEADINGS = ("Install", "Name the host", "Sign in", "Upgrade", "Remove")  # of the blocks, all of which run
UPGRADE = "Upgrade"
RELEASES = {"bookworm": 12, "trixie": 13}
NEXT_VERSION = "99.0.0"
SENDING_SECONDS = 45  # longer than an upgrade
DATA, CONFIGURATION = "/var/lib/emailrouter", "/etc/emailrouter"

_SEND_ONE = """
import smtplib
smtplib.SMTP("127.0.0.1", 25, timeout=60).sendmail("a@b.example", ["support@help.example.com"],
    "From: a@b.example\\r\\nTo: support@help.example.com\\r\\nSubject: Hello\\r\\n\\r\\nA real mail.\\r\\n")
"""
_SET_URL = "sed -i 's|^url = .*|url = \"{}\"|' /etc/emailrouter/emailrouter.toml"
_TO_POSTGRES = f"""apt-get install --yes postgresql
runuser -u postgres -- createuser emailrouter
runuser -u postgres -- createdb --owner emailrouter emailrouter
systemctl disable --now emailrouter.service
systemctl stop 'emailrouter*'
emailrouter move --to 'postgresql://emailrouter@/emailrouter?host=/run/postgresql'
{_SET_URL.format("postgresql://emailrouter@/emailrouter?host=/run/postgresql")}
systemctl enable --now emailrouter.target
"""
_TO_SQLITE = f"""systemctl disable --now emailrouter.target
systemctl stop 'emailrouter*'
{_SET_URL.format("sqlite:////var/lib/emailrouter/emailrouter.db")}
systemctl enable --now emailrouter.service
"""


class DebWalk(PageWalk):
    """The walk on one release."""

    def __init__(self, machine: Machine, package: Path, next_package: Path) -> None:
        super().__init__()
        self._machine = machine
        self._package = package
        self._next_package = next_package

    def steps(self) -> list[Step]:
        machine = self._machine
        return [
            ("the surroundings", partial(surroundings.build, machine)),
            ("the package", partial(self._put, self._package)),
            PageSection(PAGE, "Install"),
            ("the service", self._check_installed),
            ("the stand-in for Slack", partial(surroundings.start_slack, machine)),
            PageSection(PAGE, "Name the host"),
            PageSection(PAGE, "Sign in"),
            ("the first ticket", self._check_first_ticket),
            ("files and other users", self._check_permissions),
            ("the new package", partial(self._put, self._next_package)),
            ("mail arrives during the upgrade", partial(self._upgrade_while_mail_arrives, UPGRADE)),
            ("upgrade of roles with PostgreSQL", self._upgrade_roles),
            ("back to one process", self._return_to_sqlite),
            PageSection(PAGE, "Remove"),
            ("the rest after a purge", self._check_purged),
            ("a first installation after a purge", self._check_reinstallation),
        ]

    # --- commands of the page

    def _run_block(self, block: Block) -> None:
        if block.text.startswith("apt-get purge"):
            self._check_removal_and_return()
        lines = block.text.splitlines()
        print_block(lines, depth=4)
        self._command_count += count_commands(block.text)
        registries = any(line.startswith("apt-get ") for line in lines)
        typed = surroundings.WEBHOOK if "emailrouter integration add" in block.text else None
        _, printed = self._machine.run(block.text, registries=registries, typed=typed)
        if not registries:
            print_block(printed.splitlines(), depth=8)
        if "emailrouter domain add" in block.text:
            surroundings.publish(self._machine, printed)

    def _read_log(self) -> str:
        return self._machine.run("journalctl --unit 'emailrouter*' --output cat --lines 30", check=False)[1]

    # --- steps

    def _put(self, package: Path) -> None:
        """Puts the package into the home of root, without other versions, and starts the time of the reader."""
        for other in (self._machine.root / "root").glob("*.deb"):
            other.unlink()
        shutil.copy(package, self._machine.root / "root" / package.name)
        if package == self._package:
            self._began = time.monotonic()

    def _check_installed(self) -> str:
        machine = self._machine
        self._expect("systemctl is-enabled emailrouter.service emailrouter.socket", "enabled\nenabled")
        machine.until(lambda: self._output("systemctl is-active emailrouter.service") == "active", "the service")
        self._expect(f"stat -c '%U %G %a' {CONFIGURATION}/emailrouter.toml", "root emailrouter 640")
        self._expect(f"stat -c '%U %G %a' {DATA}", "emailrouter emailrouter 750")
        # 80 columns and no messages: groff knows every macro, and bash can load the completion.
        machine.run("bash -c 'source /usr/share/bash-completion/completions/emailrouter'")
        return self._output("emailrouter --version; dpkg-query --show emailrouter")

    def _check_first_ticket(self) -> str:
        machine = self._machine
        machine.run(f"{surroundings.PYTHON} -c '{_SEND_ONE}'")
        machine.until(lambda: "Hello" in machine.run("emailrouter ticket list")[1], "the ticket")
        machine.until(lambda: any("Hello" in str(post) for post in surroundings.posts(machine)), "the Slack message")
        return f"{self._command_count} commands and {self.minutes:.1f} minutes from the package to the first ticket"

    def _check_permissions(self) -> str:
        """Root's commands leave no file of root in the data directory, and other users can try the program."""
        self._expect(f"find {DATA} ! -user emailrouter", "")
        self._machine.run("cd /tmp && runuser -u nobody -- emailrouter demo --once")
        return "all files belong to the service; nobody ran the demo"

    def _upgrade_while_mail_arrives(self, heading: str = "") -> str:
        """Upgrades by the blocks under the heading, or installs the same package again without one."""
        machine = self._machine
        before = self._count_messages()
        running = self._main_processes()
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(trial.send, machine, SENDING_SECONDS)
            machine.run("sleep 2")
            if heading:
                for block in PageSection(PAGE, heading).blocks():
                    self._run_block(block)
            else:
                machine.run("dpkg --install ./*.deb")
            if sending.done():
                raise Failed("the upgrade took longer than mail arrived")
            counts = sending.result()
        if counts["refused"] or counts["unanswered"] or not counts["accepted"] or not counts["answered"]:
            raise Failed(f"during the upgrade: {counts}")
        if running & self._main_processes():
            raise Failed("the old program still runs")
        accepted, stored = int(str(counts["accepted"])), self._count_messages() - before
        # A message whose reply did not arrive can be stored too.
        if not accepted <= stored <= accepted + len(counts["deferred"]):
            raise Failed(f"{accepted} messages accepted, {stored} stored")
        deferred = len(counts["deferred"])
        return f"{accepted} messages and {counts['answered']} requests, none refused or lost, {deferred} deferred"

    def _upgrade_roles(self) -> str:
        self._machine.run(_TO_POSTGRES, registries=True)
        roles = " ".join(trial.ROLES)
        self._machine.until(
            lambda: self._output(f"systemctl is-active {roles}") == "active\nactive\nactive", "the three roles"
        )
        return self._upgrade_while_mail_arrives()

    def _return_to_sqlite(self) -> None:
        self._machine.run(_TO_SQLITE)

    def _check_removal_and_return(self) -> None:
        """After a removal the data is there, nothing runs, and another installation continues with the data."""
        machine = self._machine
        self._expect("systemctl is-active emailrouter.service emailrouter.socket", "inactive\ninactive")
        self._expect("ss --listening --tcp --no-header 'sport = :25'", "")
        self._expect(f"ls {DATA}/emailrouter.db {CONFIGURATION}/emailrouter.toml | wc -l", "2")
        self._expect("ls /opt 2>/dev/null || true", "")
        machine.run("apt-get install --yes ./*.deb", registries=True)
        machine.until(lambda: self._output("systemctl is-active emailrouter.service") == "active", "the service")
        if "Hello" not in machine.run("emailrouter ticket list --search Hello")[1]:
            raise Failed("the ticket is missing after the reinstallation")
        print_line("          removed and installed again: the tickets are there")

    def _check_purged(self) -> str:
        paths = f"{DATA} {CONFIGURATION} /opt/emailrouter /usr/bin/emailrouter"
        self._expect(f"ls --directory {paths} 2>/dev/null || true", "")
        self._expect("find /etc/systemd /usr/lib/systemd /var/lib/systemd -name 'emailrouter*'", "")
        self._expect("getent passwd emailrouter | cut -d: -f1", "emailrouter")
        return "no file, no unit; the user remains"

    def _check_reinstallation(self) -> None:
        self._machine.run("apt-get install --yes ./*.deb", registries=True)
        self._check_installed()
        self._machine.run(f"test -s {DATA}/first-login")

    # --- state of the machine

    def _count_messages(self) -> int:
        """Returns the number of messages that the senders of `trial` have sent."""
        command = (
            "cd / && runuser -u emailrouter -- psql --tuples-only --no-align --dbname emailrouter --command"
            if "postgresql" in self._output(f"grep ^url {CONFIGURATION}/emailrouter.toml")
            else f"sqlite3 {DATA}/emailrouter.db"
        )
        return int(self._machine.run(f"""{command} "SELECT COUNT(*) FROM messages WHERE subject = 'Load'" """)[1])

    def _main_processes(self) -> set[str]:
        units = f"{trial.ONE} {' '.join(trial.ROLES)}"
        return set(self._output(f"systemctl show --property MainPID --value {units}").split()) - {"0"}

    def _output(self, script: str) -> str:
        return self._machine.run(script, check=False)[1].strip()

    def _expect(self, script: str, expected: str) -> None:
        if (output := self._output(script)) != expected:
            raise Failed(f"{script}: {output!r} instead of {expected!r}")


def make_next_package(package: Path, folder: Path) -> Path:
    """Packs the same program as a newer version."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    version = next(line for line in control.read_text().splitlines() if line.startswith("Version: "))
    _, _, revision = version.rpartition("-")
    control.write_text(control.read_text().replace(version, f"Version: {NEXT_VERSION}-{revision}"))
    target = folder / f"emailrouter_{NEXT_VERSION}-{revision}_amd64.deb"
    subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "--build", tree, target], check=True)
    shutil.rmtree(tree)
    return target


def walk(release: str, arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="deb-walk-") as name:
        folder = Path(name)
        packages = sorted((arguments.packages or folder).glob(f"emailrouter_*~deb{RELEASES[release]}_amd64.deb"))
        if not packages:
            program = str(CHECKOUT / "packaging" / "deb.py")
            command = [sys.executable, program, f"--release={release}", f"--output={folder}"]
            command += [f"--mirror={arguments.mirror}"] if arguments.mirror else []
            command += [f"--authority={arguments.authority}"] if arguments.authority else []
            subprocess.run(command, check=True)
            packages = sorted(folder.glob("*.deb"))
        next_package = make_next_package(packages[-1], folder)
        machine = Machine(
            folder / "root",
            name=surroundings.HOST,
            release=release,
            mirror=arguments.mirror,
            authority=arguments.authority,
        )
        print_line(f"Debian {RELEASES[release]}: {packages[-1].name}")
        with machine:
            machine.run("apt-get update && apt-get install --yes sqlite3", registries=True)
            DebWalk(machine, packages[-1], next_package).run()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system.debian.deb_walk")
    parser.add_argument("--release", action="append", choices=RELEASES, help="Debian release (default: both)")
    parser.add_argument("--packages", type=Path, help="folder with packages (default: build them)")
    parser.add_argument("--mirror", help="URL of the Debian mirror (default: that of debootstrap)")
    parser.add_argument("--authority", type=Path, help="PEM file of the authority of a private Python registry")
    arguments = parser.parse_args()
    missing = [name for name in ("debootstrap", "systemd-nspawn", "nsenter", "dpkg-deb") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        parser.error(f"requires root{''.join(f', {name}' for name in missing)}")
    for release in arguments.release or RELEASES:
        try:
            walk(release, arguments)
        except Failed as failed:
            print_line(f"failed: {failed}")
            return 1
    print_line("succeeded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
