"""Runs the command blocks of pages in docs on a fresh Debian under a real systemd.

The walk covers the installation, a message from a real Postfix to a stand-in for Slack, backup, restore, upgrade, the
move to PostgreSQL and a reboot, and tests the units. test_documents.py checks that it runs every block of its
pages.

    python -m tests.system.debian.walk [--release NAME] [--method NAME] [--mirror URL] [--authority FILE]

The walk requires root, debootstrap and systemd-nspawn. The walk is not part of the test suite, because it downloads
packages from Debian and a Python registry.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.support.documents import Block, count_commands
from tests.system.debian import surroundings, trial
from tests.system.debian.machine import CHECKOUT, RELEASES, Failed, Machine
from tests.system.debian.page_walk import PageSection, PageWalk, Step, print_block, print_line

SOURCE = "usr/local/src/emailrouter"
# Headings of install-source.md and upgrade.md.
METHODS = {"source": "From source", "pipx": "With pipx"}
SYMPTOMS = (
    "Troubleshooting by symptom",
    "The post in Slack or Discord is missing",
    "The disk is full",
    "The certificate does not work",
    "It stops, or does not start",
)


class Walk(PageWalk):
    def __init__(self, machine: Machine, *, method: str) -> None:
        super().__init__()
        self._machine = machine
        self._method = method

    def steps(self) -> list[Step]:
        return [*self._installation(), *self._operation(), *self._postgresql()]

    def _installation(self) -> list[Step]:
        machine = self._machine
        return [
            ("the surroundings", partial(surroundings.build, machine)),
            ("the files of a release", partial(_build_release, machine)),
            PageSection("install.md", "Prepare the host"),
            PageSection("install-source.md", METHODS[self._method]),
            PageSection("install-source.md", "2. Units, user and directories"),
            PageSection("install-source.md", "3. The command"),
            ("Slack", partial(surroundings.start_slack, machine)),
            ("a certificate", partial(surroundings.issue, machine, surroundings.HOST)),
            PageSection("tls.md", "With certbot"),
            PageSection("install-source.md", "5. The configuration"),
            PageSection("install-source.md", "6. Start"),
            PageSection("quick-start.md", "Ten lines"),
            PageSection("quick-start.md", "Invite colleagues"),
            PageSection("quick-start.md", "Send a real message"),
            ("a real message becomes a ticket", self._check_message_arrived),
            PageSection("quick-start.md", "Without a domain"),
            PageSection("slack-webhook.md", "Add it to Email Router"),
            PageSection("tls.md", "Use it"),
            ("a certificate", partial(surroundings.issue, machine, surroundings.TICKETS)),
            PageSection("reverse-proxy.md", "nginx"),
            ("HTTPS through nginx", partial(self._request, f"https://{surroundings.TICKETS}/readyz")),
            ("nginx stops", self._stop_nginx),
            PageSection("reverse-proxy.md", "Caddy"),
            ("HTTPS through Caddy", self._check_caddy),
        ]

    def _operation(self) -> list[Step]:
        machine, one = self._machine, trial.ONE
        return [
            *(PageSection("troubleshooting.md", heading) for heading in SYMPTOMS),
            PageSection("logs.md", "Logs"),
            ("restarts", partial(trial.test_restarts, machine, one, one, one)),
            ("socket activation", partial(trial.test_socket_activation, machine)),
            ("system calls", partial(trial.test_system_calls, machine, one)),
            ("watchdog", partial(trial.test_watchdog, machine, one)),
            ("invalid configuration", partial(trial.test_invalid_configuration, machine, one, "emailrouter.socket")),
            PageSection("backup-and-restore.md", "With SQLite"),
            PageSection("backup-and-restore.md", "Restore SQLite"),
            PageSection("upgrade.md", METHODS[self._method]),
            PageSection("upgrade.md", "Migrate and restart"),
        ]

    def _postgresql(self) -> list[Step]:
        machine = self._machine
        return [
            PageSection("postgresql.md", "Create the database"),
            PageSection("postgresql.md", "Move from SQLite"),
            PageSection("backup-and-restore.md", "With PostgreSQL"),
            PageSection("backup-and-restore.md", "Restore PostgreSQL"),
            ("an empty database", partial(trial.test_empty_database, machine)),
            ("restarts of roles", partial(trial.test_restarts, machine, *trial.ROLES)),
            ("system calls of roles", partial(trial.test_system_calls, machine, *trial.ROLES)),
            ("one process or roles", partial(trial.test_exclusive_units, machine)),
            ("credentials", partial(trial.test_credential_store, machine)),
            ("a reboot", self._reboot),
        ]

    # --- commands of the pages

    def _run_block(self, block: Block) -> None:
        lines, machine = block.text.splitlines(), self._machine
        print_block(lines, depth=4)
        registries = any(line.startswith(("apt-get ", "pipx ", "/opt/emailrouter/bin/pip ")) for line in lines)
        typed = surroundings.WEBHOOK if "emailrouter integration add" in block.text else None
        _, printed = machine.run(block.text, registries=registries, typed=typed)
        self._command_count += count_commands(block.text)
        if not registries:
            print_block(printed.splitlines(), depth=8)
        if "emailrouter domain add" in block.text:
            surroundings.publish(machine, printed)

    def _read_log(self) -> str:
        return self._machine.run("journalctl --unit 'emailrouter*' --output cat --lines 20", check=False)[1]

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
        return f"after {self._command_count} commands and {self.minutes:.0f} minutes: {sent[0]}"

    def _request(self, url: str) -> None:
        """Requests a URL until it succeeds, because web servers reload in the background."""
        command = f"{surroundings.PYTHON} -c 'import urllib.request; urllib.request.urlopen(\"{url}\")'"
        self._machine.until(lambda: self._machine.run(command, check=False)[0] == 0, url)

    def _stop_nginx(self) -> None:
        self._machine.run("systemctl disable --now nginx.service")

    def _check_caddy(self) -> None:
        """Caddy issues its certificate itself, because the machine cannot reach Let's Encrypt."""
        machine = self._machine
        machine.put("/var/www/html/walk", "served\n")
        machine.run(
            """sed -i '1i {\\n    local_certs\\n}' /etc/caddy/Caddyfile
            systemctl restart caddy.service"""
        )
        authority = "/var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt"
        machine.until((machine.root / authority.lstrip("/")).exists, "the authority of Caddy")
        machine.run(f"cp {authority} /usr/local/share/ca-certificates/caddy.crt && update-ca-certificates")
        self._request(f"https://{surroundings.TICKETS}/readyz")
        self._request(f"http://{surroundings.HOST}/walk")

    def _reboot(self) -> str:
        machine = self._machine
        machine.shut_down()
        machine.boot()
        before = len(surroundings.posts(machine))
        machine.run("printf 'Subject: After the reboot\\n\\nA mail.\\n' | sendmail support@help.example.com")
        machine.until(
            lambda: any("After the reboot" in str(p) for p in surroundings.posts(machine)[before:]), "its ticket"
        )
        return machine.run("emailrouter check")[1].splitlines()[-1]


def _build_release(machine: Machine) -> None:
    """Puts the wheel and the lock file of a release where the administrator would download them."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(machine.root / "root"), str(machine.root / SOURCE)], check=True)
    shutil.copy(machine.root / SOURCE / "requirements.lock", machine.root / "root")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.system.debian.walk")
    parser.add_argument(
        "--release", choices=RELEASES, default=RELEASES[0], help="Debian release (default: %(default)s)"
    )
    parser.add_argument("--method", choices=METHODS, default="source", help="how to install (default: %(default)s)")
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
            Path(folder) / "root",
            name=surroundings.HOST,
            release=arguments.release,
            mirror=arguments.mirror,
            authority=arguments.authority,
        )
        try:
            with machine:
                _copy_checkout(machine.root / SOURCE)
                Walk(machine, method=arguments.method).run()
        except Failed as failed:
            print_line(f"failed: {failed}")
            return 1
    print_line("succeeded")
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
