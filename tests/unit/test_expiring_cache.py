"""The bounded cache of values that expire."""

from router.expiring_cache import ExpiringCache
from tests.support.clock import FakeClock


def test_a_value_expires() -> None:
    clock = FakeClock()
    cache = ExpiringCache[str, int](clock, 10)
    cache.store("a", 1, 5.0)
    clock.advance(seconds=4)
    assert cache.get("a") == 1
    clock.advance(seconds=1)
    assert cache.get("a") is None


def test_the_value_stored_first_is_dropped_when_the_cache_is_full() -> None:
    cache = ExpiringCache[str, int](FakeClock(), 2)
    for key in ("a", "b", "a", "c"):
        cache.store(key, 1, 5.0)
    assert [cache.get(key) for key in ("a", "b", "c")] == [1, None, 1]
    cache.discard("a")
    cache.discard("unknown")
    assert cache.get("a") is None
