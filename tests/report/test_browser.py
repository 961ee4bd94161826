"""The page in a real browser: nothing is asked of the network, nothing sticks out, nothing is reported."""

import os
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.report.devtools import opened

from ipmix.evaluation.card import Scorecard
from ipmix.report import Figure, Panel, write_page

PROBE = """(() => {
  const page = document.documentElement, wide = [];
  for (const element of document.querySelectorAll("main *")) {
    const box = element.getBoundingClientRect();
    if (element.closest(".scroll") && !element.matches(".scroll")) continue;
    if (box.right > innerWidth + 1 || box.left < -1) wide.push(`${element.tagName} ${element.textContent.slice(0, 9)}`);
  }
  for (const table of document.querySelectorAll(".heat"))
    if (table.parentElement.scrollWidth > table.parentElement.clientWidth + 1) wide.push("heat map cut off");
  const images = [...document.images].filter((image) => !image.complete || !image.naturalWidth).length;
  const empty = [...document.querySelectorAll("svg.chart")].filter((s) => s.getBoundingClientRect().height < 20).length;
  for (const value of document.querySelectorAll(".v, .bar-value, .change"))
    if (new Set([...value.getClientRects()].map((r) => Math.round(r.top))).size > 1 || value.offsetHeight > 40)
      wide.push("split: " + value.textContent);
  return {width: innerWidth, scroll: page.scrollWidth, wide, images, empty};
})()"""

VIEWS = {
    "wide": {"width": 1280},
    "narrow": {"width": 400},
    "dark": {"width": 1280, "scheme": "dark"},
    "dark and narrow": {"width": 400, "scheme": "dark"},
    "print": {"width": 760, "media": "print"},
    "print of a dark page": {"width": 760, "scheme": "dark", "media": "print"},
}


@pytest.fixture(scope="module")
def tab(chromium, tmp_path_factory):
    with opened(chromium, tmp_path_factory.mktemp("browser") / "profile") as found:
        yield found


