"""Small charts as inline SVG, without scripts or external resources.

The widths in a chart are percentages, so that the chart fits any page without scaling the text. No information is
conveyed by colour alone. Colours come from the stylesheet, which covers light and dark mode.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

HEIGHT = 120  # height of a column chart in pixels
_TOP, _BOTTOM = 20, 22  # pixels reserved above the columns (maximum) and below them (labels)
_MIN_HEIGHT = 2.0  # minimum height of a column in pixels, so that every value above 0 is visible
# Text closer than this to an edge (percent of the chart's width) is aligned so that the edge does not cut it off.
_EDGE = 12.0
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """One column of a chart."""

    label: str
    value: int


def column_chart(name: str, title: str, points: Sequence[ChartPoint], scale: int = 0) -> Markup:
    """Returns a column chart as SVG.

    `name` is a prefix of the element ids, unique on the page. `title` describes the chart for screen readers. `scale`
    is the value of the full height, if it is larger than all values: charts that are compared have the same.
    """
    maximum = max((point.value for point in points), default=0)
    base = HEIGHT - _BOTTOM
    parts = [_svg_start(name, title, "columns", HEIGHT)]
    parts.append(Markup('<line class="axis" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(base))
    step = 100 / max(1, len(points))
    for n, point in enumerate(points):
        if point.value <= 0:
            continue
        height = max(_MIN_HEIGHT, (base - _TOP) * point.value / max(maximum, scale))
        parts.append(
            Markup('<rect class="column" x="{}%" y="{}" width="{}%" height="{}"><title>{}: {}</title></rect>').format(
                _format_number(n * step + step * 0.15),
                _format_number(base - height),
                _format_number(step * 0.7),
                _format_number(height),
                _escape(point.label),
                f"{point.value:,}",
            )
        )
    if maximum > 0:
        index = next(n for n, point in enumerate(points) if point.value == maximum)
        top = base - max(_MIN_HEIGHT, (base - _TOP) * maximum / max(maximum, scale))
        parts.append(_svg_text((index + 0.5) * step, round(top) - 6, f"{maximum:,}", "maximum"))
    if points:
        parts.append(_svg_text(0, HEIGHT - 6, points[0].label, "label"))
        if len(points) > 1:
            parts.append(_svg_text(100, HEIGHT - 6, points[-1].label, "label"))
    return Markup("").join([*parts, Markup("</svg>")])


def stacked_bar(name: str, title: str, parts: Sequence[int], total: int) -> Markup:
    """Returns a bar whose full width represents `total`. The page must contain `pattern_definitions()` once."""
    markup = [_svg_start(name, title, "strip", 12)]
    offset = 0.0
    for n, value in enumerate(parts):
        if value > 0 and total > 0:
            width = min(100.0 * value / total, 100.0 - offset)
            markup.append(
                Markup('<rect class="part-{}" x="{}%" y="0.5" width="{}%" height="11"/>').format(
                    n, _format_number(offset), _format_number(width)
                )
            )
            offset += width
    return Markup("").join([*markup, Markup("</svg>")])


def pattern_definitions() -> Markup:
    return Markup(
        '<svg class="hidden" aria-hidden="true" width="0" height="0"><defs>'
        '<pattern id="slanted" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<line class="hatch" x1="1.5" x2="1.5" y1="0" y2="6"/></pattern>'
        '<pattern id="dotted" width="5" height="5" patternUnits="userSpaceOnUse">'
        '<circle class="dot" cx="2.5" cy="2.5" r="1.2"/></pattern></defs></svg>'
    )


def swatch(n: int) -> Markup:
    return Markup(
        '<svg class="swatch" aria-hidden="true" width="14" height="12">'
        '<rect class="part-{}" x="0.5" y="0.5" width="13" height="11"/></svg>'
    ).format(n)


def _svg_start(name: str, title: str, kind: str, height: int) -> Markup:
    return Markup(
        '<svg class="chart {}" role="img" aria-labelledby="{}-title" width="100%" height="{}">'
        '<title id="{}-title">{}</title>'
    ).format(kind, name, height, name, _escape(title))


def _svg_text(x: float, y: float, text: str, kind: str) -> Markup:
    anchor = "start" if x < _EDGE else "end" if x > 100 - _EDGE else "middle"
    return Markup('<text class="{}" x="{}%" y="{}" text-anchor="{}">{}</text>').format(
        kind, _format_number(x), _format_number(y), anchor, _escape(text)
    )


def _format_number(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _escape(text: str) -> Markup:
    """Escapes the text. Removes control characters and the characters that XML forbids (XML 1.0 section 2.2)."""
    return escape(_FORBIDDEN.sub("", text))
