"""A queueing model of many hosts over one PostgreSQL: what a mail waits for, and which part is at its limit first.

A mail costs its receiving process CPU (a process is one thread), joins the group that the process writes next, and is
answered when that group's transaction is flushed. A group is some round trips, CPU of the database, the hot row of each
workspace in it (held from the last statements to the end of the flush), and a share of a flush; who commits while one
flush runs shares the next. Deliveries cost the database CPU and a flush each. Nothing here knows a real clock: a second
of a hundred thousand mails takes a few seconds, and the same seed gives the same figures.

Pure. Used by `bench.scaling`, with the costs that the other benches measured.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

Resume = Callable[[], None]
# What a process of the simulation waits for: something that takes `resume` and calls it when it is over.
Wait = Callable[["Resume"], None]
Steps = Generator[Wait, None, None]


class Timeline:
    """The simulated time, in seconds, and what happens next."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Resume]] = []
        self._order = itertools.count()

    def at(self, delay: float, resume: Resume) -> None:
        """Later."""
        heapq.heappush(self._events, (self.now + delay, next(self._order), resume))

    def wait(self, seconds: float) -> Wait:
        """For this long."""
        return lambda resume: self.at(seconds, resume)

    def start(self, steps: Steps) -> None:
        """Runs what waits, from one wait to the next."""

        def resume() -> None:
            wait = next(steps, None)
            if wait is not None:
                wait(resume)

        resume()

    def run(self, until: float) -> None:
        """Everything before that time."""
        while self._events and self._events[0][0] <= until:
            self.now, _, resume = heapq.heappop(self._events)
            resume()
        self.now = until


class Pool:
    """So many servers, first come, first served: cores, or with one of them a lock."""

    def __init__(self, timeline: Timeline, servers: int) -> None:
        self._timeline = timeline
        self._free = servers
        self._servers = servers
        self._waiting: deque[Resume] = deque()
        self.busy = 0.0

    def take(self, resume: Resume) -> None:
        """A wait for one of them; `give` gives it back."""
        if self._free:
            self._free -= 1
            resume()
        else:
            self._waiting.append(resume)

    def give(self) -> None:
        """To the next who waits."""
        if self._waiting:
            self._timeline.at(0.0, self._waiting.popleft())
        else:
            self._free += 1

    def use(self, seconds: float) -> Wait:
        """A wait for one of them and for so much of its time."""

        def wait(resume: Resume) -> None:
            def done() -> None:
                self.busy += seconds
                self.give()
                resume()

            self.take(lambda: self._timeline.at(seconds, done))

        return wait

    def utilisation(self, seconds: float) -> float:
        """The share of so much time."""
        return self.busy / (self._servers * seconds)


