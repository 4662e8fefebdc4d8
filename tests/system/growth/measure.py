"""Measures CPU time and memory of a function on inputs of doubling size, in a child process.

The parent kills the child when a call takes too much CPU time, even in C code. So an exponential case cannot hang the
test.
"""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import resource
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Protocol, cast

from tests.system.growth.shapes import Shape

MAX_FACTOR = 2.5  # maximum factor of CPU time per doubling; n log n stays below 2.2 if n > 1024
MIN_STEP_SECONDS = 0.005  # two doublings count only if the last call takes more CPU time
RUNS = 5
CALL_SECONDS = 3.0  # maximum CPU time of a call
MAX_MEMORY_FACTOR = 600  # maximum peak memory in bytes per input byte
_FIRST_SIZE = 256
_SLOW_SECONDS = 0.5  # after a longer last call, sizes are measured less often and no larger size follows
_SUSPECT_FACTOR = 2.35  # shapes with a larger factor are measured again
_TRACE_SECONDS = 0.002  # the first longer call is repeated with traced memory, which is slower
_MAX_TRACE_SECONDS = 0.02  # memory is traced only if `until` is larger


class Measurable(Protocol):
    """A function under test.

    Attributes:
        limit: The maximum input size in bytes.
        base: The memory in bytes that is independent of the input.
    """

    @property
    def name(self) -> str: ...
    @property
    def run(self) -> Callable[[bytes], object]: ...
    @property
    def limit(self) -> int: ...
    @property
    def base(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Growth:
    """The measurements of one shape.

    Attributes:
        sizes: The input sizes in bytes.
        seconds: The shortest CPU time for each size.
        memory: Peak memory in bytes per input byte.
        killed: Whether the last call took longer than `CALL_SECONDS` or ended the child process.
    """

    subject: str
    shape: Shape
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]
    memory: float
    killed: bool = False

    @property
    def worst(self) -> float:
        """The largest factor of CPU time that two consecutive doublings both reach."""
        return _worst(self.seconds)

    def fault(self) -> str:
        """Describes the violated limit; empty if there is none."""
        if self.killed:
            return f"{self.subject}: {self.shape}: over {CALL_SECONDS:g} s of CPU or killed at {self.sizes[-1]} bytes"
        if self.worst > MAX_FACTOR:
            steps = ", ".join(
                f"{n}: {s * 1000:.1f} ms" for n, s in zip(self.sizes[-4:], self.seconds[-4:], strict=True)
            )
            return f"{self.subject}: {self.shape}: factor {self.worst:.2f} ({steps})"
        if self.memory > MAX_MEMORY_FACTOR:
            return f"{self.subject}: {self.shape}: {self.memory:.0f} bytes of memory for each input byte"
        return ""


def survey(subject: Measurable, shapes: Sequence[Shape], *, until: float) -> Iterator[Growth]:
    """Yields the growth of each shape.

    The size doubles until a call takes more than `until` seconds of CPU time or the size reaches the subject's limit.
    The first three sizes are always measured. A suspect shape may be measured at one more size.
    """
    context = multiprocessing.get_context("fork")
    todo = list(shapes)
    while todo:
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(theirs, subject, todo, until), daemon=True)
        child.start()
        theirs.close()
        size = 0
        try:
            while todo:
                value = _receive(ours, child.pid or 0)
                if isinstance(value, Growth):
                    yield value
                    todo.pop(0)
                elif isinstance(value, int):
                    size = value
                else:
                    yield Growth(subject.name, todo.pop(0), (size,), (CALL_SECONDS,), 0.0, killed=True)
                    break
        finally:
            ours.close()
            child.kill()
            child.join()


def _receive(pipe: Connection, pid: int) -> Growth | int | None:
    """Receives the child's next message; None if the child ended or a call took too long."""
    began = _cpu_seconds(pid)
    while not pipe.poll(0.2):
        if _cpu_seconds(pid) - began > CALL_SECONDS:
            return None
    try:
        return cast("Growth | int", pipe.recv())
    except EOFError:
        return None


def _cpu_seconds(pid: int) -> float:
    """Returns the user and system time of a child (proc(5)).

    A CPU timer inside the child would make the child's CPU clock coarse.
    """
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _child(pipe: Connection, subject: Measurable, shapes: Sequence[Shape], until: float) -> None:
    # Excessive memory use raises MemoryError or ends the child.
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))
    gc.freeze()
    gc.disable()
    for shape in shapes:
        pipe.send(_measure_growth(pipe, subject, shape, until))


