"""The units are valid, with a strict sandbox and the right dependencies."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from config.schema import SETTINGS, Config
from emailrouter import descriptors
from emailrouter.assembly import ROLES, SQLITE_READERS
from router.contents import pool, store
from router.contents import worker as contents_worker
from router.sockets import API_SOCKET_NAME

FOLDER = Path(__file__).parents[3] / "systemd"
UNITS = sorted(path for path in FOLDER.iterdir() if path.suffix in (".service", ".socket", ".target"))
SERVICES = [path for path in UNITS if path.suffix == ".service"]
PROGRAM = "/usr/local/bin/emailrouter"

needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd")


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    sections: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in (FOLDER / name).read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            sections.setdefault(section, {}).setdefault(key, []).append(value)
    return sections


def unit_values(name: str, key: str) -> set[str]:
    return {word for value in unit(name)["Unit"].get(key, []) for word in value.split()}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@needs_analyze
def test_systemd_accepts_every_line(tmp_path: Path) -> None:
    """systemd-analyze reports an unknown key only on stderr. The program must exist, so /bin/true replaces it."""
    for path in UNITS:
        (tmp_path / path.name).write_text(path.read_text().replace(PROGRAM, "/bin/true"))
    verified = run("systemd-analyze", "verify", "--man=no", *(tmp_path / path.name for path in UNITS))
    assert (verified.returncode, verified.stderr) == (0, "")


@needs_analyze
def test_unknown_key_is_detected(tmp_path: Path) -> None:
    """Proves that `test_systemd_accepts_every_line` can fail."""
    text = (FOLDER / "emailrouter-api.service").read_text().replace(PROGRAM, "/bin/true")
    (tmp_path / "wrong.service").write_text(text.replace("UMask=", "UMusk="))
    assert "UMusk" in run("systemd-analyze", "verify", "--man=no", tmp_path / "wrong.service").stderr


@needs_analyze
@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_exposure_level_is_low(path: Path) -> None:
    analysis = run("systemd-analyze", "security", "--offline=true", "--no-pager", path)
    found = re.search(r"Overall exposure level for .*: ([\d.]+)", analysis.stdout)
    assert found, analysis.stderr
    assert float(found[1]) < 2.0, analysis.stdout


def test_all_services_have_the_same_sandbox() -> None:
    sandboxes = {path.read_text().partition("# Sandbox.")[2].partition("[Install]")[0] for path in SERVICES}
    assert len(sandboxes) == 1
    assert "" not in sandboxes


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_service_has_watchdog_and_restarts(path: Path) -> None:
    service = unit(path.name)["Service"]
    assert service["Type"] == ["notify"]
    assert service["User"] == ["emailrouter"]
    assert service["StateDirectory"] == ["emailrouter"]
    assert "WatchdogSec" in service
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    known = {setting.name for setting in SETTINGS}
    loaded = {line.partition(":")[0] for line in service["LoadCredential"]}
    assert loaded <= known, "a credential's name is the key that it provides"
    assert {setting.name for setting in SETTINGS if setting.secret} == loaded
    variables = {setting.variable for setting in SETTINGS}
    assert {line.partition("=")[0] for line in service.get("Environment", [])} <= variables


def test_one_process_and_three_roles_conflict() -> None:
    roles = {"emailrouter-smtp.service", "emailrouter-api.service", "emailrouter-deliver.service"}
    assert unit_values("emailrouter.service", "Conflicts") >= roles
    for role in (*roles, "emailrouter-smtp@.service", "emailrouter.target"):
        assert "emailrouter.service" in unit_values(role, "Conflicts"), role
    assert "emailrouter-smtp.socket" in unit_values("emailrouter.socket", "Conflicts")
    assert "emailrouter.socket" in unit_values("emailrouter-smtp.socket", "Conflicts")
    assert unit_values("emailrouter.target", "Wants") == {*roles, "emailrouter-smtp.socket", "emailrouter-api.socket"}


def test_starting_unit_waits_for_free_ports() -> None:
    """systemd waits for the stop of a conflicting unit only if the units are ordered."""
    for one, role in (
        ("emailrouter.socket", "emailrouter-smtp.socket"),
        ("emailrouter-http.socket", "emailrouter-api.socket"),
    ):
        assert role in unit_values(one, "After") & unit_values(one, "Conflicts")
        assert one in unit_values(role, "Conflicts")
    roles = {"emailrouter-smtp.service", "emailrouter-api.service", "emailrouter-deliver.service"}
    assert unit_values("emailrouter.service", "After") >= roles


@pytest.mark.parametrize("name", [path.name for path in UNITS if path.suffix == ".socket"])
def test_restarts_by_connections_are_limited(name: str) -> None:
    """A start takes more than 0.1 s, so systemd's default limit of 20 activations in 2 s would never apply."""
    socket = unit(name)["Socket"]
    assert int(socket["TriggerLimitIntervalSec"][0]) / int(socket["TriggerLimitBurst"][0]) > 1


