"""A queueing model of many hosts over one PostgreSQL: the latency of a message, and the first part to saturate.

A message needs CPU time of its receiving process, and is answered when the transaction of its group is on disk. A group
needs round trips, CPU time and row locks of the database, and a flush that concurrent transactions share. A delivery
needs CPU time of the database and a flush.

Time is only simulated, and the same seed gives the same numbers.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

Resume = Callable[[], None]
# A function that starts a wait of a simulated process, and calls its argument when the wait is over.
Wait = Callable[["Resume"], None]
Steps = Generator[Wait, None, None]


class EventQueue:
    """The simulated time in seconds, and the scheduled events."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Resume]] = []
        self._order = itertools.count()

    def schedule(self, delay: float, resume: Resume) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._order), resume))

    def wait(self, seconds: float) -> Wait:
        return lambda resume: self.schedule(seconds, resume)

    def start(self, steps: Steps) -> None:

        def resume() -> None:
            wait = next(steps, None)
            if wait is not None:
                wait(resume)

        resume()

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, resume = heapq.heappop(self._events)
            resume()
        self.now = until


class Pool:
    """One or more servers with a common first-come, first-served queue, such as a lock or the cores of a machine."""

    def __init__(self, timeline: EventQueue, servers: int) -> None:
        self._timeline = timeline
        self._free = servers
        self._servers = servers
        self._waiting: deque[Resume] = deque()
        self.busy = 0.0

    def acquire(self, resume: Resume) -> None:
        if self._free:
            self._free -= 1
            resume()
        else:
            self._waiting.append(resume)

    def release(self) -> None:
        if self._waiting:
            self._timeline.schedule(0.0, self._waiting.popleft())
        else:
            self._free += 1

    def use(self, seconds: float) -> Wait:
        """Returns a wait until a server is free and has then worked for `seconds`."""

        def wait(resume: Resume) -> None:
            def done() -> None:
                self.busy += seconds
                self.release()
                resume()

            self.acquire(lambda: self._timeline.schedule(seconds, done))

        return wait

    def utilisation(self, seconds: float) -> float:
        """Returns the fraction of `seconds` for which a server was busy, averaged over the servers."""
        return self.busy / (self._servers * seconds)


