"""The numbers of today in the overview."""

from datetime import date

import pytest

from api.dashboard.views.overview import today_figures
from router.admin.installation.overview import DayCounts

TODAY = DayCounts(date(2030, 1, 9), messages=5, tickets=1200, dead=0, resolved=2)


@pytest.mark.parametrize(("day", "name"), [(8, "yesterday"), (2, "last Wednesday")])
def test_numbers_are_compared_with_an_earlier_day(day: int, name: str) -> None:
    figures = today_figures(TODAY, DayCounts(date(2030, 1, day), messages=5, tickets=0, dead=2, resolved=1))
    assert [(figure.number, figure.difference) for figure in figures] == [
        (1200, f"+1,200 compared with {name}"),
        (5, f"same as {name}"),
        (2, f"+1 compared with {name}"),
        (0, f"-2 compared with {name}"),
    ]


def test_a_new_workspace_has_no_earlier_day() -> None:
    assert {figure.difference for figure in today_figures(TODAY, None)} == {""}
