"""Sample sizes and quantiles of the overview."""

import pytest

from router.admin.installation.duration_samples import DurationStatistics, duration_statistics, sample_numbers


@pytest.mark.parametrize("count", [0, 1, 1000, 1001, 1500, 20_000, 10**9])
def test_a_sample_has_about_a_thousand_of_the_newest_tickets(count: int) -> None:
    newest = 2 * 10**9 + 7
    numbers = [number for number in sample_numbers(newest, count, count) if number > newest - count]
    assert len(numbers) == count if count <= 1000 else 600 < len(numbers) <= 1500
    assert numbers == sorted(set(numbers), reverse=True)


def test_a_sample_ends_with_the_first_ticket() -> None:
    assert sample_numbers(3, 3, 3) == [3, 2, 1]
    assert sample_numbers(0, 0, 0) == []


def test_a_sample_skips_few_tickets_if_most_are_spam() -> None:
    assert sample_numbers(9000, 9000, 900) == list(range(9000, 0, -1))
    assert len(sample_numbers(10**6, 10**6, 900)) == 10_000, "the number of look-ups is limited"


def test_quantiles_are_values() -> None:
    assert duration_statistics([], 0.9) == DurationStatistics(0, None, None)
    assert duration_statistics([5], 0.95) == DurationStatistics(1, 5, 5)
    assert duration_statistics(range(100, 0, -1), 0.9) == DurationStatistics(100, 50, 90)
