"""Mounts a file system of limited size on a folder, for one process and its children.

`python small_disk.py FOLDER BYTES UID GID -- COMMAND ...` mounts the file system and executes the command. The kernel
removes the file system when the last of these processes ends. Mounting needs root or permission to create a user
namespace. The script imports only the standard library.
"""

import ctypes
import os
import sys
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000


def mount(folder: Path, nbytes: int, owner: tuple[int, int] | None = None) -> None:
    """Mounts an empty file system on `folder`, visible only to this process and its children.

    owner: uid and gid of the mounted folder; by default those of this process. Raises OSError if the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()

    def check(result: int) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    check(libc.unshare(_CLONE_NEWNS | (_CLONE_NEWUSER if uid else 0)))
    if uid:
        for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            Path(f"/proc/self/{name}").write_text(line)
    check(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    owner_uid, owner_gid = owner or (uid, gid)
    options = f"size={nbytes},uid={owner_uid},gid={owner_gid},mode=700"
    check(libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, options.encode()))


def main() -> None:
    folder, nbytes, uid, gid, _, *command = sys.argv[1:]
    mount(Path(folder), int(nbytes), (int(uid), int(gid)))
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
