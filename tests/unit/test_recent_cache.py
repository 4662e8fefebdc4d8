"""The cache drops the value that was not used for the longest time."""

from router.recent_cache import RecentCache


def test_the_least_recently_used_value_is_dropped() -> None:
    cache = RecentCache[str, int](2)
    cache.store("one", 1)
    cache.store("two", 2)
    assert cache.get("one") == 1
    cache.store("three", 3)
    assert [cache.get(key) for key in ("one", "two", "three")] == [1, None, 3]
    cache.store("one", 10)
    cache.store("four", 4)
    assert [cache.get(key) for key in ("one", "three", "four")] == [10, None, 4]
