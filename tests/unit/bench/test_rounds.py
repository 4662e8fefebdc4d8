"""Ratios are made within a round, and targets are judged by their median."""

from bench.comparison import BASE, Target
from bench.rounds import Figure, Results, spread, table


def _results() -> Results:
    results = Results()
    for ours, theirs in ((100.0, 50.0), (200.0, 40.0), (90.0, 30.0)):
        results.add("case", BASE, Figure(ours, 0.5))
        results.add("case", "peer", Figure(theirs, 2.0))
    return results


def test_a_ratio_never_mixes_rounds() -> None:
    results = _results()
    assert results.ratios("case", BASE, "peer", lambda figure: figure.rate) == [2.0, 5.0, 3.0]
    assert spread([2.0, 5.0, 3.0]) == "3.00 (2.00-5.00)"


def test_a_round_that_failed_on_one_side_is_left_out() -> None:
    results = _results()
    results.add("case", BASE, None)
    results.add("case", "peer", Figure(1.0, 1.0))
    assert len(results.ratios("case", BASE, "peer", lambda figure: figure.rate)) == 3
    assert "| case | peer |" in table(results, BASE)


def test_targets() -> None:
    results = _results()
    assert Target("case", "peer", "rate", 3.0).verdict(results).startswith("met")
    assert Target("case", "peer", "rate", 3.1).verdict(results).startswith("MISSED")
    assert Target("case", "peer", "CPU", 0.25).verdict(results).startswith("met")
    assert Target("case", "peer", "CPU", 0.2).verdict(results).startswith("MISSED")
    assert Target("case", "nobody", "CPU", 0.2).verdict(results).startswith("not measured")