class Disk:
    """The log of the database: one flush at a time, for all who wait when it begins."""

    def __init__(self, timeline: Timeline, flush: float, octets_a_second: float) -> None:
        self._timeline = timeline
        self._flush = flush
        self._rate = octets_a_second
        self._waiting: list[Resume] = []
        self._octets = 0.0
        self._running = False
        self.writing = 0.0
        self.flushes = 0

    def write(self, octets: float) -> Wait:
        """A wait for the flush that has these octets."""

        def wait(resume: Resume) -> None:
            self._waiting.append(resume)
            self._octets += octets
            if not self._running:
                self._begin()

        return wait

    def _begin(self) -> None:
        group, octets = self._waiting, self._octets
        self._waiting, self._octets, self._running = [], 0.0, True
        self.writing += octets / self._rate
        self.flushes += 1

        def done() -> None:
            self._running = False
            if self._waiting:
                self._begin()
            for resume in group:
                resume()

        self._timeline.at(self._flush + octets / self._rate, done)


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of CPU and octets, for a mail and for each of its octets. `bench.scaling` says where they come from."""

    door: float
    door_octet: float
    database: float
    database_octet: float
    delivery: float
    delivery_database: float
    round_trips: int
    log: float
    log_octet: float


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to build it. flush and round_trip: seconds. disk: octets a second that the log gets of it.

    rate: mails that come in a second, whoever waits; with `clients` so many senders instead, each of which sends its
    next mail when it has its 250. sizes: of mails, each equally often. posts: messages a second that go out to
    webhooks. raw_outside: the mails' octets go to an object store (not built; its price: a `round_trip` for each mail).
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
class Figures:
    """What became of a layout. waits: seconds to the 250, in order. busy: what share of its time each part worked."""

    arrived: int = 0
    accepted: int = 0
    waits: list[float] = field(default_factory=list)
    busy: dict[str, float] = field(default_factory=dict)
    groups: int = 0

    def wait(self, share: float) -> float:
        """A quantile; infinite where nothing was accepted."""
        return self.waits[min(int(len(self.waits) * share), len(self.waits) - 1)] if self.waits else float("inf")

    @property
    def limit(self) -> str:
        """The busiest part."""
        return max(self.busy, key=self.busy.__getitem__)

    def holds(self, layout: Layout) -> bool:
        """It keeps up: few wait long, and what is not accepted yet is no more than some tenths of a second bring."""
        return self.arrived - self.accepted < max(0.3 * layout.rate, 10) and self.wait(0.99) < 1.0


CONNECTIONS = 2  # of a process that write groups: `router.store.postgres_writer`
GROUP_MAILS, GROUP_OCTETS = 200, 1024 * 1024
# Of a group's statements, those after which the hot rows are held: the tickets and the commit.
HELD_TRIPS, HELD_SHARE = 2, 0.2


@dataclass(slots=True)
class _Mail:
    arrived: float
    size: int
    workspace: int
    answered: Resume


class _Process:
    """A receiving process: one thread, and the groups it writes."""

    def __init__(self, model: _Model) -> None:
        self.model = model
        self.thread = Pool(model.timeline, 1)
        self.queue: deque[_Mail] = deque()
        self.writing = 0

    def mail(self, size: int, workspace: int, answered: Resume) -> Steps:
        """From its last octet to the queue of the writer."""
        model, arrived = self.model, self.model.timeline.now
        yield self.thread.use(model.costs.door + size * model.costs.door_octet)
        if model.layout.raw_outside:
            yield model.timeline.wait(model.layout.round_trip)
        self.queue.append(_Mail(arrived, size, workspace, answered))
        if self.writing < CONNECTIONS:
            self.writing += 1
            model.timeline.start(self.groups())

    def groups(self) -> Steps:
        """One connection, until nothing waits."""
        model, costs, trip = self.model, self.model.costs, self.model.layout.round_trip
        while self.queue:
            group = [self.queue.popleft()]
            octets = group[0].size
            while self.queue and len(group) < GROUP_MAILS and octets + self.queue[0].size <= GROUP_OCTETS:
                octets += self.queue[0].size
                group.append(self.queue.popleft())
            kept = 0 if model.layout.raw_outside else octets
            cpu = len(group) * costs.database + kept * costs.database_octet
            yield model.timeline.wait((costs.round_trips - HELD_TRIPS) * trip)
            yield model.cores.use(cpu * (1 - HELD_SHARE))
            rows = [model.rows[workspace] for workspace in sorted({mail.workspace for mail in group})]
            for row in rows:
                yield row.take
            held = model.timeline.now
            yield model.cores.use(cpu * HELD_SHARE)
            yield model.timeline.wait(HELD_TRIPS * trip)
            yield model.disk.write(len(group) * costs.log + kept * costs.log_octet)
            for row in rows:
                row.busy += model.timeline.now - held
                row.give()
            model.figures.groups += 1
            model.figures.accepted += len(group)
            for mail in group:
                model.figures.waits.append(model.timeline.now - mail.arrived)
                mail.answered()
        self.writing -= 1


class _Model:
    """One run."""

    def __init__(self, layout: Layout, costs: Costs, seed: int) -> None:
        self.layout, self.costs = layout, costs
        self.random = random.Random(seed)
        self.timeline = Timeline()
        self.cores = Pool(self.timeline, layout.database_cores)
        self.disk = Disk(self.timeline, layout.flush, layout.disk)
        self.rows = [Pool(self.timeline, 1) for _ in range(layout.workspaces)]
        self.processes = [_Process(self) for _ in range(layout.processes)]
        self.figures = Figures()

    def arrivals(self) -> Steps:
        """Mails as they come: at random, to any process, of any workspace."""
        while True:
            yield self.timeline.wait(self.random.expovariate(self.layout.rate))
            self.mail(lambda: None)

    def mail(self, answered: Resume) -> None:
        """One mail comes; `answered` is called at its 250."""
        self.figures.arrived += 1
        process = self.random.choice(self.processes)
        size = self.random.choice(self.layout.sizes)
        self.timeline.start(process.mail(size, self.random.randrange(self.layout.workspaces), answered))

    def client(self) -> None:
        """A sender: its next mail comes when it has its 250."""
        self.mail(self.client)

    def posts(self) -> Steps:
        """Deliveries: an attempt opened and its outcome written, which the next attempt's transaction does at once."""
        while True:
            yield self.timeline.wait(self.random.expovariate(self.layout.posts))
            self.timeline.start(self._post())

    def _post(self) -> Steps:
        yield self.cores.use(self.costs.delivery_database)
        yield self.disk.write(self.costs.log)


def simulate(layout: Layout, costs: Costs, *, seconds: float, seed: int = 1) -> Figures:
    """So many seconds of it, from an idle beginning."""
    model = _Model(layout, costs, seed)
    for _ in range(layout.clients):
        model.client()
    if not layout.clients:
        model.timeline.start(model.arrivals())
    if layout.posts:
        model.timeline.start(model.posts())
    model.timeline.run(seconds)
    figures = model.figures
    figures.waits.sort()
    figures.busy = {
        "receiving processes": max(process.thread.utilisation(seconds) for process in model.processes),
        "the database's cores": model.cores.utilisation(seconds),
        "the log's disk": model.disk.writing / seconds,
        "the busiest workspace's row": max(row.busy for row in model.rows) / seconds,
    }
    return figures


def sustained(layout: Layout, costs: Costs, *, mails: int = 20_000, rounds: int = 9) -> tuple[float, Figures]:
    """The highest rate that holds, within some per cent, and the figures there; it begins at the layout's rate.

    mails: how many each trial lets come, so that a trial takes as long at any rate.
    """
    low, high = 0.0, 0.0
    rate, best = layout.rate, Figures()
    for _ in range(rounds):
        trial = replace(layout, rate=rate, posts=layout.posts * rate / layout.rate)
        figures = simulate(trial, costs, seconds=max(4.0, mails / rate))
        if figures.holds(trial):
            low, best = rate, figures
        else:
            high = rate
        rate = low * 2 if not high else (low + high) / 2
    return low, best
