"""Notifications to systemd."""

import asyncio
from pathlib import Path

import pytest

from emailrouter.watchdog import SystemdNotifier, send_heartbeats
from tests.support.installation import migrated_installation
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.system.systemd.service_manager import ServiceManager


async def test_ready_heartbeats_reload_and_stopping_are_notified(tmp_path: Path, slack: SlackStandIn) -> None:
    async with migrated_installation(tmp_path, slack) as installation, ServiceManager(tmp_path) as manager:
        env = {**installation.settings, "NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "40000"}
        async with Program("serve", env=env, cwd=tmp_path) as program:
            await manager.wait_for_line("READY=1")
            await manager.wait_for_line("WATCHDOG=1", 3)
            program.send_sighup()
            await manager.wait_for_line("READY=1", 2)
            await program.terminate()
            await manager.wait_for_line("STOPPING=1")
        assert list(manager.received_lines()) == ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]
        assert any(line.startswith("MONOTONIC_USEC=") for line in manager.lines)


async def test_watchdog_of_another_process_gets_no_heartbeats(tmp_path: Path, slack: SlackStandIn) -> None:
    async with migrated_installation(tmp_path, slack) as installation, ServiceManager(tmp_path) as manager:
        env = {**installation.settings, "NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "40000", "WATCHDOG_PID": "1"}
        async with Program("serve", env=env, cwd=tmp_path) as program:
            await manager.wait_for_line("READY=1")
            await program.terminate()
            await manager.wait_for_line("STOPPING=1")
        assert "WATCHDOG=1" not in manager.lines


async def test_waiting_for_the_database_sets_the_status_and_survives_sighup(tmp_path: Path) -> None:
    async with ServiceManager(tmp_path) as manager:
        env = {
            "NOTIFY_SOCKET": manager.path,
            "database.url": f"postgresql://nobody@localhost/none?host={tmp_path}",  # the directory has no server socket
            "database.connect_timeout": "1s",
            "server.data_dir": str(tmp_path),
        }
        async with Program("smtp", env=env, cwd=tmp_path) as program:
            await manager.wait_for_line("STATUS=waiting: the database is unavailable")
            program.send_sighup()
            await program.wait_event("database.unavailable", 2)
            assert await program.terminate() == 0
        assert list(manager.received_lines()) == []


async def test_heartbeats_stop_with_a_background_task(tmp_path: Path) -> None:
    async with ServiceManager(tmp_path) as manager:
        ended = ""
        notifier = SystemdNotifier({"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "2000"})
        heartbeats = asyncio.create_task(send_heartbeats(notifier, lambda: ended))
        await manager.wait_for_line("WATCHDOG=1", 3)
        ended = "dispatcher"
        await heartbeats


@pytest.mark.parametrize("microseconds", ["", "0", "soon", "-1"])
async def test_no_heartbeats_without_watchdog(microseconds: str, tmp_path: Path) -> None:
    async with ServiceManager(tmp_path) as manager:
        await send_heartbeats(
            SystemdNotifier({"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": microseconds}), lambda: ""
        )
        SystemdNotifier({"NOTIFY_SOCKET": manager.path}).notify_ready()
        await manager.wait_for_line("READY=1")
        assert "WATCHDOG=1" not in manager.lines


def test_missing_or_closed_notify_socket_is_ignored(tmp_path: Path) -> None:
    SystemdNotifier({}).notify_ready()
    SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).notify_ready()
