"""The design system: contrast of the colours, one height of controls, and a page that shows every part.

With `PAGE_PICTURES`, the page is saved as a picture in light, dark and on a phone.
"""

import re
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from playwright.async_api import Page

from api.dashboard.assets import FOLDER, read_files
from api.dashboard.avatars import HUES
from api.dashboard.formatting import FILTERS
from tests.integration.dashboard.page_checks import PAGE_PICTURES, check_layout
from tests.support.browser import Window, emulate_device, find_axe_violations

pytestmark = pytest.mark.asyncio(loop_scope="session")

STYLESHEET = read_files()["app.css"].decode()
STATES = ("red", "green", "amber", "blue", "violet")
SURFACES = ("paper", "card", "hover", "grey-paper", "accent-paper")
TEXT_PAIRS = (
    *product(("ink", "muted", "link"), (*SURFACES, "rail")),
    *((state, background) for state in STATES for background in ("card", f"{state}-paper")),
    *((text, background) for text in ("ink",) for background in (f"{state}-paper" for state in STATES)),
    ("on-accent", "accent"),
    *(("card", "ink"), ("card", "red")),
    *(("on-hue", f"hue-{n}") for n in range(HUES)),
    *(("ink", "heat-1"), ("ink", "heat-2"), ("heat-ink", "heat-3")),
)
BORDER_PAIRS = (*product(("edge", "accent"), ("paper", "card", "rail")), ("red", "card"))
MIN_TEXT_CONTRAST, MIN_BORDER_CONTRAST = 4.5, 3.0  # WCAG 1.4.3 and 1.4.11
# Pairs of the page whose contrast is too low, each with its contrast.
_LOW_CONTRAST = """([selector, property, minimum]) => {
  const channels = (color) => color.match(/[\\d.]+/g).slice(0, 3).map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const luminance = (color) => channels(color).reduce((sum, value, n) => sum + value * [0.2126, 0.7152, 0.0722][n], 0);
  const pairs = [...document.querySelectorAll(`${selector} p`)];
  const found = pairs.map((pair) => {
    const style = getComputedStyle(pair);
    const [dark, light] = [luminance(style[property]), luminance(style.backgroundColor)].sort((a, b) => a - b);
    return [pair.textContent, (light + 0.05) / (dark + 0.05)];
  });
  return { count: pairs.length, low: found.filter(([, contrast]) => !(contrast >= minimum)) };
}"""
_HEIGHTS = """() => {
  const controls = [...document.querySelectorAll("button, .button, .tabs a, .menu .item, select, input")];
  const heights = controls.filter((one) => !one.matches("[type=checkbox], [type=radio]"))
    .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect().height]);
  const token = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--control")) * 16;
  return { count: heights.length, other: heights.filter(([, height]) => Math.abs(height - token) > 0.6), token };
}"""
_ROWS = """() => Object.fromEntries([...document.querySelectorAll(".tickets")]
  .map((list) => [list.dataset.density, [...list.children].map((row) => row.offsetHeight)]))"""


def render() -> str:
    own = Path(__file__).parent
    templates = FOLDER.parent / "templates"
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(own), FileSystemLoader(templates)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment.get_template("design_system.html").render(
        visit=SimpleNamespace(form={}, error=None),
        text_pairs=TEXT_PAIRS,
        border_pairs=BORDER_PAIRS,
        stylesheet=STYLESHEET,
        icons=re.findall(r'^  "([a-z-]+)": "M', (templates / "icons.html").read_text(), re.MULTILINE),
    )


async def test_design_system(window: Window) -> None:
    page = await window.open("about:blank")
    await page.set_content(render())
    for kind in ("light", "dark", "phone"):
        await check_layout(page, "design-system", kind, folder=PAGE_PICTURES)
        assert await find_axe_violations(page) == [], kind
        heights = await page.evaluate(_HEIGHTS)
        assert (heights["count"] > 20, heights["other"]) == (True, []), (kind, heights["token"])
    for scheme in ("light", "dark"):
        await emulate_device(page, scheme=scheme)
        await check_contrast(page, "#text-pairs", "color", len(TEXT_PAIRS), MIN_TEXT_CONTRAST)
        await check_contrast(page, "#border-pairs", "borderTopColor", len(BORDER_PAIRS), MIN_BORDER_CONTRAST)
    assert await page.evaluate(_ROWS) == {"compact": [44, 44], "comfortable": [56, 56]}


async def check_contrast(page: Page, selector: str, style: str, count: int, minimum: float) -> None:
    measured = await page.evaluate(_LOW_CONTRAST, [selector, style, minimum])
    assert measured == {"count": count, "low": []}, selector


async def test_every_colour_role_is_measured() -> None:
    """A new colour is either a text, a background or a border, or not a colour that a user must discern."""
    names = set(re.findall(r"--([a-z][a-z0-9-]*): #", STYLESHEET))
    measured = {name for pair in (*TEXT_PAIRS, *BORDER_PAIRS) for name in pair}
    assert names - measured == {"line"}, "lines only decorate"
