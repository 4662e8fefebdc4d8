"""The steps of the image walk. A failed command or test raises `Failed`."""

import asyncio
import json
import os
import re
import signal
import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from tests.support.dns import DnsStandIn
from tests.support.documents import Block, count_commands
from tests.support.slack import SlackStandIn
from tests.system.debian.machine import Failed
from tests.system.debian.page_walk import PageSection, PageWalk, Step, print_block
from tests.system.debian.trial import SENDERS
from tests.system.image.engine import SERVICE, Engine, wait_until

PAGE = "install-image.md"
HEADINGS = ("Install", "Sign in", "Upgrade", "Stop", "Back up", "PostgreSQL")  # of the blocks, all of which run
STOP_SECONDS = 30.0
_RECORD = re.compile(r"^\s*(\S+)\. \d+ IN (MX|TXT) (.+)$", re.MULTILINE)
_COUNT_LOADS = """import sqlite3
print(sqlite3.connect("emailrouter.db").execute("SELECT COUNT(*) FROM messages WHERE subject = 'Load'").fetchone()[0])
"""
_BIND = "import socket; socket.create_server(('127.0.0.1', 25)); print('bound')"


class StandIns:
    """The DNS and Slack for the containers, which use the network of this process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.dns, self.slack = DnsStandIn(), SlackStandIn()
        for server in (self.dns, self.slack):
            asyncio.run_coroutine_threadsafe(server.start(), self._loop).result()

    def publish(self, printed: str) -> None:
        """Publishes the records that `domain add` printed."""
        records = _RECORD.findall(printed)
        if {kind for _, kind, _ in records} != {"MX", "TXT"}:
            raise Failed(f"no records to publish in:\n{printed}")
        for name, kind, value in records:
            self._loop.call_soon_threadsafe(self.dns.set, name, kind, value.strip('"'))


class ImageWalk(PageWalk):
    def __init__(self, engine: Engine, version: str, next_version: str) -> None:
        super().__init__()
        self._engine = engine
        self._version = version
        self._next_version = next_version
        self._outside = StandIns()
        self._write_compose_file()

    def _write_compose_file(self, **service: str) -> None:
        """Writes the limits of this machine and the addresses of the stand-ins."""
        environment = {
            "EMAILROUTER_DNS__NAMESERVERS": json.dumps([self._outside.dns.address]),
            "EMAILROUTER_DELIVERY__ALLOW_PRIVATE_NETWORKS": "true",
        }
        own = {"ulimits": {"nofile": 20000, "nproc": 4096}, "environment": environment} | service
        text = json.dumps({"services": {"emailrouter": own}}).replace('"RESET"', "!reset {}")
        (self._engine.work / "compose.walk.yaml").write_text(text)

    def steps(self) -> list[Step]:
        return [
            PageSection(PAGE, "Install"),
            ("the container becomes healthy", self._check_health),
            PageSection(PAGE, "Sign in"),
            ("the first ticket", self._check_first_ticket),
            ("what the container may do", self._check_isolation),
            ("port 25 with Docker's capabilities", self._check_file_capability),
            ("kill -9 while mail arrives", self._kill),
            ("upgrade while mail arrives", self._replace_image),
            ("stop during a transfer", self._stop),
            PageSection(PAGE, "Back up"),
            ("the volume outlives the container", self._check_volume),
            ("the end of the installation with SQLite", self._remove_installation),
            PageSection(PAGE, "PostgreSQL"),
            ("the container becomes healthy", self._check_health),
            ("the first ticket with PostgreSQL", self._check_postgres),
        ]

    def _read_log(self) -> str:
        return self._engine.run(f"podman logs --tail 20 {SERVICE} 2>&1", check=False)

    def _run_block(self, block: Block) -> None:
        print_block(block.text.splitlines(), depth=4)
        self._command_count += count_commands(block.text)
        # The page shows a version; a file of the release has its own.
        text = re.sub(r"(VERSION=|router:)[0-9.]+", rf"\g<1>{self._version}", block.text)
        # Without a terminal the command does not prompt.
        text = text.replace("integration add support", "integration add support --webhook-url -")
        printed = self._engine.run(text, typed=f"{self._outside.slack.url()}\n" if "integration add" in text else "")
        print_block(printed.splitlines()[-12:], depth=8)
        if "domain add" in block.text:
            self._outside.publish(printed)
        if "compose up" in block.text:
            self._wait_until_ready()
        if "emailrouter init" in block.text and "er_" not in printed:
            raise Failed(f"init prints no key: {printed}")

    # --- steps

    def _check_health(self) -> str:
        wait_until(lambda: self._engine.health() == "healthy", "the state healthy")
        return str(self._engine.inspect()["State"]["Health"]["Log"][-1]["Output"])

    def _check_first_ticket(self) -> str:
        before = len(self._outside.slack.posts)
        send("Hello")
        wait_until(lambda: "Hello" in self._in_container("emailrouter ticket list"), "the ticket")
        wait_until(
            lambda: any("Hello" in str(post.payload) for post in list(self._outside.slack.posts)[before:]),
            "the message",
        )
        return f"{self._command_count} commands and {self.minutes:.1f} minutes from the files to the first ticket"

    def _check_isolation(self) -> str:
        """The user, the capabilities, the root file system, and the address of a client."""
        self._expect("id -u; id -g", "10001\n10001")
        self._expect("grep ^CapEff /proc/1/status", "CapEff:\t0000000000000400")  # CAP_NET_BIND_SERVICE
        self._expect("touch /etc/x /opt/emailrouter/x 2>/dev/null || echo read-only", "read-only")
        self._expect("find /var/lib/emailrouter ! -user emailrouter", "")
        send("Where from", source="127.0.0.2")
        query = "SELECT peer FROM messages WHERE subject = 'Where from'"
        self._expect(
            f'/opt/emailrouter/bin/python -c "import sqlite3; '
            f'print(sqlite3.connect(\'emailrouter.db\').execute(\\"{query}\\").fetchone()[0])"',
            "127.0.0.2",
        )
        return "user 10001, only NET_BIND_SERVICE, nothing else is writable, and the address of the client is visible"

    def _check_file_capability(self) -> str:
        """Docker, unlike podman, gives a user other than root no ambient capabilities."""
        image = f"localhost/emailrouter:{self._version}"
        restricted = "--inh-caps=-all --ambient-caps=-all /opt/emailrouter/bin/python"
        options = "--rm --network none --cap-drop ALL --cap-add NET_BIND_SERVICE --entrypoint setpriv"
        if self._engine.run(f'podman run {options} {image} {restricted} -c "{_BIND}"').strip() != "bound":
            raise Failed("port 25 cannot be bound")
        return "the file capability is enough"

    def _kill(self) -> str:
        """The runtime restarts a killed program, and what was accepted is there."""

        def kill() -> None:
            time.sleep(3)
            os.kill(self._engine.inspect()["State"]["Pid"], signal.SIGKILL)
            time.sleep(0.5)
            self._wait_until_ready()

        return self._run_under_load(15, kill)

    def _replace_image(self) -> str:
        tickets = self._in_container("emailrouter ticket list --search Hello")
        file = self._engine.work / ".env"

        def upgrade() -> None:
            time.sleep(3)
            file.write_text(file.read_text().replace(f"VERSION={self._version}", f"VERSION={self._next_version}"))
            for block in PageSection(PAGE, "Upgrade").blocks():
                self._run_block(block)

        outcome = self._run_under_load(40, upgrade)
        image = str(self._engine.inspect()["ImageName"])
        if not image.endswith(self._next_version):
            raise Failed(f"the container has the image {image}")
        if self._in_container("emailrouter ticket list --search Hello") != tickets:
            raise Failed("the tickets differ")
        return outcome

    def _stop(self) -> str:
        """A stop while a client is sending a message completes within the time limit."""
        with smtplib.SMTP("127.0.0.1", 25, timeout=60) as client:
            client.ehlo()
            client.mail("a@b.example")
            client.rcpt("support@help.example.com")
            client.putcmd("data")
            client.getreply()
            client.send(b"Subject: Slow\r\n")
            began = time.monotonic()
            for block in PageSection(PAGE, "Stop").blocks():
                self._run_block(block)
            seconds = time.monotonic() - began
            client.sock = None  # the server has closed the connection
        state = self._engine.inspect()["State"]
        if seconds > STOP_SECONDS or state["ExitCode"] != 0:
            raise Failed(f"stopped after {seconds:.1f} s with exit code {state['ExitCode']}")
        self._engine.run("docker compose start")
        self._wait_until_ready()
        return f"stopped after {seconds:.1f} s with exit code 0"

    def _check_volume(self) -> str:
        if "./emailrouter.db" not in self._engine.run("tar --list --file emailrouter-backup-*.tar.gz"):
            raise Failed("the backup has no database")
        self._wait_until_ready()
        before = self._count_loads()
        self._engine.run("docker compose down && docker compose up --detach")
        self._wait_until_ready()
        if self._count_loads() != before:
            raise Failed(f"{self._count_loads()} messages instead of {before}")
        return f"{before} messages before and after `down` and `up`"

    def _remove_installation(self) -> None:
        self._engine.run("docker compose down --volumes")
        if left := self._engine.run("podman volume ls --quiet"):
            raise Failed(f"volumes are left: {left}")
        # podman 4.3 cannot start a chain of three dependent containers. Without the chain, the program starts together
        # with the database, fails, and is restarted.
        self._write_compose_file(depends_on="RESET")

    def _check_postgres(self) -> str:
        for block in PageSection(PAGE, "Sign in").blocks()[1:]:
            self._run_block(block)
        self._check_first_ticket()
        password = (self._engine.work / "secrets" / "postgres_password").read_text()
        if password in self._engine.run(f"podman inspect {SERVICE}; podman logs {SERVICE} 2>&1"):
            raise Failed("the password is visible")
        self._engine.run("docker compose down && docker compose up --detach")
        self._wait_until_ready()
        if "Hello" not in self._in_container("emailrouter ticket list"):
            raise Failed("the ticket is missing after `down` and `up`")
        return "a ticket in PostgreSQL, kept by its volume; the password is neither in the environment nor in the log"

    # --- parts of steps

    def _run_under_load(self, seconds: int, work: Callable[[], None]) -> str:
        """Runs `work` while mail and requests arrive, then compares what was accepted with what is stored."""
        before = self._count_loads()
        with subprocess.Popen(
            [sys.executable, "-c", SENDERS, str(seconds)], stdout=subprocess.PIPE, text=True
        ) as senders:
            try:
                work()
            finally:
                printed, _ = senders.communicate(timeout=seconds + 120)
        counts = json.loads(printed.splitlines()[-1])
        self._wait_until_ready()
        accepted, stored = counts["accepted"], self._count_loads() - before
        # A message whose reply did not arrive can be stored too.
        if not accepted or not accepted <= stored <= accepted + len(counts["deferred"]):
            raise Failed(f"{accepted} messages accepted, {stored} stored; {counts['deferred'][:1]}")
        refused, deferred = len(counts["refused"]), len(counts["deferred"])
        refused_seconds = refused / 4 / 10  # four senders try ten times a second
        return (
            f"{accepted} messages accepted and none lost; {refused} connections refused, "
            f"for about {refused_seconds:.0f} s; {deferred} deferred"
        )

    def _wait_until_ready(self) -> None:
        check = "/opt/emailrouter/bin/python /usr/local/lib/emailrouter/healthcheck.py || echo failed"
        wait_until(lambda: '"ok"' in self._in_container(check, check=False), "readiness")

    def _count_loads(self) -> int:
        return int(self._engine.run(f"podman exec {SERVICE} /opt/emailrouter/bin/python -c '{_quoted(_COUNT_LOADS)}'"))

    def _in_container(self, script: str, *, check: bool = True) -> str:
        return self._engine.run(f"podman exec {SERVICE} sh -c '{_quoted(script)}'", check=check)

    def _expect(self, script: str, expected: str) -> None:
        if (output := self._in_container(script, check=False).strip()) != expected:
            raise Failed(f"{script}: {output!r} instead of {expected!r}")


def send(subject: str, source: str = "127.0.0.1") -> None:
    with smtplib.SMTP("127.0.0.1", 25, timeout=60, source_address=(source, 0)) as client:
        client.sendmail(
            "a@b.example",
            ["support@help.example.com"],
            f"From: a@b.example\r\nTo: support@help.example.com\r\nSubject: {subject}\r\n\r\nA real mail.\r\n",
        )


def _quoted(text: str) -> str:
    """Returns the text for use between single quotes of the shell."""
    return text.replace("'", "'\\''")
