"""Errors of the operating system: one line that says what failed, where, and what to do."""

import socket
from pathlib import Path

from tests.support.installation import program_settings
from tests.support.installation.command_line import CommandLine, initialise


async def test_serve_creates_no_login_before_it_has_started(tmp_path: Path) -> None:
    """Otherwise nobody might know the password, and `init` would refuse to create another login."""
    cli = CommandLine(
        tmp_path,
        {
            **program_settings(f"sqlite:///{tmp_path / 'a.db'}", tmp_path),
            "server.data_dir": str(tmp_path / "a.db" / "data"),
        },
    )
    (await cli("migrate")).ok()
    assert await cli.error_line("serve") == (
        f"emailrouter: {tmp_path / 'a.db' / 'data'}: a part of this path is not a directory: correct the path"
    )
    cli.env["server.data_dir"] = str(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as server:
        cli.env["api.listen"] = f"127.0.0.1:{server.getsockname()[1]}"
        assert "another program uses this address" in (await cli("serve")).stderr
    assert (await cli.json("workspace", "list"))["workspaces"] == [], "the link would have the address in use"
    assert not (tmp_path / "first-login").exists()


async def test_files_ports_and_databases(tmp_path: Path) -> None:
    cli = await initialise(tmp_path)
    (tmp_path / "raw").write_bytes(b"\xff\n")
    for args, code, text in (
        (("--config", ".", "domain", "list"), 2, ". is a directory: name a file"),
        (("user", "add", "a@b.example", "--password-file", "raw"), 2, "raw is not valid UTF-8"),
        (("apply", "nope.toml"), 1, "nope.toml does not exist: correct the path"),
        (("export", "-o", "no/file"), 1, "the directory no does not exist"),
        (("export", "-o", "/dev/full"), 1, "no space is left on the disk"),
    ):
        assert text in await cli.error_line(*args, code=code)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        cli.env["metrics.listen"] = address
        assert f"cannot listen on {address} ([metrics] listen): another program" in (await cli("serve")).stderr
    (tmp_path / "text.db").write_text("not a database, " * 100)
    cli.env["database.url"] = f"sqlite:///{tmp_path / 'text.db'}"
    assert "text.db is damaged or not a database of this program" in await cli.error_line("domain", "list")
    cli.env["database.url"] = f"sqlite:///{tmp_path / 'none' / 'a.db'}"
    assert f"the directory {tmp_path / 'none'} does not exist" in await cli.error_line("init")
