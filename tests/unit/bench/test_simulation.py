"""The simulation agrees with results that are known from theory."""

from dataclasses import replace

import pytest

from bench.simulation import Costs, Disk, EventQueue, Layout, Pool, find_sustained_rate, simulate

FREE = Costs(0, 0, 0, 0, 0, 0, round_trips=2, log=0, log_per_byte=0)
ALONE = Layout(100, 1, 1, 0.0, 1e9, 0.0, 1, [4000])


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_one_thread_behaves_like_an_m_d_1_queue(load: float) -> None:
    """In an M/D/1 queue with service time s, waiting plus service takes s + load * s / (2 * (1 - load)) on average."""
    service = 0.001
    result = simulate(replace(ALONE, rate=load / service), replace(FREE, receive=service), seconds=60)
    mean = sum(result.waits) / len(result.waits)
    assert mean == pytest.approx(service + load * service / (2 * (1 - load)), rel=0.1)
    assert result.utilisation["receiving processes"] == pytest.approx(load, rel=0.05)
    assert result.bottleneck == "receiving processes"


def test_every_message_is_accepted_or_pending() -> None:
    layout = Layout(500, 3, 2, 0.002, 1e8, 0.0005, 500, [4_000, 100_000], posts=100)
    result = simulate(layout, Costs(1e-4, 1e-9, 2e-4, 1e-9, 0, 1e-3, 10, 8_000, 1.1), seconds=5)
    assert result.accepted == len(result.waits) <= result.arrived
    assert result.is_sustained(layout)
    assert result.waits == sorted(result.waits)
    assert result.wait_quantile(0.0) >= 10 * 0.0005, "no mail is faster than its round trips"


def test_commits_during_a_flush_share_the_next_one() -> None:
    timeline = EventQueue()
    disk = Disk(timeline, 1.0, 1e9)
    ended: list[float] = []
    for begins in (0.0, 0.1, 0.5, 0.9):
        timeline.schedule(begins, lambda: disk.write(0)(lambda: ended.append(timeline.now)))
    timeline.run(10)
    assert ended == [1.0, 2.0, 2.0, 2.0]
    assert disk.flushes == 2


def test_a_pool_serves_in_order() -> None:
    timeline = EventQueue()
    pool = Pool(timeline, 2)
    ended: list[tuple[str, float]] = []
    for name, seconds in (("a", 1.0), ("b", 2.0), ("c", 1.0), ("d", 1.0)):
        pool.use(seconds)(lambda name=name: ended.append((name, timeline.now)))  # type: ignore[misc]  # the default binds the loop variable
    timeline.run(10)
    assert ended == [("a", 1.0), ("b", 2.0), ("c", 2.0), ("d", 3.0)]
    assert pool.utilisation(10) == pytest.approx(5 / 20)


def test_messages_of_one_workspace_wait_for_its_row() -> None:
    """With flushes of 10 ms, one workspace commits 100 transactions a second.

    Each transaction locks the workspace's row until the flush.
    """
    slow = Layout(0, 10, 8, 0.01, 1e9, 0.0, 1, [4000], clients=10)
    one = simulate(slow, FREE, seconds=5)
    many = simulate(replace(slow, workspaces=1_000), FREE, seconds=5)
    assert one.groups == pytest.approx(500, rel=0.02)
    assert many.groups > 2 * one.groups
    assert one.utilisation["the busiest workspace's row"] == pytest.approx(1.0, rel=0.05)


def test_the_sustained_rate_is_found() -> None:
    rate, result = find_sustained_rate(ALONE, replace(FREE, receive=0.001), mails=4_000)
    assert rate == pytest.approx(1_000, rel=0.1)
    assert result.bottleneck == "receiving processes"
