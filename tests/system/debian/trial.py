"""Tests of the systemd units in a running `Machine`. Failures raise `Failed`."""

import json
from concurrent.futures import ThreadPoolExecutor

from tests.system.debian import surroundings
from tests.system.debian.machine import Failed, Machine

ONE = "emailrouter.service"
ROLES = ("emailrouter-smtp.service", "emailrouter-api.service", "emailrouter-deliver.service")
CONFIGURATION = "/etc/emailrouter/emailrouter.toml"

# Four threads send mail and one requests /readyz, for as many seconds as the argument says. A connection without a 220
# greeting counts as `refused`, a later failure as `deferred`.
SENDERS = """
import json, smtplib, sys, threading, time, urllib.request
from email.utils import formatdate, make_msgid
end, lock = time.monotonic() + float(sys.argv[1]), threading.Lock()
counts = {"accepted": 0, "refused": [], "deferred": [], "answered": 0, "unanswered": []}
def record_error(what, error):
    with lock:
        counts[what].append(repr(error))
def send():
    while time.monotonic() < end:
        mail = f"From: a@b.example\\r\\nTo: support@help.example.com\\r\\nSubject: Load\\r\\n"
        mail += f"Message-ID: {make_msgid(domain='b.example')}\\r\\nDate: {formatdate()}\\r\\n\\r\\nx\\r\\n"
        try:
            client = smtplib.SMTP("127.0.0.1", 25, timeout=90, local_hostname="b.example")
        except (OSError, smtplib.SMTPException) as error:
            record_error("refused", error)
            time.sleep(0.1)
            continue
        try:
            client.sendmail("a@b.example", ["support@help.example.com"], mail)
            with lock:
                counts["accepted"] += 1
        except (OSError, smtplib.SMTPException) as error:
            record_error("deferred", error)
        finally:
            client.close()
        time.sleep(0.1)
def request():
    while time.monotonic() < end:
        try:
            urllib.request.urlopen("http://127.0.0.1:8080/readyz", timeout=90).read()
            with lock:
                counts["answered"] += 1
        except OSError as error:
            record_error("unanswered", error)
        time.sleep(0.05)
senders = [threading.Thread(target=one) for one in (send, send, send, send, request)]
for sender in senders: sender.start()
for sender in senders: sender.join()
print(json.dumps(counts))
"""
# Sends a message that is parsed in a parser process, because it is large and contains HTML.
_LARGE = """
import smtplib
from email.message import EmailMessage
mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "a@b.example", "support@help.example.com", "Large"
mail.set_content("Hello")
mail.add_alternative("<p>Hello</p>", subtype="html")
mail.add_attachment(b"x" * 2_000_000, maintype="application", subtype="pdf", filename="a.pdf")
with smtplib.SMTP("127.0.0.1", 25, timeout=90) as client:
    client.starttls()
    client.send_message(mail)
"""


def test_restarts(machine: Machine, *units: str) -> str:
    """Restarts each unit in turn while mail and requests arrive, and then reloads each."""
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send, machine, 4 + 2 * len(units))
        machine.run("sleep 1")
        for unit in units:
            machine.run(f"systemctl restart {unit} && sleep 1")
        counts = sending.result()
    if counts["refused"] or counts["unanswered"] or not counts["accepted"] or not counts["answered"]:
        raise Failed(f"while {units} were restarted: {counts}")
    for unit in units:
        machine.run(f"systemctl reload {unit}")
    # A restart ends idle sessions with 421, and real senders retry.
    deferred = len(counts["deferred"])
    return f"{counts['accepted']} messages and {counts['answered']} requests accepted, {deferred} deferred"


def test_socket_activation(machine: Machine) -> str:
    """The socket stays open while the service is stopped, and the first connection starts the service."""
    machine.run(f"systemctl stop {ONE}")
    _expect(machine, f"systemctl is-active {ONE}", "inactive")
    counts = send(machine, 1)
    _expect(machine, f"systemctl is-active {ONE}", "active")
    if counts["refused"] or not counts["accepted"]:
        raise Failed(f"after socket activation: {counts}")
    return "the first client waited and was served"


def test_watchdog(machine: Machine, unit: str) -> str:
    """The watchdog kills and restarts a process that SIGSTOP paused."""
    before = _main_process(machine, unit)
    machine.run(f"kill -STOP {before}")
    machine.until(lambda: _main_process(machine, unit) not in (before, "0"), "the watchdog", 90)
    machine.until(lambda: _output(machine, f"systemctl is-active {unit}") == "active", "the start after the watchdog")
    if "Watchdog timeout" not in machine.run(f"journalctl --unit {unit} --output cat")[1]:
        raise Failed("the process ended, but not by the watchdog")
    return "killed and restarted"


