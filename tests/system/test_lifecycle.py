"""A failed start or a failed background task stops everything that was started.

Configuration errors end the program with exit code 2.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from config.load import load
from config.schema import Config
from emailrouter import assembly, lifecycle
from emailrouter.assembly import ROLES, Process
from tests.support.process import Program


def configuration(folder: Path, **more: str) -> Config:
    empty = folder / "empty.toml"
    empty.touch()
    settings = {
        "DATABASE__URL": f"sqlite:///{folder / 'emailrouter.db'}",
        "SMTP__LISTEN": '["127.0.0.1:0"]',
        "API__LISTEN": "127.0.0.1:0",
        "METRICS__LISTEN": "127.0.0.1:0",
        **more,
    }
    return load(empty, {f"EMAILROUTER_{name}": value for name, value in settings.items()})


@pytest.fixture
def built_processes(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    processes: list[Process] = []
    build = assembly.build

    def record_build(*args: object, **options: object) -> Process:
        processes.append(build(*args, **options))  # type: ignore[arg-type]  # the arguments of the lifecycle
        return processes[-1]

    monkeypatch.setattr(assembly, "build", record_build)
    return processes


async def test_failed_start_stops_what_was_started(tmp_path: Path, built_processes: list[Process]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = configuration(tmp_path, SMTP__LISTEN=f'["127.0.0.1:{port}"]')
        opened = await lifecycle.open_database(config, apply_migrations=True)
        with pytest.raises(OSError, match="address already in use"):
            async with lifecycle.run_roles(config, frozenset(ROLES), opened):
                raise AssertionError("it cannot start")
    (process,) = built_processes
    assert process.api is not None
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*process.api.address)
    assert process.metrics is not None
    assert process.metrics.address is None
    assert all(task.done() for task in process.background_tasks)
    assert asyncio.all_tasks() == {asyncio.current_task()}


class FailingTask:
    """A background task that fails on demand."""

    def __init__(self) -> None:
        self.fail = asyncio.Event()

    async def run(self) -> None:
        await self.fail.wait()
        raise RuntimeError("an internal error")


def replace_maintenance(
    monkeypatch: pytest.MonkeyPatch, drain: Callable[[FailingTask], Awaitable[None]]
) -> FailingTask:
    """Replaces the maintenance task of each process built later with the returned task.

    `drain` is called with that task after the SMTP server is drained.
    """
    task, build = FailingTask(), assembly.build

    def build_with_failing_task(*args: object, **options: object) -> Process:
        process = build(*args, **options)  # type: ignore[arg-type]  # the arguments of the lifecycle
        process.maintenance = task  # type: ignore[assignment]  # only its `run` is used

        assert process.smtp is not None
        drain_server = process.smtp.drain

        async def drain_both(grace: timedelta) -> None:
            await drain_server(grace)
            await drain(task)

        monkeypatch.setattr(process.smtp, "drain", drain_both)
        return process

    monkeypatch.setattr(assembly, "build", build_with_failing_task)
    return task


async def test_failed_background_task_shuts_down_gracefully(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drained = asyncio.Event()

    async def drain(_: FailingTask) -> None:
        with pytest.raises(TimeoutError):  # asyncio.timeout still works during the shutdown
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        drained.set()

    failing = replace_maintenance(monkeypatch, drain)
    config = configuration(tmp_path)
    opened = await lifecycle.open_database(config, apply_migrations=True)
    failing.fail.set()
    with pytest.raises(lifecycle.BackgroundTaskEnded) as raised:
        async with lifecycle.run_roles(config, frozenset(ROLES), opened):
            await asyncio.Event().wait()
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert drained.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_task_failing_during_shutdown_does_not_shorten_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drained = asyncio.Event()
    process: Process | None = None

    async def drain(task: FailingTask) -> None:
        task.fail.set()
        assert process is not None
        await asyncio.wait([task for task in process.background_tasks if task.get_name() == "maintenance"])
        await asyncio.sleep(0)  # lets the done callback of the maintenance task run
        drained.set()

    replace_maintenance(monkeypatch, drain)
    config = configuration(tmp_path)
    opened = await lifecycle.open_database(config, apply_migrations=True)
    with pytest.raises(lifecycle.BackgroundTaskEnded):
        async with lifecycle.run_roles(config, frozenset(ROLES), opened) as found:
            process = found
    assert drained.is_set()


async def test_missing_certificate_is_a_configuration_error(tmp_path: Path) -> None:
    env = {
        "smtp.listen": ["127.0.0.1:0"],
        "api.listen": "127.0.0.1:0",
        "smtp.tls_cert": str(tmp_path / "none.pem"),
        "smtp.tls_key": str(tmp_path / "none.pem"),
    }
    async with Program("serve", env=env, cwd=tmp_path) as program:
        assert await program.wait() == 2
    assert f"smtp.tls_cert = {tmp_path / 'none.pem'}: cannot be read" in program.stderr_text


async def test_too_few_file_descriptors_are_a_configuration_error(tmp_path: Path) -> None:
    env = {"smtp.listen": ["127.0.0.1:0"], "api.listen": "127.0.0.1:0", "smtp.max_connections": 2**40}
    async with Program("serve", env=env, cwd=tmp_path) as program:
        assert await program.wait() == 2
    assert f"smtp.max_connections {2**40}" in program.stderr_text
