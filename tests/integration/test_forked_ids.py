"""A forked process generates other ids than its parent."""

import os
import time

import pytest

from router import ids


def new_ids(count: int) -> list[str]:
    return [ids.new_id("msg") for _ in range(count)]


def test_a_forked_process_generates_other_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    new_ids(1)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, " ".join(new_ids(50)).encode())
        os._exit(0)
    os.close(writer)
    own = new_ids(50)
    with os.fdopen(reader) as stream:
        found = stream.read().split()
    os.waitpid(child, 0)
    assert len(found) == 50
    assert set(own).isdisjoint(found)