@pytest.fixture(scope="session")
def axe():
    """axe-core's script: the file that IPMIX_AXE names, or else the one in the package axe-core-python."""
    given, package = os.environ.get("IPMIX_AXE"), find_spec("axe_core_python")
    if not given and package is None:
        pytest.skip("axe-core is not installed (pip install axe-core-python) to check the page's accessibility with")
    file = Path(given) if given else Path(package.submodule_search_locations[0]) / "axe.min.js"
    return file.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def cards(made_card, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cards")
    long = "a run with a very long name " * 4 + "unbroken" * 12
    found = [made_card(folder / str(seed), name, seed=seed) for seed, name in enumerate(("plain", "IPMix", long))]
    for card in found:
        card["corruptions"]["transverse_chromatic_abberation"] = dict.fromkeys("12345", 0.4)
        card["corruptions"]["fog"] |= {"1": 0.0, "2": 0.26, "3": 0.5, "4": 0.74, "5": 1.0}
    return found


@pytest.fixture(scope="module")
def page(cards, tmp_path_factory):
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    panel = Panel("Images", "", [("row", [Figure(image, "a caption of several words")] * 12)])
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(path, cards, title="Three runs", panels=[panel], facts=[("seed", "0" * 120)])
    return path


@pytest.fixture(scope="module")
def alone(cards, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "alone.html"
    write_page(path, cards[:1], title="One run")
    return path


@pytest.fixture(scope="module")
def many(cards, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "many.html"
    write_page(path, [cards[place % 2] for place in range(12)], title="Twelve runs")
    return path


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("which", ["page", "many"])
def test_it_opens_cleanly(tab, request, which, view):
    tab.open(request.getfixturevalue(which), **VIEWS[view])
    seen = tab.run(PROBE)
    assert seen["width"] == VIEWS[view]["width"]
    assert seen["wide"] == []
    assert seen["scroll"] <= VIEWS[view]["width"]
    assert seen["images"] == 0
    assert seen["empty"] == 0
    assert tab.requested() == []
    assert tab.complaints() == []


def test_what_the_probe_looks_for_is_found(tab, page, tmp_path):
    """Each check has a page that it fails on."""
    text = page.read_text(encoding="utf-8")
    bad = tmp_path / "bad.html"
    bad.write_text(
        text.replace(
            "</main>",
            '<p style="width:3000px">wide</p><img src="data:image/png;base64,AAAA" alt="">'
            '<img src="https://example.org/x.png" alt=""></main>',
        ),
        encoding="utf-8",
    )
    tab.open(bad, width=1280)
    seen = tab.run(PROBE)
    assert seen["wide"] == ["P wide"]
    assert seen["scroll"] > 1280
    assert seen["images"] == 2
    assert any("Content Security Policy" in told for told in tab.complaints())


@pytest.mark.parametrize(
    "attack",
    [
        "<script>document.title = 'TAKEN'</script>",
        "<img src=x alt='' onerror=\"document.title = 'TAKEN'\">",
        "<style>main { display: none }</style>",
        "<iframe srcdoc=\"<script>parent.document.title = 'TAKEN'</script>\"></iframe>",
        "<a id=a href=\"javascript:void(document.title = 'TAKEN')\">x</a>",
    ],
)
def test_the_policy_stops_what_is_not_the_page_s_own(tab, page, tmp_path, attack):
    """Even where text was not escaped, nothing runs; without the policy, it does."""
    text = page.read_text(encoding="utf-8").replace("</main>", f"{attack}</main>")
    press = "document.getElementById('a')?.click(); new Promise((done) => setTimeout(done, 200))"
    taken = "document.title === 'TAKEN' || getComputedStyle(document.querySelector('main')).display === 'none'"
    for name, content in (("kept", text), ("without", re.sub(r"<meta http-equiv[^>]*>", "", text))):
        path = tmp_path / f"{name}.html"
        path.write_text(content, encoding="utf-8")
        tab.open(path)
        tab.run(press)
        assert tab.run(taken) is (name == "without"), name


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("which", ["page", "alone", "many"])
def test_axe_finds_no_violation(tab, axe, request, which, view):
    tab.open(request.getfixturevalue(which), **VIEWS[view])
    tab.run(axe + ";0")
    found = tab.run(
        "axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations.map((v) => v.id + ': ' + "
        "v.nodes.slice(0, 3).map((n) => n.target.join(' ') + ' ' + n.any.map((a) => a.message).join()).join(' | ')))"
    )
    assert found == []


def test_axe_finds_what_is_wrong(tab, axe, page, tmp_path):
    bad = tmp_path / "bad.html"
    text = page.read_text(encoding="utf-8")
    bad.write_text(text.replace("</main>", '<p style="color:#ccc;background:#fff">faint</p></main>'), encoding="utf-8")
    tab.open(bad)
    tab.run(axe + ";0")
    assert tab.run("axe.run().then((found) => found.violations.map((v) => v.id))") == ["color-contrast"]


COLORS = """(() => {
  const paint = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const levels = (...colors) => { paint.clearRect(0, 0, 1, 1);
    for (const color of colors) { paint.fillStyle = color; paint.fillRect(0, 0, 1, 1) }
    return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3) };
  return [...document.querySelectorAll(".heat td")].map((cell) => {
    const style = getComputedStyle(cell);
    const below = getComputedStyle(cell.closest("tbody")).backgroundColor;
    return [levels(style.color), levels(below, style.backgroundColor)];
  });
})()"""


def luminance(levels):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (level / 255 for level in levels)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("view", VIEWS)
def test_every_cell_of_the_heat_map_can_be_read(tab, page, view):
    """Also at the ends of the scale; 4.5 is what WCAG asks of text."""
    tab.open(page, **VIEWS[view])
    found = tab.run(COLORS)
    backgrounds = {tuple(background) for _, background in found}
    assert len(backgrounds) >= 5, "cells of errors from 0 to 1 differ"
    for color, background in found:
        bright, dark = sorted((luminance(color), luminance(background)), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, (color, background)


TABLES = """[...document.querySelectorAll('.scroll')].map((e) => [
  e.getAttribute('aria-label'), e.scrollWidth > e.clientWidth, e.tabIndex, getComputedStyle(e).backgroundAttachment,
  [...e.querySelectorAll('table, thead, tbody, tr, .measures :is(th, td)')]
    .every((each) => each.closest('.heat') || getComputedStyle(each).backgroundColor === 'rgba(0, 0, 0, 0)')])"""


def test_on_narrow_screens_tables_fit_or_are_seen_to_scroll(tab, page, many):
    """The shade lies behind the table: nothing of it may cover the shade."""
    tab.open(page, width=400)
    fits = {label: not scrolls for label, scrolls, *_ in tab.run(TABLES)}
    assert fits["Temperature scaling of plain"]
    assert fits["Prediction sets of IPMix"]
    tab.open(many, width=400)
    scrolling = [found for found in tab.run(TABLES) if found[1]]
    assert "Every measure" in [found[0] for found in scrolling], "what the check looks at"
    for label, _, place, shades, bare in scrolling:
        assert (place, shades, bare) == (0, "local, local, scroll, scroll", True), label


@pytest.mark.parametrize("view", [{"width": 400}, {"width": 794, "media": "print"}, {"width": 1280}])
def test_a_row_of_images_stays_a_row(tab, cards, tmp_path, view):
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    rows = [("row", [Figure(image, "a caption of several words")] * count) for count in (7, 4)]
    write_page(tmp_path / "rows.html", cards[:1], title="Rows", panels=[Panel("Images", "", rows, 92, per_column=1)])
    lines = (
        "[...document.querySelectorAll('.thumbs')].map((row) => new Set([...row.querySelectorAll('img')]"
        ".map((image) => Math.round(image.getBoundingClientRect().top))).size)"
    )
    tab.open(tmp_path / "rows.html", **view)
    assert tab.run(lines) == [1, 1]
    write_page(tmp_path / "rows.html", cards[:1], title="One", panels=[Panel("Images", "", [("", rows[0][1] * 3)], 92)])
    tab.open(tmp_path / "rows.html", **view)
    assert tab.run(lines)[0] > 1, "a row that stands alone goes on below"


NAMES = "[...document.querySelectorAll('.heat')].map((t) => [...t.tBodies[0].rows].map((r) => r.cells[0].textContent))"


def test_the_heat_maps_are_sorted_together(tab, page):
    tab.open(page)
    before = tab.run(NAMES)
    press = "document.querySelectorAll('.heat')[0].tHead.rows[0].cells[{}].querySelector('button').click()"
    values = "[...document.querySelectorAll('.heat')[0].tBodies[0].rows].map((r) => Number(r.cells[6].dataset.value))"
    tab.run(press.format(6))
    assert tab.run(values) == sorted(tab.run(values), reverse=True)
    assert tab.run("document.querySelector('.heat [aria-sort]').textContent") == "mean"
    tab.run(press.format(6))
    assert tab.run(values) == sorted(tab.run(values))
    names = tab.run(NAMES)
    assert names[0] != before[0]
    assert names[1] == names[0] == names[2]
    tab.run(press.format(0))
    assert tab.run(NAMES) == before


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (".bar-row", r"plain: [\d.]+% \([\d.]+–[\d.]+\), 150 images"),
        (".heat td", r"[a-z ]+, severity 1: [\d.]+% \([\d.]+–[\d.]+\), 150 images"),
        (".chart .dot", r"(plain|IPMix|a run [a-z ]+): [\d.]+% \([\d.]+–[\d.]+\), clean, 150 images"),
        (".chart .fill", r"\d+ images: confidence [\d.]+%, correct [\d.]+% \([\d.]+–[\d.]+\)"),
    ],
)
def test_the_pointer_is_told_value_interval_and_number(tab, page, what, expected):
    tab.open(page)
    place = tab.run(
        f"(() => {{ const found = document.querySelector('{what}'); found.scrollIntoView({{block: 'center'}});"
        "const box = found.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2] })()"
    )
    # What scrolls takes the words away: only a frame later that has passed.
    tab.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(0))))")
    assert tab.run("document.querySelector('.tip').hidden")
    tab.ask("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
    assert tab.run("document.querySelector('.tip').hidden") is False
    assert re.fullmatch(expected, tab.run("document.querySelector('.tip').textContent"))


def test_without_scripts_nothing_is_missing(tab, page):
    text = "document.querySelector('main').innerText.split(/\\s+/).join(' ')"
    tab.open(page)
    whole = tab.run(text)
    tab.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.open(page)
        assert tab.run("document.querySelectorAll('.tip, button').length") == 0
        assert tab.run(text) == whole
        assert tab.run("document.querySelector('.bar-row').title").startswith("plain: ")
        assert tab.run("document.querySelector('.chart .dot title').textContent").startswith("plain: ")
    finally:
        tab.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_print_breaks_no_paragraph_heading_or_line_of_a_table(tab, page):
    broken = (
        "[...document.querySelectorAll('main p, h1, h2, h3, h4, li, tr, dd, figcaption, .card')].filter((e) =>"
        "getComputedStyle(e).breakInside !== 'avoid').map((e) => e.tagName)"
    )
    tab.open(page, width=760, media="print")
    assert tab.run(broken) == []
    headings = "[...document.querySelectorAll('h1, h2, h3')].filter((e) => getComputedStyle(e).breakAfter !== 'avoid')"
    assert tab.run(headings + ".length") == 0
    assert tab.pdf().startswith(b"%PDF")
    tab.open(page, width=760)
    assert tab.run(broken) != [], "the check sees pages that are not printed"


def test_more_runs_than_colors_are_told_apart(tab, many):
    tab.open(many)
    looks = tab.run(
        "[...document.querySelectorAll('.legend svg')].map((s) => { const line = getComputedStyle(s.children[0]);"
        "return [line.stroke, line.strokeDasharray, s.children[1].getAttribute('d')].join(' ') })"
    )
    assert len(looks) == len(set(looks)) == 12


def test_a_notebook_and_the_page_in_it_leave_each_other_alone(tab, cards, tmp_path):
    shown = Scorecard(cards[0])._repr_html_()
    notebook = tmp_path / "notebook.html"
    notebook.write_text(
        "<!doctype html><meta charset=utf-8><style>body { background: rgb(1, 2, 3) } table { color: rgb(4, 5, 6) }"
        "h1 { font-size: 99px }</style><h1>n</h1><table><tr><td>x</td></tr></table>"
        + shown.replace('sandbox="allow-scripts"', 'sandbox="allow-scripts allow-same-origin"'),  # to look inside
        encoding="utf-8",
    )
    assert 'sandbox="allow-scripts"' in shown
    tab.open(notebook)
    style = "getComputedStyle({}).{}"
    assert tab.run(style.format("document.body", "backgroundColor")) == "rgb(1, 2, 3)"
    assert tab.run(style.format("document.querySelector('table')", "color")) == "rgb(4, 5, 6)"
    inner = "document.querySelector('iframe').contentDocument"
    assert tab.run(f"{inner}.querySelectorAll('.heat button').length") > 0, "its script runs"
    assert tab.run(style.format(f"{inner}.querySelector('h1')", "fontSize")) != "99px"
    assert tab.run(style.format(f"{inner}.querySelector('.heat')", "color")) != "rgb(4, 5, 6)"
    told = [each for each in tab.complaints() if "can escape its sandboxing" not in each]  # that is the test's change
    assert told == []
