"""The test suite of RFC 7208, release 2014.04.

`rfc7208.json` has its zones and cases, without the descriptions and explanations; `rfc7208.LICENSE` has its licence.
Records of the obsolete type SPF became TXT records where the suite tells drivers to do that.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from router.checks.spf import check_spf
from tests.unit.checks.zones import ZoneLookup

_SCENARIOS = json.loads(Path(__file__).with_name("rfc7208.json").read_text(encoding="utf-8"))
_CASES = [(scenario["zone"], case) for scenario in _SCENARIOS for case in scenario["cases"]]


def test_the_suite_is_complete() -> None:
    assert len(_CASES) == 203


@pytest.mark.parametrize(("zone", "case"), [pytest.param(*pair, id=pair[1]["name"]) for pair in _CASES])
async def test_case(zone: dict[str, Any], case: dict[str, Any]) -> None:
    lookup = ZoneLookup(zone)
    found = await check_spf(lookup.query, peer=case["peer"], helo=case["helo"], reverse_path=case["mailFrom"])
    assert found.result in case["results"], found
    assert (found.reason == "") == (found.result in ("pass", "fail", "softfail", "neutral"))
    assert found.reason != "internal error"
