"""Owns one PostgreSQL server, and stops and removes it however the tests end.

Runs as a script in the background. The script's only argument is a JSON object:

    bin               folder of PostgreSQL's programs
    parent            folder in which the data directory is created
    sockets           folder in which the socket directory is created; its path must be short
    uid, gid          user and group of the server; null for those of the supervisor
    settings          settings that are added to postgresql.conf
    remove            other folders to remove at the end

Prints `{"control": path}`, or prints `{"error": text}` and exits.

Test processes stay connected to the Unix socket `control`. Until standard input is closed, it counts as one more
connection. When the last connection closes, the supervisor stops the server and removes its directories. This script
imports only the standard library.
"""

import contextlib
import ctypes
import json
import os
import random
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

USER = "emailrouter"  # the server's superuser
# Below Linux's default range for ephemeral ports, so that the kernel assigns the port to no other program while the
# server is stopped.
_PORTS = range(20_000, 32_000)
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


class PostgresProcess:
    """One data directory and, while the server runs, one postmaster."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.bin = Path(config["bin"])
        self.root = Path(tempfile.mkdtemp(prefix="er-pg-", dir=config["parent"]))
        self.sockets = Path(tempfile.mkdtemp(prefix="er-pgs-", dir=config["sockets"]))
        self.data = self.root / "data"
        self.log = self.root / "log"
        with self.log.open("ab") as log:
            os.dup2(log.fileno(), sys.stderr.fileno())
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.user: dict[str, Any] = {}
        if config["uid"] is not None:
            self.user = {"user": config["uid"], "group": config["gid"], "extra_groups": []}
            for folder in (self.root, self.sockets):
                os.chown(folder, config["uid"], config["gid"])
        self.settings: dict[str, str] = config["settings"]

    def create(self) -> None:
        command = [str(self.bin / "initdb"), "-D", str(self.data), "-U", USER, "--auth=trust", "--encoding=UTF8"]
        command += ["--locale=C", "--no-sync", "--no-instructions"]
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            command,
            cwd=self.root,
            env=_clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **self.user,
        )
        if done.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{done.stdout.decode(errors='replace')}")
        lines = [f"{name} = '{value}'\n" for name, value in self.settings.items()]
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.writelines(lines)

    def do_hello(self) -> dict[str, Any]:
        return {"port": self.port, "user": USER, "socket_dir": str(self.sockets), "root": str(self.root)}

    def do_start(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        for tries_left in reversed(range(5)):
            port = self.port or _free_port()
            try:
                self._run(port)
            except RuntimeError:
                if self.port or not tries_left:
                    raise
            else:
                self.port = port
                return

    def do_stop(self) -> None:
        process = self.process
        if process is None:
            return
        self.do_resume()
        for number, seconds in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, 5.0)):
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                self.process = None
                return
        self.do_kill()

    def do_kill(self) -> None:
        """Kills all processes of the server; the next start recovers the data from the WAL."""
        if self.process is None:
            return
        everyone = self._all_pids()
        _signal_all(everyone, signal.SIGKILL)
        self.process.wait()
        self.process = None
        end = time.monotonic() + _STOP_SECONDS
        while not all(_is_gone(pid) for pid in everyone) and time.monotonic() < end:
            time.sleep(0.005)  # the next start fails while an old process still uses the shared memory
        with contextlib.suppress(FileNotFoundError):
            (self.data / "postmaster.pid").unlink()  # the next start fails if another process then has this pid

    def do_pause(self) -> None:
        """Suspends all processes of the server, the postmaster first, so that it starts no new ones."""
        _signal_all(self._all_pids(), signal.SIGSTOP)
        _signal_all(self._all_pids(), signal.SIGSTOP)  # again, for processes that the postmaster started meanwhile

    def do_resume(self) -> None:
        _signal_all(reversed(self._all_pids()), signal.SIGCONT)

    def remove(self) -> None:
        self.do_stop()
        shutil.rmtree(self.sockets, ignore_errors=True)
        shutil.rmtree(self.root, ignore_errors=True)

    def _run(self, port: int) -> None:
        with self.log.open("ab") as log:
            self.process = process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data, "-k", self.sockets, "-p", str(port)],
                cwd=self.root,
                env=_clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_stop_when_parent_dies,  # noqa: PLW1509 - this process has one thread
                **self.user,
            )
        end = time.monotonic() + _START_SECONDS
        while not self._is_ready(process.pid):
            if process.poll() is not None or time.monotonic() > end:
                self.do_kill()
                tail = self.log.read_text(errors="replace")[-4000:]
                raise RuntimeError(f"postgres did not start on port {port}:\n{tail}")
            time.sleep(0.01)

    def _is_ready(self, pid: int) -> bool:
        """Whether `postmaster.pid` contains `pid` and the status `ready`, as `pg_ctl -w` checks."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _all_pids(self) -> list[int]:
        """Returns the pids of the postmaster and then of its children. No process group contains all of them."""
        if self.process is None or self.process.poll() is not None:
            return []
        found = [self.process.pid]
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid:
                    found.append(int(folder.name))
        return found


def serve(server: PostgresProcess, listener: socket.socket, last_clients: list[socket.socket]) -> None:
    """Answers requests until the last client has disconnected.

    The last client's connection is added to `last_clients` and stays open until this process exits. The client can
    therefore wait for the exit.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        clients = 1  # standard input counts as one
        while clients:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    selector.register(connection, selectors.EVENT_READ)
                    clients += 1
                elif isinstance(key.fileobj, socket.socket):
                    if not answer_request(server, key.fileobj):
                        selector.unregister(key.fileobj)
                        clients -= 1
                        if clients:
                            key.fileobj.close()
                        else:
                            last_clients.append(key.fileobj)
                elif not os.read(sys.stdin.fileno(), 1024):
                    selector.unregister(sys.stdin)
                    clients -= 1


def answer_request(server: PostgresProcess, connection: socket.socket) -> bool:
    """Answers one request, short enough for one `recv`. Returns False if the client has disconnected."""
    try:
        line = connection.recv(65536)
        if not line:
            return False
        try:
            result = getattr(server, "do_" + json.loads(line)["do"])()
        except (RuntimeError, OSError) as error:
            connection.sendall(json.dumps({"error": str(error)}).encode() + b"\n")
        else:
            connection.sendall(json.dumps({"result": result}).encode() + b"\n")
    except OSError:
        return False
    return True


def _signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _is_gone(pid: int) -> bool:
    """Whether the process has ended or is a zombie. In some containers nothing reaps zombies."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _free_port() -> int:
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _clean_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _stop_when_parent_dies() -> None:
    """Asks the kernel (Linux) to send SIGINT, a fast shutdown, to the server when the supervisor dies."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGINT)


def main() -> None:
    if os.fork():
        os._exit(0)  # the child continues, so that the starter need not reap the supervisor
    config = json.loads(sys.argv[1])
    last: list[socket.socket] = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = None
    try:
        server = PostgresProcess(config)
        try:
            server.create()
            server.do_start()
            listener = socket.socket(socket.AF_UNIX)
            control = str(server.sockets / "control")
            listener.bind(control)
            listener.listen(64)
        except (RuntimeError, OSError) as error:
            sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
            return
        sys.stdout.write(json.dumps({"control": control}) + "\n")
        sys.stdout.flush()
        with listener:
            serve(server, listener, last)
    finally:
        if server is not None:
            server.remove()
        for folder in config["remove"]:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
