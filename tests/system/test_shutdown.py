"""A shutdown logs slow steps, abandons hanging ones and takes less time than TimeoutStopSec."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config.schema import Config
from emailrouter import shutdown
from emailrouter.shutdown import Shutdown

UNITS = Path(__file__).parents[2] / "systemd"


async def test_finished_step_logs_nothing_and_propagates_errors() -> None:
    done = []

    async def work() -> None:
        done.append(True)

    async def fails() -> None:
        raise ZeroDivisionError

    with capture_logs() as logs:
        await Shutdown().run_step("work", work, 10)
        with pytest.raises(ZeroDivisionError):
            await Shutdown().run_step("fails", fails, 10)
    assert (done, logs) == ([True], [])


@pytest.mark.parametrize("stubborn", [False, True])
async def test_hanging_step_is_logged_and_abandoned(monkeypatch: pytest.MonkeyPatch, stubborn: bool) -> None:
    """The step is abandoned even if it ignores its cancellation."""
    monkeypatch.setattr(shutdown, "SLOW_STEP_SECONDS", 0.01)
    monkeypatch.setattr(shutdown, "CANCEL_SECONDS", 0.01)
    end = asyncio.Event()
    cancelled = []

    async def hangs() -> None:
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                if not stubborn:
                    raise

    with capture_logs() as logs:
        await Shutdown().run_step("the pool", hangs, 0.02)
    assert [(event["event"], event["step"]) for event in logs] == [
        ("shutdown.step_slow", "the pool"),
        ("shutdown.step_timed_out", "the pool"),
    ]
    await asyncio.sleep(0)
    assert cancelled
    end.set()


@pytest.mark.parametrize(
    ("unit", "roles"),
    [
        ("emailrouter.service", {"smtp", "api", "deliver"}),
        ("emailrouter-smtp.service", {"smtp"}),
        ("emailrouter-smtp@.service", {"smtp"}),
        ("emailrouter-api.service", {"api"}),
        ("emailrouter-deliver.service", {"deliver"}),
    ],
)
def test_shutdown_limit_is_below_timeout_of_units(unit: str, roles: set[str]) -> None:
    (seconds,) = re.findall(r"^TimeoutStopSec=([0-9]+)$", (UNITS / unit).read_text(), re.MULTILINE)
    assert shutdown.max_shutdown_seconds(Config(), frozenset(roles)) < int(seconds)


_HANGS = """
import asyncio, threading
from emailrouter.shutdown import Shutdown

shutdown = Shutdown(0.1)
shutdown.start_timer()
shutdown.start_timer()
{what}
"""


@pytest.mark.parametrize(
    ("what", "step"),
    [
        ("threading.Thread(target=threading.Event().wait).start()", "interpreter exit"),
        (
            "asyncio.run(shutdown.run_step('the commit queue', lambda: asyncio.to_thread(threading.Event().wait), 60))",
            "the commit queue",
        ),
    ],
    ids=["a thread", "a step"],
)
def test_process_exits_at_the_limit(what: str, step: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _HANGS.format(what=what)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "shutdown.timed_out" in ended.stdout + ended.stderr
    assert step in ended.stdout + ended.stderr


def test_process_that_ends_in_time_is_not_delayed() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "from emailrouter.shutdown import Shutdown; Shutdown(3600).start_timer()"],
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0
