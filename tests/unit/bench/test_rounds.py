"""A ratio compares two servers within one round. A target applies to the median of the ratios."""

from bench.comparison import BASE, PerformanceTarget
from bench.rounds import Measurement, Results, format_spread, format_table


def _results() -> Results:
    results = Results()
    for ours, theirs in ((100.0, 50.0), (200.0, 40.0), (90.0, 30.0)):
        results.add("case", BASE, Measurement(ours, 0.5))
        results.add("case", "peer", Measurement(theirs, 2.0))
    return results


def test_a_ratio_never_mixes_rounds() -> None:
    results = _results()
    assert results.ratios("case", BASE, "peer", lambda measurement: measurement.rate) == [2.0, 5.0, 3.0]
    assert format_spread([2.0, 5.0, 3.0]) == "3.00 (2.00-5.00)"


def test_a_round_with_a_failed_measurement_is_excluded() -> None:
    results = _results()
    results.add("case", BASE, None)
    results.add("case", "peer", Measurement(1.0, 1.0))
    assert len(results.ratios("case", BASE, "peer", lambda measurement: measurement.rate)) == 3
    assert "| case | peer |" in format_table(results, BASE)


def test_targets() -> None:
    results = _results()
    assert PerformanceTarget("case", "peer", "rate", 3.0).format_verdict(results).startswith("met")
    assert PerformanceTarget("case", "peer", "rate", 3.1).format_verdict(results).startswith("MISSED")
    assert PerformanceTarget("case", "peer", "CPU", 0.25).format_verdict(results).startswith("met")
    assert PerformanceTarget("case", "peer", "CPU", 0.2).format_verdict(results).startswith("MISSED")
    assert PerformanceTarget("case", "nobody", "CPU", 0.2).format_verdict(results).startswith("not measured")