class Disk:
    """The WAL: one flush at a time. A flush serves all writers that wait when it starts."""

    def __init__(self, timeline: EventQueue, flush: float, bytes_per_second: float) -> None:
        self._timeline = timeline
        self._flush = flush
        self._rate = bytes_per_second
        self._waiting: list[Resume] = []
        self._pending_bytes = 0.0
        self._running = False
        self.writing = 0.0
        self.flushes = 0

    def write(self, nbytes: float) -> Wait:
        """Returns a wait until the flush that writes these bytes has ended."""

        def wait(resume: Resume) -> None:
            self._waiting.append(resume)
            self._pending_bytes += nbytes
            if not self._running:
                self._begin()

        return wait

    def _begin(self) -> None:
        group, nbytes = self._waiting, self._pending_bytes
        self._waiting, self._pending_bytes, self._running = [], 0.0, True
        self.writing += nbytes / self._rate
        self.flushes += 1

        def done() -> None:
            self._running = False
            if self._waiting:
                self._begin()
            for resume in group:
                resume()

        self._timeline.schedule(self._flush + nbytes / self._rate, done)


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs: WAL bytes (`log`, `log_per_byte`), round trips per group, and CPU seconds (all others).

    Each cost except `round_trips` is per message, per byte of a message, or per delivery.
    """

    receive: float
    receive_per_byte: float
    database: float
    database_per_byte: float
    delivery: float
    delivery_database: float
    round_trips: int
    log: float
    log_per_byte: float


@dataclass(frozen=True, slots=True)
class Layout:
    """A configuration of hosts.

    Attributes:
        rate: Messages that arrive per second.
        flush: Seconds of a flush, in addition to the time for its bytes.
        disk: WAL bytes that the disk writes per second.
        round_trip: Seconds between a process and the database and back.
        sizes: Message sizes in bytes, all equally frequent.
        posts: Deliveries per second.
        raw_outside: Whether raw messages go to an object store, which the product does not implement.
        clients: If not 0, this many senders replace `rate`. Each waits for its 250 reply before it sends again.
    """

    rate: float
    processes: int
    database_cores: int
    flush: float
    disk: float
    round_trip: float
    workspaces: int
    sizes: Sequence[int]
    posts: float = 0.0
    raw_outside: bool = False
    clients: int = 0


@dataclass(slots=True)
class SimulationResult:
    """Results of a run.

    Attributes:
        waits: The seconds from each arrival to its 250 reply, sorted.
        utilisation: The busy fraction of each part of the model, by name.
    """

    arrived: int = 0
    accepted: int = 0
    waits: list[float] = field(default_factory=list)
    utilisation: dict[str, float] = field(default_factory=dict)
    groups: int = 0

    def wait_quantile(self, fraction: float) -> float:
        """Returns a quantile of the waits; infinite if nothing was accepted."""
        return self.waits[min(int(len(self.waits) * fraction), len(self.waits) - 1)] if self.waits else float("inf")

    @property
    def bottleneck(self) -> str:
        return max(self.utilisation, key=self.utilisation.__getitem__)

    def is_sustained(self, layout: Layout) -> bool:
        """Whether the final backlog and the waits show that the layout keeps up with the arrivals."""
        return self.arrived - self.accepted < max(0.3 * layout.rate, 10) and self.wait_quantile(0.99) < 1.0


CONNECTIONS = 2  # database connections of each process for writing groups (`router.store.postgres_writer`)
GROUP_MESSAGES, GROUP_BYTES = 200, 1024 * 1024
# The rows of a group's workspaces are locked while its tickets are written and committed. This phase has these round
# trips, and this fraction of the group's CPU time.
LOCKED_TRIPS, LOCKED_CPU_FRACTION = 2, 0.2


@dataclass(slots=True)
class _Mail:
    arrived: float
    size: int
    workspace: int
    on_reply: Resume


class _Process:
    """A receiving process: its only thread, and its queue of messages to write in groups."""

    def __init__(self, model: _Model) -> None:
        self.model = model
        self.thread = Pool(model.timeline, 1)
        self.queue: deque[_Mail] = deque()
        self.writing = 0

    def receive(self, size: int, workspace: int, on_reply: Resume) -> Steps:
        model, arrived = self.model, self.model.timeline.now
        yield self.thread.use(model.costs.receive + size * model.costs.receive_per_byte)
        if model.layout.raw_outside:
            yield model.timeline.wait(model.layout.round_trip)
        self.queue.append(_Mail(arrived, size, workspace, on_reply))
        if self.writing < CONNECTIONS:
            self.writing += 1
            model.timeline.start(self.write_groups())

    def write_groups(self) -> Steps:
        model, costs, trip = self.model, self.model.costs, self.model.layout.round_trip
        while self.queue:
            group = [self.queue.popleft()]
            size = group[0].size
            while self.queue and len(group) < GROUP_MESSAGES and size + self.queue[0].size <= GROUP_BYTES:
                size += self.queue[0].size
                group.append(self.queue.popleft())
            kept = 0 if model.layout.raw_outside else size
            cpu = len(group) * costs.database + kept * costs.database_per_byte
            yield model.timeline.wait((costs.round_trips - LOCKED_TRIPS) * trip)
            yield model.cores.use(cpu * (1 - LOCKED_CPU_FRACTION))
            rows = [model.rows[workspace] for workspace in sorted({mail.workspace for mail in group})]
            for row in rows:
                yield row.acquire
            locked_at = model.timeline.now
            yield model.cores.use(cpu * LOCKED_CPU_FRACTION)
            yield model.timeline.wait(LOCKED_TRIPS * trip)
            yield model.disk.write(len(group) * costs.log + kept * costs.log_per_byte)
            for row in rows:
                row.busy += model.timeline.now - locked_at
                row.release()
            model.result.groups += 1
            model.result.accepted += len(group)
            for mail in group:
                model.result.waits.append(model.timeline.now - mail.arrived)
                mail.on_reply()
        self.writing -= 1


class _Model:
    def __init__(self, layout: Layout, costs: Costs, seed: int) -> None:
        self.layout, self.costs = layout, costs
        self.random = random.Random(seed)
        self.timeline = EventQueue()
        self.cores = Pool(self.timeline, layout.database_cores)
        self.disk = Disk(self.timeline, layout.flush, layout.disk)
        self.rows = [Pool(self.timeline, 1) for _ in range(layout.workspaces)]
        self.processes = [_Process(self) for _ in range(layout.processes)]
        self.result = SimulationResult()

    def generate_arrivals(self) -> Steps:
        while True:
            yield self.timeline.wait(self.random.expovariate(self.layout.rate))
            self.receive(lambda: None)

    def receive(self, on_reply: Resume) -> None:
        self.result.arrived += 1
        process = self.random.choice(self.processes)
        size = self.random.choice(self.layout.sizes)
        self.timeline.start(process.receive(size, self.random.randrange(self.layout.workspaces), on_reply))

    def start_client(self) -> None:
        self.receive(self.start_client)

    def generate_deliveries(self) -> Steps:
        while True:
            yield self.timeline.wait(self.random.expovariate(self.layout.posts))
            self.timeline.start(self._deliver())

    def _deliver(self) -> Steps:
        yield self.cores.use(self.costs.delivery_database)
        yield self.disk.write(self.costs.log)


def simulate(layout: Layout, costs: Costs, *, seconds: float, seed: int = 1) -> SimulationResult:
    model = _Model(layout, costs, seed)
    for _ in range(layout.clients):
        model.start_client()
    if not layout.clients:
        model.timeline.start(model.generate_arrivals())
    if layout.posts:
        model.timeline.start(model.generate_deliveries())
    model.timeline.run(seconds)
    result = model.result
    result.waits.sort()
    result.utilisation = {
        "receiving processes": max(process.thread.utilisation(seconds) for process in model.processes),
        "the database's cores": model.cores.utilisation(seconds),
        "the log's disk": model.disk.writing / seconds,
        "the busiest workspace's row": max(row.busy for row in model.rows) / seconds,
    }
    return result


def find_sustained_rate(
    layout: Layout, costs: Costs, *, mails: int = 20_000, rounds: int = 9
) -> tuple[float, SimulationResult]:
    """Searches for the highest sustained rate by bisection, in `rounds` trials, starting with the layout's rate.

    Returns the highest rate that a trial sustained, or 0, and its result. A trial has about `mails` arrivals or more.
    """
    low, high = 0.0, 0.0
    rate, best = layout.rate, SimulationResult()
    for _ in range(rounds):
        trial = replace(layout, rate=rate, posts=layout.posts * rate / layout.rate)
        result = simulate(trial, costs, seconds=max(4.0, mails / rate))
        if result.is_sustained(trial):
            low, best = rate, result
        else:
            high = rate
        rate = low * 2 if not high else (low + high) / 2
    return low, best