def test_invalid_configuration(machine: Machine, unit: str, socket: str) -> str:
    """The service exits with code 2, and further connections make the socket fail.

    Both start again after the setting is corrected.
    """
    machine.run(f"sed -i 's/^listen = .*/&\\nmax_recipient = 5/' {CONFIGURATION}; systemctl restart {unit} || true")
    _expect(machine, f"systemctl show --property ExecMainStatus --value {unit}", "2")
    if "smtp.max_recipient is not a setting" not in machine.run(f"journalctl --unit {unit} --output cat")[1]:
        raise Failed("the log does not name the key")
    connect = "exec 3<>/dev/tcp/127.0.0.1/25 && timeout 2 cat <&3"
    for _ in range(60):
        machine.run(connect, check=False)
        if _output(machine, f"systemctl is-failed {socket}") == "failed":
            break
    _expect(machine, f"systemctl is-failed {socket}", "failed")
    machine.run(
        f"""sed -i /max_recipient/d {CONFIGURATION}
        systemctl reset-failed 'emailrouter*'
        systemctl start {socket} {unit}"""
    )
    _expect(machine, f"systemctl is-active {unit}", "active")
    return "exit code 2 and closed socket; serves after the correction"


def test_system_calls(machine: Machine, *units: str) -> str:
    """The program works while a system call that the unit denies would kill it."""
    for unit in units:
        machine.put(f"/etc/systemd/system/{unit}.d/kill.conf", "[Service]\nSystemCallErrorNumber=\n")
    machine.run(f"systemctl daemon-reload; systemctl restart {' '.join(units)}")
    post_count = len(surroundings.posts(machine))
    machine.put("/usr/local/lib/surroundings/large.py", _LARGE)
    machine.run(f"{surroundings.PYTHON} /usr/local/lib/surroundings/large.py")
    machine.until(
        lambda: any("Large" in json.dumps(p) for p in surroundings.posts(machine)[post_count:]),
        "its post",
    )
    test_restarts(machine, *units)
    for unit in units:
        machine.run(f"rm -r /etc/systemd/system/{unit}.d")
    machine.run(f"systemctl daemon-reload; systemctl restart {' '.join(units)}")
    log = machine.run("journalctl --unit 'emailrouter*' --output cat")[1]
    if "SYS" in log or "parsing.worker_crashed" in log or "did not start" in log:
        raise Failed("a system call was denied: see the journal")
    return "no denied system call"


def test_exclusive_units(machine: Machine) -> str:
    """Switches from the role units to the single service and back."""
    machine.run(f"systemctl start {ONE}")
    _expect(machine, f"systemctl is-active {ONE} {ROLES[0]} emailrouter-smtp.socket", "active\ninactive\ninactive")
    machine.run("systemctl start emailrouter.target")
    machine.until(lambda: _output(machine, f"systemctl is-active {ROLES[0]} {ROLES[1]}") == "active\nactive", "roles")
    _expect(machine, f"systemctl is-active {ONE} emailrouter.socket", "inactive\ninactive")
    return "starting one stops the other first"


def test_empty_database(machine: Machine) -> str:
    """Runs `migrate` and `init` as in docs/postgresql.md. `init` succeeds only once."""
    commands = """runuser -u postgres -- createdb --owner emailrouter emailrouter_new
        export EMAILROUTER_DATABASE__URL='postgresql://emailrouter@/emailrouter_new?host=/run/postgresql'
        emailrouter migrate
        emailrouter init
        if emailrouter init; then exit 1; fi"""
    if "er_" not in machine.run(commands)[1]:
        raise Failed("init prints no key")
    return "migrate succeeds, init only once"


def test_credential_store(machine: Machine) -> str:
    """The units, and commands that root runs, read the secret key from /etc/credstore."""
    machine.run(
        """mkdir -p -m 700 /etc/credstore
        install -m 600 /var/lib/emailrouter/secret_key /etc/credstore/emailrouter.server.secret_key
        rm /var/lib/emailrouter/secret_key
        systemctl restart emailrouter.target
        emailrouter integration test support"""
    )
    machine.until(lambda: _output(machine, f"systemctl is-active {ROLES[1]} {ROLES[2]}") == "active\nactive", "roles")
    return "the units and the command read the key"


def send(machine: Machine, seconds: float) -> dict[str, list[str]]:
    machine.put("/usr/local/lib/surroundings/senders.py", SENDERS)
    counts: dict[str, list[str]] = json.loads(
        machine.run(f"{surroundings.PYTHON} /usr/local/lib/surroundings/senders.py {seconds}")[1].splitlines()[-1]
    )
    return counts


def _main_process(machine: Machine, unit: str) -> str:
    return _output(machine, f"systemctl show --property MainPID --value {unit}")


def _output(machine: Machine, script: str) -> str:
    return machine.run(script, check=False)[1].strip()


def _expect(machine: Machine, script: str, expected: str) -> None:
    if (output := _output(machine, script)) != expected:
        raise Failed(
            f"{script}: {output!r} instead of {expected!r}\n{_output(machine, 'journalctl -n 40 --no-pager -o cat')}"
        )