@pytest.mark.parametrize(
    ("service", "sockets"),
    [
        ("emailrouter.service", {"emailrouter.socket": "SMTP", "emailrouter-http.socket": "API"}),
        ("emailrouter-smtp.service", {"emailrouter-smtp.socket": "SMTP"}),
        ("emailrouter-smtp@.service", {"emailrouter-smtp.socket": "SMTP"}),
        ("emailrouter-api.service", {"emailrouter-api.socket": "API"}),
    ],
)
def test_services_use_the_sockets_of_systemd(service: str, sockets: dict[str, str]) -> None:
    assert set(unit(service)["Service"]["Sockets"][0].split()) == set(sockets)
    listens = {f"EMAILROUTER_{role}__LISTEN=systemd" for role in sockets.values()}
    assert set(unit(service)["Service"]["Environment"]) == listens
    assert set(sockets) <= unit_values(service, "Requires") & unit_values(service, "After")
    for name, role in sockets.items():
        socket = unit(name)["Socket"]
        if role == "API":
            assert socket["ListenStream"] == ["127.0.0.1:8080"]
            assert socket["FileDescriptorName"] == [API_SOCKET_NAME]
        else:
            assert socket["ListenStream"] == ["0.0.0.0:25", "[::]:25"]
            assert socket["BindIPv6Only"] == ["ipv6-only"], "otherwise the second address cannot be bound"


def test_socket_starts_its_service() -> None:
    assert unit("emailrouter-http.socket")["Socket"]["Service"] == ["emailrouter.service"]
    named = {path.stem for path in UNITS if path.suffix == ".socket" and "Service" not in unit(path.name)["Socket"]}
    assert named <= {path.stem for path in SERVICES}


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="this machine has no systemd-sysusers")
def test_user_is_created(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    made = run("systemd-sysusers", f"--root={tmp_path}", FOLDER / "sysusers.d" / "emailrouter.conf")
    assert made.returncode == 0, made.stderr
    line = next(line for line in (tmp_path / "etc/passwd").read_text().splitlines() if line.startswith("emailrouter:"))
    assert line.split(":")[5:] == ["/var/lib/emailrouter", "/usr/sbin/nologin"]


@pytest.mark.skipif(shutil.which("systemd-tmpfiles") is None, reason="this machine has no systemd-tmpfiles")
def test_directories_are_created(tmp_path: Path) -> None:
    """The test removes the owners from the file, because an unprivileged user cannot set them."""
    text = (FOLDER / "tmpfiles.d" / "emailrouter.conf").read_text()
    (tmp_path / "own.conf").write_text(re.sub(r"(0\d{3}) +\w+ +emailrouter", r"\1 - -", text))
    root = tmp_path / "root"
    root.mkdir()
    made = run("systemd-tmpfiles", "--create", f"--root={root}", tmp_path / "own.conf")
    assert made.returncode == 0, made.stderr
    modes = {name: (root / name).stat().st_mode & 0o777 for name in ("etc/emailrouter", "var/lib/emailrouter")}
    assert modes == {"etc/emailrouter": 0o750, "var/lib/emailrouter": 0o750}


MIB = 1024 * 1024
_CONNECTION = 100 * 1024  # bytes for the buffers and TLS state of one connection
_PROGRAM = 150 * MIB
_SIZES = {"M": MIB, "G": 1024 * MIB}


def size_in_bytes(text: str) -> int:
    return int(text[:-1]) * _SIZES[text[-1]]


def needed_memory(name: str) -> int:
    """Estimates the bytes that a unit needs when its roles reach all limits of the program."""
    smtp = Config().smtp
    receives = 2 * smtp.max_bytes_in_flight + smtp.max_connections * _CONNECTION
    worker = contents_worker.BASE_MEMORY_BYTES + contents_worker.MEMORY_PER_MESSAGE_BYTE * smtp.max_message_bytes
    reads = 2 * store.MAX_CONCURRENT_PARSES * smtp.max_message_bytes + pool.MAX_WORKERS * worker
    role = name.removeprefix("emailrouter").lstrip("-").partition(".")[0].rstrip("@")
    return _PROGRAM + {"": receives + reads, "smtp": receives, "api": reads, "deliver": reads}[role]


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_file_descriptors_are_enough_for_ten_times_the_default_limits(path: Path) -> None:
    """With too few descriptors the program does not start, and the sandbox forbids raising the hard limit."""
    (files,) = unit(path.name)["Service"]["LimitNOFILE"]
    config = Config()
    large = config.model_copy(update={"smtp": config.smtp.model_copy(update={"max_connections": 10_000})})
    assert sum(descriptors.needed_descriptors(large, frozenset(ROLES)).values()) < int(files)


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_memory_and_task_limits_exceed_the_limits_of_the_program(path: Path) -> None:
    """Lower limits would end a busy service. Much higher ones would not protect the host."""
    service = unit(path.name)["Service"]
    (memory,), (tasks,) = service["MemoryMax"], service["TasksMax"]
    assert needed_memory(path.name) < size_in_bytes(memory) < 3 * needed_memory(path.name)
    threads = 32 + SQLITE_READERS + 10  # asyncio's pool, SQLite readers, others (loop, resolver, writer, log)
    assert threads + pool.MAX_WORKERS < int(tasks) <= 4 * threads
    assert service["OOMPolicy"] == ["continue"], "a killed parser process must not end the service"
