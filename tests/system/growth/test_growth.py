"""The short form of the cost growth test, with fixed shapes."""

import pytest

from tests.system.growth import measure
from tests.system.growth.inventory import SUBJECTS
from tests.system.growth.measure import MIN_STEP_SECONDS, Growth, survey
from tests.system.growth.shapes import Shape
from tests.system.growth.subject import Subject

LONGER_SECONDS = 0.1  # regressions are measured at larger sizes


def find_violations(subject: Subject, *shapes: Shape, until: float = MIN_STEP_SECONDS) -> list[str]:
    return [fault for growth in survey(subject, shapes, until=until) if (fault := growth.fault())]


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_cost_grows_in_proportion_to_the_input(subject: Subject) -> None:
    assert find_violations(subject, *subject.quick_shapes) == []
    assert find_violations(subject, *subject.regressions, until=LONGER_SECONDS) == []


def quadratic(data: bytes) -> None:
    for at in range(0, len(data), 16):
        data.count(b"b", at)


def exponential(data: bytes) -> None:
    for _ in range(1 << min(40, len(data) // 64)):
        pass


def copying(data: bytes) -> None:
    for _ in range(2):
        data * 1000


def make_growth(*seconds: float) -> Growth:
    sizes = tuple(1024 << doubling for doubling in range(len(seconds)))
    return Growth("a", Shape(b"a"), sizes, seconds, 0.0)


def test_excessive_growth_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "CALL_SECONDS", 1.0)
    monkeypatch.setattr(measure, "RUNS", 1)
    shape = Shape(b"a")
    assert "factor" in find_violations(Subject("quadratic", quadratic, 1 << 17), shape)[0]
    assert "over 1 s" in find_violations(Subject("exponential", exponential, 1 << 18), shape)[0]
    assert "memory" in find_violations(Subject("copying", copying, 1 << 14), shape)[0]


def test_two_doublings_in_a_row_decide() -> None:
    assert make_growth(0.001, 0.004, 0.016).worst == pytest.approx(4)
    assert make_growth(0.004, 0.008, 0.032).worst == pytest.approx(2)  # a single jump
    assert make_growth(0.00005, 0.0002, 0.0008, 0.0032).worst == 0  # too short to measure
    assert make_growth(0.001, 0.002, 3.0).worst == pytest.approx(1500)  # a slow last call counts alone
