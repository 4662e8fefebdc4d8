"""Child processes are measured, and none survives its `with` block."""

import os
import sys
import time
from pathlib import Path

import pytest

from bench.processes import Child, cpu_seconds, free_port, peak_bytes, process_tree
from tests.support.waiting import is_alive

_BUSY = """
import json, os, sys, time
fds = os.environ.get("LISTEN_FDS"), os.environ.get("LISTEN_PID") == str(os.getpid())
held = bytearray(50_000_000)
end = time.process_time() + 0.2
while time.process_time() < end: pass
print(json.dumps({"event": "ready", "passed": fds}), flush=True)
time.sleep(60)
"""


def _child(tmp_path: Path, script: str, port: int | None = None) -> Child:
    return Child("child", [sys.executable, "-c", script], folder=tmp_path, port=port)


def test_child_is_measured_and_stopped(tmp_path: Path) -> None:
    with _child(tmp_path, _BUSY) as child:
        assert child.wait_ready()["passed"] == [None, False]
        assert 0.15 <= cpu_seconds(child.pid) <= 1.5
        assert peak_bytes(child.pid) > 50_000_000
        assert child.pid in process_tree(os.getpid())
        assert cpu_seconds(os.getpid(), descendants=True) >= cpu_seconds(child.pid)
    assert not is_alive(child.pid)


def test_port_is_passed_like_a_systemd_socket(tmp_path: Path) -> None:
    with _child(tmp_path, _BUSY, free_port()) as child:
        assert child.wait_ready()["passed"] == ["1", True]


def test_wait_ends_when_the_child_exits(tmp_path: Path) -> None:
    began = time.monotonic()
    with (
        _child(tmp_path, "raise SystemExit('no such thing')") as child,
        pytest.raises(RuntimeError, match="no such thing"),
    ):
        child.wait_ready(20)
    assert time.monotonic() - began < 15
