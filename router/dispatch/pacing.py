"""The rate at which messages are posted to a webhook: a steady rate with a small burst.

This is the generic cell rate algorithm. `paced_at` is the theoretical arrival time of the next message. It is stored,
so the rate holds over restarts and any number of deliver processes. Pure.
"""

from __future__ import annotations

from router.clock import SECOND
from router.model import Micros

# The maximum Retry-After plus a margin. If `paced_at` is further ahead of the clock, the clock was set back.
MAX_AHEAD: Micros = 2 * 3600 * SECOND
# Messages precede the update of a post until it was due for this time. Otherwise a steady load would delay it for ever.
MAX_UPDATE_WAIT: Micros = 60 * SECOND
# No update precedes messages for the time of this number of messages at the pace after another one, so that many
# updates delay messages little. A slow service accepts fewer messages in that time, but at least one.
MESSAGES_PER_UPDATE = 3


def send_interval(per_second: float) -> Micros:
    """Returns the microseconds between messages; 0 if the rate is unlimited."""
    return max(1, round(min(SECOND / per_second, 24 * 3600 * SECOND))) if per_second > 0 else 0


def admit(paced_at: Micros, now: Micros, per_second: float, burst: int) -> tuple[Micros, Micros]:
    """Returns (wait in microseconds, new `paced_at`). With a wait of 0, send now and store the new `paced_at`.

    `burst` messages may be sent at once after an idle period.
    """
    step = send_interval(per_second)
    tolerance = (max(burst, 1) - 1) * step
    caught_up = now if paced_at > now + tolerance + step + MAX_AHEAD else max(paced_at, now)
    wait = caught_up - tolerance - now
    return (wait, paced_at) if wait > 0 else (0, caught_up + step)


def paced_at_for(at: Micros, per_second: float, burst: int) -> Micros:
    """Returns the `paced_at` that delays the next message until `at` and then allows no burst."""
    return at + (max(burst, 1) - 1) * send_interval(per_second)