def _measure_growth(pipe: Connection, subject: Measurable, shape: Shape, until: float) -> Growth:
    inputs, seconds, traced = list[bytes](), list[float](), 0.0
    # Loads modules, and the tables of charset detection, before the first measurement.
    subject.run(shape.build(next(_sizes(subject.limit))))
    _reset_peak()
    before = _status("VmRSS")
    for size in _sizes(subject.limit):
        inputs.append(shape.build(size))
        pipe.send(size)
        seconds.append(_measure_seconds(subject.run, inputs[-1]))
        if not traced and until > _MAX_TRACE_SECONDS and (seconds[-1] > _TRACE_SECONDS or size == subject.limit):
            traced = (_measure_memory(subject.run, inputs[-1]) - subject.base) / len(inputs[-1])
        if seconds[-1] > until and len(seconds) > 2:
            break
    resident = (_status("VmHWM") - before - subject.base) / len(inputs[-1])
    if seconds[-1] > MIN_STEP_SECONDS and _is_suspect(_factors(seconds)):
        _improve(pipe, subject.run, inputs, seconds)
        # One more size shows whether the factor is growth or a single jump.
        if _factors(seconds)[-1] > MAX_FACTOR and seconds[-1] < _SLOW_SECONDS:
            inputs.append(shape.build(2 * len(inputs[-1])))
            seconds.append(float("inf"))
            _improve(pipe, subject.run, inputs, seconds)
    return Growth(subject.name, shape, tuple(map(len, inputs)), tuple(seconds), max(0.0, traced, resident))


def _improve(pipe: Connection, run: Callable[[bytes], object], inputs: list[bytes], seconds: list[float]) -> None:
    """Measures all sizes again, except very fast ones, and keeps the shortest time for each size."""
    first = next(at for at, step in enumerate(seconds) if step > MIN_STEP_SECONDS / 10)
    for _ in range(3):
        for _ in range(1 if _SLOW_SECONDS < seconds[-1] < float("inf") else RUNS):
            for at in range(first, len(seconds)):
                pipe.send(len(inputs[at]))
                seconds[at] = min(seconds[at], _measure_seconds(run, inputs[at]))
        if _worst(seconds) <= MAX_FACTOR:  # more runs would not remove a single jump
            return


def _sizes(limit: int) -> Iterator[int]:
    """Yields doubling sizes up to the limit."""
    for halvings in range(max(0, (limit // _FIRST_SIZE).bit_length() - 1), -1, -1):
        yield limit >> halvings


def _factors(seconds: Sequence[float]) -> list[float]:
    """Returns the factor of CPU time for each doubling, or 0 if the time for the larger size is too short."""
    return [larger / max(step, 1e-6) if larger > MIN_STEP_SECONDS / 5 else 0.0 for step, larger in pairwise(seconds)]


def _worst(seconds: Sequence[float]) -> float:
    """Returns the largest factor that two consecutive doublings both reach.

    After a slow last call no larger size is measured, so the last doubling then counts alone.
    """
    factors = _factors(seconds)
    last = factors[-1:] if seconds[-1] >= _SLOW_SECONDS else []
    pairs = zip(factors, factors[1:], seconds[2:], strict=False)
    both = [min(a, b) for a, b, step in pairs if step > MIN_STEP_SECONDS]
    return max([*both, *last], default=0.0)


def _is_suspect(factors: Sequence[float]) -> bool:
    """Whether the factors need further measurements.

    A single slow call raises one factor and lowers the next, so the mean of two consecutive factors is compared. The
    last factor has no successor and is also compared alone.
    """
    return factors[-1] > _SUSPECT_FACTOR or any(a * b > _SUSPECT_FACTOR**2 for a, b in pairwise(factors))


def _measure_seconds(run: Callable[[bytes], object], data: bytes) -> float:
    began = time.process_time()
    run(data)
    return time.process_time() - began


def _measure_memory(run: Callable[[bytes], object], data: bytes) -> int:
    """Returns the peak of Python's allocations, including memory that the allocator reuses."""
    tracemalloc.start()
    try:
        run(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _reset_peak() -> None:
    """Releases free memory and resets VmHWM (proc(5)), which also counts allocations of C and Rust libraries."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _status(name: str) -> int:
    """A value of /proc/self/status in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)
