"""Sample sizes and quantiles of the overview."""

import pytest

from router.admin.installation import overview
from router.admin.installation.overview import duration_statistics, sample_step


@pytest.mark.parametrize("count", [0, 1, 1000, 1001, 1500, 20_000, 10**9])
def test_the_sample_step_gives_the_intended_sample_size(count: int) -> None:
    taken = len(range(0, count, sample_step(count)))
    assert taken == count if count <= 1000 else 600 < taken <= 1500


def test_quantiles_are_values() -> None:
    assert duration_statistics([], 0.9) == overview.DurationStatistics(0, None, None)
    assert duration_statistics([5], 0.95) == overview.DurationStatistics(1, 5, 5)
    assert duration_statistics(range(100, 0, -1), 0.9) == overview.DurationStatistics(100, 50, 90)
