"""Starts the rspamd of Debian on loopback, with a configuration of its own and without network.

Its DNS server is a closed port and its fuzzy storage is off, so it contacts no other host.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "correct horse"
_START_SECONDS = 90  # compiling the rules takes about 15 s
_USER = "_rspamd"  # of Debian's package; rspamd does not run as root

_CONFIGURATION = """\
.include "$CONFDIR/common.conf"
options {{
  pidfile = "$RUNDIR/rspamd.pid";
  .include "$CONFDIR/options.inc"
  dns {{ nameserver = ["127.0.0.1:{closed}"]; timeout = 0.2s; retransmits = 1; }}
}}
logging {{ type = "console"; level = "notice"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{scanner}"; count = 1; .include "$CONFDIR/worker-normal.inc" }}
worker "controller" {{ bind_socket = "127.0.0.1:{controller}"; count = 1; password = "{password}"; }}
"""
# Logs what rspamd understood of the header fields of a request.
_RULES = """\
local logger = require "rspamd_logger"
local ucl = require "ucl"

rspamd_config:register_symbol({
  name = "SESSION_FACTS",
  type = "postfilter",
  callback = function(task)
    local function header(name)
      local value = task:get_request_header(name)
      return value and tostring(value) or ""
    end
    local from = task:get_from("smtp") or {}
    local recipients = {}
    for _, recipient in ipairs(task:get_recipients("smtp") or {}) do
      table.insert(recipients, recipient.addr)
    end
    logger.messagex(task, "facts %1", ucl.to_format({
      ip = tostring(task:get_from_ip()),
      helo = task:get_helo(),
      hostname = task:get_hostname(),
      from = (from[1] or {}).addr,
      recipients = recipients,
      id = task:get_queue_id(),
      mta = header("MTA-Name"),
      tls = header("TLS-Version") .. " " .. header("TLS-Cipher"),
    }, "json-compact"))
  end,
})
"""


@dataclass(frozen=True)
class RealRspamd:
    """A running rspamd. `scanner` and `controller` are the URLs of its workers; the latter requires `PASSWORD`."""

    scanner: str
    controller: str
    log: Path


@contextmanager
def real_rspamd() -> Iterator[RealRspamd]:
    executable = shutil.which("rspamd")
    if executable is None:
        raise RuntimeError("rspamd is not installed: apt-get install --no-install-recommends rspamd")
    with tempfile.TemporaryDirectory(prefix="rspamd-") as name:
        folder = Path(name)
        closed, scanner, controller = _free_ports(3)
        _write_configuration(folder, closed=closed, scanner=scanner, controller=controller)
        command = [executable, "--no-fork", "--config", str(folder / "rspamd.conf")]
        if os.geteuid() == 0:
            command += ["--user", _USER, "--group", _USER]
            subprocess.run(["chown", "-R", f"{_USER}:{_USER}", name], check=True)
        paths = {"LOCAL_CONFDIR": "conf", "DBDIR": "db", "RUNDIR": "run", "LOGDIR": "log"}
        command += [f"--var={variable}={folder / path}" for variable, path in paths.items()]
        log = folder / "output"
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            found = RealRspamd(f"http://127.0.0.1:{scanner}", f"http://127.0.0.1:{controller}", log)
            for url in (found.scanner, found.controller):
                _wait_until_ready(url, process, log)
            yield found
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                process.kill()


def _write_configuration(folder: Path, *, closed: int, scanner: int, controller: int) -> None:
    for path in ("conf/override.d", "db", "run", "log"):
        (folder / path).mkdir(parents=True)
    text = _CONFIGURATION.format(closed=closed, scanner=scanner, controller=controller, password=PASSWORD)
    (folder / "rspamd.conf").write_text(text)
    (folder / "conf" / "rspamd.local.lua").write_text(_RULES)
    (folder / "conf" / "override.d" / "fuzzy_check.conf").write_text("enabled = false;\n")


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/ping", timeout=1) as response:
                if response.read().startswith(b"pong"):
                    return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"rspamd did not start:\n{log.read_text(errors='replace')[-4000:]}")


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
