"""The memory limit holds, one large message always progresses, and every waiting message resumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from router.network import address_key
from smtp.bounds import Bounds
from smtp.memory import MemoryQuota
from tests.support.smtp_doubles import make_bounds

SMALL, READ = Bounds.small_mail_bytes, Bounds.read_bytes


@dataclass(eq=False)
class FakeMail:
    """A message in transfer. `waits` is true while the quota pauses it."""

    quota_key: str | None
    waits: bool = False
    nbytes: int = 0


@dataclass
class QuotaHarness:
    """A quota. Updates `waits` of the messages that the quota pauses or resumes."""

    limit: int
    largest: int = 0
    quota: MemoryQuota[FakeMail] = field(init=False)

    def __post_init__(self) -> None:
        self.quota = MemoryQuota(make_bounds(max_memory_bytes=self.limit, max_message_bytes=self.largest))

    def receive(self, sender: FakeMail, nbytes: int) -> None:
        sender.nbytes += nbytes
        self._change(self.quota.reserve(sender, sender.nbytes), waits=True)

    def complete(self, sender: FakeMail) -> None:
        self.quota.mark_complete(sender)
        sender.waits = False

    def release(self, sender: FakeMail) -> None:
        sender.waits = False
        self._change(self.quota.release(sender), waits=False)

    def _change(self, senders: Sequence[FakeMail], *, waits: bool) -> None:
        assert len(set(senders)) == len(senders)
        for sender in senders:
            assert sender.waits != waits, "notified twice"
            sender.waits = waits


def test_ipv6_64_shares_one_quota() -> None:
    memory = QuotaHarness(1_000_000)
    key = address_key("2001:db8::1")
    assert key == address_key("2001:db8::2")
    one, two, other = FakeMail(key), FakeMail(key), FakeMail(address_key("2001:db8:0:1::1"))
    memory.receive(one, 300_000)
    memory.receive(other, 300_000)
    memory.receive(two, 250_000)
    assert (one.waits, two.waits, other.waits) == (False, True, False)
    memory.complete(one)
    memory.release(one)
    assert not two.waits


def test_large_mails_complete_one_after_another() -> None:
    """If all partly received messages waited, none would become complete."""
    memory = QuotaHarness(1_000_000, largest=900_000)
    senders = [FakeMail(f"192.0.2.{n}") for n in range(4)]
    for sender in senders:
        memory.receive(sender, 300_000)
    for done, sender in enumerate(senders):
        assert not sender.waits, f"the oldest remaining message waits: {done}"
        if done == 0:
            assert all(other.waits for other in senders[1:])
            memory.receive(sender, 600_000)
            assert not sender.waits
        memory.complete(sender)
        memory.release(sender)
    assert memory.quota.is_unused


def test_a_mail_of_the_maximum_size_always_fits() -> None:
    for limit, largest in ((1_000, 100_000), (120_000, 100_000), (10**9, 100_000)):
        memory, alone = QuotaHarness(limit, largest), FakeMail("192.0.2.1")
        memory.receive(alone, largest - 1)
        assert not alone.waits
        memory.complete(alone)
        memory.release(alone)
        assert memory.quota.is_unused


def test_oldest_mail_of_an_address_resumes_when_others_finish() -> None:
    memory = QuotaHarness(4_000_000, largest=1_500_000)
    slow, x1, x2 = FakeMail("slow"), FakeMail("x"), FakeMail("x")
    other = FakeMail("y")
    memory.receive(slow, 70_000)
    memory.receive(x1, 1_000_000)
    memory.receive(x2, 1_000_000)
    assert (x1.waits, x2.waits) == (False, True)
    memory.receive(other, 500_000)
    assert x1.waits, "all of the memory is used"
    memory.complete(other)
    memory.release(other)
    assert (x1.waits, x2.waits) == (False, True)


def test_maximum_size_fits_while_a_slow_mail_is_received() -> None:
    for limit in (1_000_000, 1_200_000, 1_999_999, 2_000_000, 4_000_000):
        memory = QuotaHarness(limit, largest=1_000_000)
        slow, large = FakeMail("192.0.2.1"), FakeMail("192.0.2.2")
        memory.receive(slow, 70_000)
        for _ in range(100_000, 930_000 if limit < 1_100_000 else 1_000_000, 100_000):
            memory.receive(large, 100_000)
            assert not large.waits, (limit, large.nbytes)


def test_releasing_twice_has_no_effect() -> None:
    memory, one, other = QuotaHarness(1_000_000), FakeMail("a"), FakeMail("b")
    memory.receive(one, 300_000)
    memory.receive(other, 100_000)
    for _ in range(2):
        memory.release(one)
        assert memory.quota.reserved_bytes == 100_000
    memory.complete(one)
    memory.release(other)
    assert memory.quota.is_unused


PIECES = st.sampled_from([READ] * 4 + [READ // 2, 70_000, 1_000, 1])
STEPS = st.lists(
    st.tuples(st.integers(0, 7), PIECES, st.sampled_from(["piece"] * 60 + ["end", "gone"])), min_size=80, max_size=160
)
KEYS = (None, "a", "a", "a", "b", "b", "c", None)


@given(STEPS, st.integers(4_000_000, 8_000_000))
def test_limit_holds_and_one_large_mail_always_progresses(steps: list[tuple[int, int, str]], limit: int) -> None:
    """Some of the eight clients share a quota key. Two are trusted and have none."""
    largest = 2_000_000
    memory = QuotaHarness(limit, largest)
    sending = [FakeMail(key) for key in KEYS]
    complete: list[FakeMail] = []

    def start_again(n: int) -> None:
        sending[n] = FakeMail(KEYS[n])

    for n, nbytes, what in steps:
        sender = sending[n]
        size = min(nbytes, largest - sender.nbytes, SMALL // 2 if sender.nbytes <= SMALL else nbytes)
        if what == "piece" and not sender.waits and size:
            memory.receive(sender, size)
        elif what == "gone" or (what == "piece" and size == 0):
            memory.release(sender)
            start_again(n)
        elif what == "end" and not sender.waits:
            memory.complete(sender)
            complete.append(sender)
            start_again(n)
        if what == "end" and len(complete) > 2:
            memory.release(complete.pop(0))
        assert memory.quota.reserved_bytes == sum(mail.nbytes for mail in (*sending, *complete))
        assert memory.quota.reserved_bytes <= limit + READ + (SMALL + SMALL // 2) * len(sending)
        assert memory.quota.waiting_mails == sum(mail.waits for mail in sending)
        large = [mail for mail in sending if mail.nbytes > SMALL]
        assert not any(mail.waits for mail in sending if mail.nbytes <= SMALL), "a small mail never waits"
        assert complete or not large or not all(mail.waits for mail in large), "one of the large mails continues"
    for mail in complete:
        memory.release(mail)
    # Every paused message is resumed, so all of them can complete.
    while any(mail.nbytes for mail in sending):
        n = next(n for n, mail in enumerate(sending) if mail.nbytes and not mail.waits)
        memory.complete(sending[n])
        memory.release(sending[n])
        start_again(n)
    assert memory.quota.is_unused


@given(STEPS, st.integers(4_000_000, 8_000_000))
def test_oldest_large_mail_waits_only_for_complete_mails(steps: list[tuple[int, int, str]], limit: int) -> None:
    """This test completes no message, so the oldest large message must never wait."""
    largest = 2_000_000
    memory = QuotaHarness(limit, largest)
    sending = [FakeMail(key) for key in KEYS]
    by_age: list[FakeMail] = []
    for n, nbytes, what in steps:
        sender = sending[n]
        size = min(nbytes, largest - sender.nbytes, SMALL // 2 if sender.nbytes <= SMALL else nbytes)
        if what == "piece" and size and not sender.waits:
            memory.receive(sender, size)
            if sender.nbytes > SMALL and sender not in by_age:
                by_age.append(sender)
        elif what != "piece" or not size:
            memory.release(sender)
            by_age = [mail for mail in by_age if mail is not sender]
            sending[n] = FakeMail(KEYS[n])
        assert not by_age or not by_age[0].waits
