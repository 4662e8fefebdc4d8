"""Charts are well-formed and within bounds for any values and texts."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from api.dashboard import charts
from api.dashboard.charts import HEIGHT, ChartPoint

POINTS = st.lists(st.builds(ChartPoint, label=st.text(max_size=20), value=st.integers(0, 10**12)), max_size=40)


def parse_svg(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup)


def percentage(element: ElementTree.Element, name: str) -> float:
    return float(element.attrib[name].removesuffix("%"))


@given(title=st.text(max_size=50), points=POINTS)
def test_columns(title: str, points: list[ChartPoint]) -> None:
    drawn = parse_svg(charts.column_chart("a", title, points))
    assert drawn.attrib["role"] == "img"
    first = drawn[0]
    assert (first.tag, first.attrib["id"]) == ("title", drawn.attrib["aria-labelledby"])
    columns = drawn.findall("rect")
    some = [point for point in points if point.value]
    assert len(columns) == len(some)
    heights = []
    for column, point in zip(columns, some, strict=True):
        assert column[0].text is not None
        assert column[0].text.endswith(f": {point.value:,}")
        assert percentage(column, "x") >= 0
        assert percentage(column, "x") + percentage(column, "width") <= 100
        top, tall = float(column.attrib["y"]), float(column.attrib["height"])
        assert top > 0
        assert tall >= 2
        assert top + tall <= HEIGHT
        heights.append(tall)
    for one, tall in zip(some, heights, strict=True):
        for other, taller in zip(some, heights, strict=True):
            assert one.value >= other.value or tall <= taller
    if some:
        assert f"{max(point.value for point in points):,}" in [text.text for text in drawn.findall("text")]


@given(title=st.text(max_size=50), parts=st.lists(st.integers(0, 10**9), max_size=3), more=st.integers(0, 10**9))
def test_stacked_bars(title: str, parts: list[int], more: int) -> None:
    drawn = parse_svg(charts.stacked_bar("a", title, parts, sum(parts) + more))
    rects = drawn.findall("rect")
    assert [rect.attrib["class"] for rect in rects] == [f"part-{n}" for n, part in enumerate(parts) if part]
    left = 0.0
    for rect in rects:
        assert abs(percentage(rect, "x") - left) < 0.05
        left = percentage(rect, "x") + percentage(rect, "width")
    assert left <= 100.05


def test_text_is_escaped() -> None:
    drawn = charts.column_chart('"><script>', "<b>&", [ChartPoint("<i>", 3)])
    assert "<script" not in drawn
    assert "<b>" not in drawn
    assert "&lt;b&gt;&amp;" in drawn


def test_empty_charts_are_valid() -> None:
    assert parse_svg(charts.column_chart("a", "Nothing", [ChartPoint("1 Jan", 0)])).findall("rect") == []
    assert parse_svg(charts.stacked_bar("a", "Nothing", [0, 0], 0)).findall("rect") == []
    for always in (charts.pattern_definitions(), charts.swatch(1)):
        assert parse_svg(always).attrib["aria-hidden"] == "true"
