"""Configures Haraka and Postfix in a temporary folder, for comparison and for tests.

Haraka discards the accepted messages. Postfix writes them to its queue before its 250 reply and delivers none, unless
`relay_to` is given. Postfix needs root, because its processes run as other users.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

DOMAIN = "bench.test"
_MAIL_OWNER, _QUEUE_GROUP, _NOBODY = "uucp", "news", "nobody"
_MAX_MESSAGE = 52428800
_QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")

_MASTER = """\
127.0.0.1:{port} inet n - n - 500 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class PreparedServer:
    """The command and environment of a server.

    `spool` is the folder whose messages are removed after each measurement.
    """

    argv: list[str]
    env: dict[str, str]
    spool: Path | None = None


def find_haraka(named: str | None) -> Path | None:
    """Returns the program `named`, by default `haraka` from PATH; None if PATH does not contain it.

    Raises SystemExit if `named` does not exist.
    """
    found = shutil.which(named or "haraka")
    if named and not found:
        raise SystemExit(f"no such program: {named}")
    return Path(found) if found else None


def prepare_haraka(program: Path, folder: Path, port: int, processes: int, tls: tuple[Path, Path]) -> PreparedServer:
    config = folder / "config"
    config.mkdir(parents=True)
    nodes = f"nodes={processes}\n" if processes > 1 else ""
    (config / "smtp.ini").write_text(f"listen=127.0.0.1:{port}\n{nodes}")
    # The file replaces Haraka's default file completely, and some keys have no default, so it is a changed copy.
    own = (program.resolve().parent.parent / "config" / "connection.ini").read_text()
    (config / "connection.ini").write_text(re.sub(r"(?m)^bytes=.*", f"bytes={_MAX_MESSAGE}", own))
    (config / "plugins").write_text("tls\nrcpt_to.in_host_list\nqueue/discard\n")
    (config / "host_list").write_text(f"{DOMAIN}\n")
    (config / "log.ini").write_text("[main]\nlevel=warn\n")
    (config / "me").write_text(f"mx.{DOMAIN}\n")
    # Without dhparams.pem Haraka generates these parameters, which takes CPU time during the measurement.
    parameters = ["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"]
    subprocess.run([*parameters, "-out", str(config / "dhparams.pem")], check=True, capture_output=True)
    (config / "tls.ini").write_text("dhparam=dhparams.pem\n")
    shutil.copy(tls[0], config / "tls_cert.pem")
    shutil.copy(tls[1], config / "tls_key.pem")
    return PreparedServer([str(program), "-c", str(folder)], {"YES_REALLY_DO_DISCARD": "1"})


def find_postfix(named: str | None) -> Path | None:
    """Returns the root folder of Postfix; None if Postfix is missing or this process does not run as root.

    Raises SystemExit if `named` does not contain Postfix.
    """
    root = Path(named or "/")
    if not (root / "usr/lib/postfix/sbin/master").is_file():
        if named:
            raise SystemExit(f"no Postfix under {named}")
        return None
    return root if os.geteuid() == 0 else None


def prepare_postfix(
    root: Path, folder: Path, port: int, tls: tuple[Path, Path], *, relay_to: int | None = None
) -> PreparedServer:
    """Returns a Postfix that accepts mail on `port` of 127.0.0.1.

    Args:
        relay_to: The port on 127.0.0.1 to which it forwards all messages. By default they stay in the queue.
    """
    libraries = root / "usr/lib/postfix"
    etc, spool, data = (folder / name for name in ("etc", "spool", "data"))
    for path in (etc, spool, data):
        path.mkdir(parents=True)
    for path in (folder, *folder.parents):  # Postfix's processes run as other users
        if path.stat().st_uid == os.geteuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o055)
    transport = "discard:" if relay_to is None else f"smtp:[127.0.0.1]:{relay_to}"
    owner, group = pwd.getpwnam(_MAIL_OWNER).pw_uid, grp.getgrnam(_QUEUE_GROUP).gr_gid
    os.chown(data, owner, -1)
    for name in _QUEUES:
        _folder(spool / name, owner, -1, 0o700)
    _folder(spool / "maildrop", owner, group, 0o730)
    _folder(spool / "public", owner, group, 0o710)
    _folder(spool / "pid", 0, -1, 0o755)
    keys = [folder / "cert.pem", folder / "key.pem"]
    for source, target in zip(tls, keys, strict=True):
        shutil.copy(source, target)
        target.chmod(0o600)
    settings = {
        "compatibility_level": "3.6",
        "command_directory": root / "usr/sbin",
        "daemon_directory": libraries / "sbin",
        "shlib_directory": libraries,
        "data_directory": data,
        "queue_directory": spool,
        "mail_owner": _MAIL_OWNER,
        "setgid_group": _QUEUE_GROUP,
        "default_privs": _NOBODY,
        "myhostname": f"mx.{DOMAIN}",
        "mydestination": "",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "mynetworks_style": "host",
        "relay_domains": DOMAIN,
        "relay_transport": transport,
        "default_transport": transport,
        "alias_maps": "",
        "alias_database": "",
        "smtpd_data_restrictions": "check_sender_access static:HOLD" if relay_to is None else "",
        "smtpd_client_connection_count_limit": 0,
        "message_size_limit": _MAX_MESSAGE,
        "maillog_file": folder / "mail.log",
        "maillog_file_prefixes": folder,
        "import_environment": f"LD_LIBRARY_PATH={libraries} MAIL_CONFIG={etc}",
        "smtpd_tls_security_level": "may",
        "smtpd_tls_eccert_file": keys[0],
        "smtpd_tls_eckey_file": keys[1],
    }
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    (etc / "main.cf").write_text("".join(lines))
    (etc / "master.cf").write_text(_MASTER.format(port=port))
    # Ends a server that runs for too long. If the benchmark is killed, this process is killed too, but Postfix runs on:
    # children do not inherit the parent-death signal (prctl(2)).
    argv = ["timeout", "1800", str(libraries / "sbin" / "master"), "-c", str(etc), "-d"]
    return PreparedServer(argv, {"LD_LIBRARY_PATH": str(libraries), "MAIL_CONFIG": str(etc)}, spool / "hold")


def _folder(path: Path, owner: int, group: int, mode: int) -> None:
    path.mkdir()
    os.chown(path, owner, group)
    path.chmod(mode)
