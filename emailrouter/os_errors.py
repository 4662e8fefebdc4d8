"""Describes errors of the operating system in words: what failed, where, and what to do. The one place that does."""

from __future__ import annotations

import errno
import os
import pwd
import re
import socket
from pathlib import Path

from config.schema import Config
from config.values import Address
from router.errors import Unavailable

# The text that asyncio and uvloop give to a failed bind: "... bind on address ('127.0.0.1', 2525): address in use".
_BIND = re.compile(r"bind on address \('(?P<host>[^']*)', (?P<port>\d+)")
_DISK_FULL = "free space, for example old backups and logs (df -h shows the disks)"
_SQLITE_UNREADABLE = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_IOERR", "SQLITE_FULL")


def describe_os_error(error: OSError, config: Config | None = None) -> str:
    """Returns one line. `config` tells which setting has an address that cannot be used."""
    bind = _BIND.search(str(error))
    if bind is not None:
        return _describe_bind(error.errno, Address(bind["host"], int(bind["port"])), config)
    if isinstance(error, socket.gaierror):
        return f"a host name does not resolve ({error.strerror}): correct the name, or check the DNS of this host"
    if error.filename is not None:
        return _describe_file(error.errno, Path(os.fsdecode(error.filename)), _reason(error))
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"no space is left on the disk of the output: {_DISK_FULL}"
        case errno.EMFILE | errno.ENFILE:
            return "too many files are open: raise the limit (ulimit -n, or LimitNOFILE of the systemd unit)"
        case errno.ECONNREFUSED:
            return f"{_reason(error)}: no program listens there; start it, or correct the address"
        case _:
            return _reason(error)


def describe_unavailable(error: Unavailable, config: Config | None = None) -> str:
    """Returns one line about the database, or the text of the error if that says what to do."""
    name = getattr(error.__cause__, "sqlite_errorname", "")
    path = None if config is None else config.database.url.path
    if path is not None:
        if name.startswith(_SQLITE_UNREADABLE) and (problem := _find_file_problem(path, name)) is not None:
            return describe_os_error(problem)
        if name.startswith("SQLITE_BUSY"):
            return f"{path} is locked by another process (database.busy_timeout): find it with lsof {path}"
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            return f"{path} is damaged or not a database of this program: correct database.url, or restore a backup"
    match error.__cause__:
        case ConnectionRefusedError():
            return f"{error}: start the server (systemctl start postgresql), or correct host and port in database.url"
        case socket.gaierror():
            return f"{error}: correct the host in database.url, or check the DNS of this host"
        case FileNotFoundError():
            return f"{error}: start the server, or correct the socket directory in database.url"
        case TimeoutError():
            return f"{error}: check the host and port in database.url, and the firewall between the hosts"
        case _:
            return str(error)


def _describe_bind(code: int | None, address: Address, config: Config | None) -> str:
    setting = _find_setting(address, config)
    text = f"cannot listen on {address}{f' ([{setting}] listen)' if setting else ''}"
    where = f"[{setting}] listen" if setting else "the configuration"
    match code:
        case errno.EADDRINUSE:
            fix = f"another program uses this address; find it with: ss -ltnp 'sport = :{address.port}'"
            return f"{text}: {fix}, and stop it, or set another address in {where}"
        case errno.EACCES | errno.EPERM:
            fix = f'set {where} = "systemd" and use the socket unit, or a port above 1023'
            return f"{text}: ports below 1024 need root; {fix}"
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return f"{text}: this host does not have this address (ip address lists them); correct {where}"
        case _:
            return f"{text}: {os.strerror(code or 0)}"


def _find_setting(address: Address, config: Config | None) -> str:
    """Returns the section whose `listen` has the address, or "" if none has."""
    if config is None:
        return ""
    smtp = () if config.smtp.listen == "systemd" else config.smtp.listen
    known = {"smtp": smtp, "api": (config.api.listen,), "metrics": (config.metrics.listen,)}
    return next((section for section, addresses in known.items() if address in addresses), "")


def _describe_file(code: int | None, path: Path, reason: str) -> str:
    match code:
        case errno.ENOENT if not path.parent.exists():
            return f"the directory {path.parent} does not exist: create it, or correct the path"
        case errno.ENOENT:
            return f"{path} does not exist: correct the path, or create the file"
        case errno.EACCES | errno.EPERM:
            return (
                f"{path}: permission denied for the user {_user_name()}: run the command as {_owner(path)}, or change "
                "the owner or the permissions"
            )
        case errno.EISDIR:
            return f"{path} is a directory: name a file"
        case errno.ENOTDIR:
            return f"{path}: a part of this path is not a directory: correct the path"
        case errno.ENOSPC | errno.EDQUOT:
            return f"no space is left on the disk of {path}: {_DISK_FULL}"
        case errno.EROFS:
            return f"{path} is on a read-only file system: mount it read-write, or use another directory"
        case _:
            return f"{path}: {reason}"


def _find_file_problem(path: Path, sqlite_name: str) -> OSError | None:
    """Returns why SQLite cannot use the file, or None if that is unknown. SQLite itself does not tell."""
    real = path.resolve()  # SQLite writes its journal next to the resolved path
    folder = real.parent
    if not folder.is_dir():
        return OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(real))
    stats = os.statvfs(folder)
    if sqlite_name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        is_full = sqlite_name.startswith("SQLITE_FULL") or stats.f_bavail == 0
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(real)) if is_full else None
    if stats.f_flag & os.ST_RDONLY:
        return OSError(errno.EROFS, os.strerror(errno.EROFS), str(real))
    for file, mode in ((folder, os.W_OK | os.X_OK), (real, os.R_OK | os.W_OK)):
        if file.exists() and not os.access(file, mode, effective_ids=True):
            return OSError(errno.EACCES, os.strerror(errno.EACCES), str(file))
    if real.is_dir():
        return OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(real))
    return None


def _reason(error: OSError) -> str:
    return " ".join((error.strerror or str(error)).split())


def _user_name() -> str:
    return _name_of(os.geteuid())


def _owner(path: Path) -> str:
    """Returns the owner of a file, or of the nearest directory that may be examined."""
    for candidate in (path, *path.absolute().parents):
        try:
            return _name_of(candidate.stat().st_uid)
        except OSError:
            continue
    return "root"


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
