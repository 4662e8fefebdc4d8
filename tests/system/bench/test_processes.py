"""What a bench reads of its children, and that none is left behind."""

import os
import sys
import time
from pathlib import Path

import pytest

from bench.processes import Child, cpu_seconds, free_port, peak_octets, tree
from tests.support.waiting import alive

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


def test_cpu_and_memory_of_a_child_are_read_and_it_is_gone_afterwards(tmp_path: Path) -> None:
    with _child(tmp_path, _BUSY) as child:
        assert child.ready()["passed"] == [None, False]
        assert 0.15 <= cpu_seconds(child.pid) <= 1.5
        assert peak_octets(child.pid) > 50_000_000
        assert child.pid in tree(os.getpid())
        assert cpu_seconds(os.getpid(), descendants=True) >= cpu_seconds(child.pid)
    assert not alive(child.pid)


def test_a_port_is_passed_as_systemd_would(tmp_path: Path) -> None:
    with _child(tmp_path, _BUSY, free_port()) as child:
        assert child.ready()["passed"] == ["1", True]


def test_a_child_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    with (
        _child(tmp_path, "raise SystemExit('no such thing')") as child,
        pytest.raises(RuntimeError, match="no such thing"),
    ):
        child.ready(20)
    assert time.monotonic() - began < 15
