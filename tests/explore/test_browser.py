"""The page in a real browser: an image is dropped, a knob is moved by a click, nothing outside is asked for."""

import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from tests.report.devtools import opened

import ipmix

pytest.importorskip("streamlit", reason='the page needs pip install "ipmix[explore]"')
pytestmark = pytest.mark.slow

PATIENCE = 120.0
UNKNOWN_FEATURE = re.compile(r"Unrecognized feature: '[a-z-]+'\.")
"""Streamlit asks Chromium for more of a frame's features than it knows."""

SEEN = (
    """[...document.querySelectorAll('[data-testid=stImage] img')].filter((i) => i.complete && i.naturalWidth).length"""
)
WORDS = "document.querySelector('[data-testid=stCode] code')?.textContent ?? ''"
PLACE = """(() => {
  const found = [...document.querySelectorAll('%s')].filter((e) => e.textContent.trim() === '%s').pop();
  if (!found) return null;
  found.scrollIntoView({block: 'center'});
  const box = found.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
})()"""


@pytest.fixture(scope="module")
def address(tmp_path_factory, made_card):
    run = tmp_path_factory.mktemp("explore") / "run"
    ipmix.Scorecard(made_card(run.parent / "predictions", "a network")).save(run)
    words = ["-m", "ipmix", "explore", "--port", "0", "--no-browser", "--scorecard", str(run)]
    environment = {**os.environ, "STREAMLIT_SERVER_ADDRESS": "0.0.0.0", "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "true"}
    server = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert server.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert found, "it says where it is"
        yield found[0]
    finally:
        server.terminate()
        server.communicate(timeout=30)


@pytest.fixture(scope="module")
def tab(chromium, tmp_path_factory):
    with opened(chromium, tmp_path_factory.mktemp("browser") / "profile", reached="127.0.0.1") as found:
        yield found


def until(tab, script, what):
    """Wait until a script's value is what is wanted; that value."""
    end = time.monotonic() + PATIENCE
    while not what(value := tab.run(script)):
        assert time.monotonic() < end, (script, value, tab.complaints())
        time.sleep(0.1)
    return value


def click(tab, kind, text):
    x, y = until(tab, PLACE % (kind, text), lambda place: place is not None)
    for what in ("mousePressed", "mouseReleased"):
        tab.ask("Input.dispatchMouseEvent", type=what, x=x, y=y, button="left", clickCount=1)


def drop(tab, number, path):
    """Give a file to the page's file field of this number, as a drop would."""
    root = tab.ask("DOM.getDocument")["root"]["nodeId"]
    fields = tab.ask("DOM.querySelectorAll", nodeId=root, selector="input[type=file]")["nodeIds"]
    tab.ask("DOM.setFileInputFiles", nodeId=fields[number], files=[str(path)])


def opened_page(tab, address, **view):
    tab.open(address, **view)
    until(tab, SEEN, lambda count: count > 8)


def complaints(tab):
    return [each for each in tab.complaints() if not UNKNOWN_FEATURE.fullmatch(each)]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_it_opens_and_asks_for_nothing_outside(tab, address, width, scheme):
    opened_page(tab, address, width=width, scheme=scheme)
    for name in ("Augment", "Corrupt", "Scorecard"):
        click(tab, "button[role=tab], [role=tab]", name)
        assert tab.run("document.documentElement.scrollWidth") <= width, name
    until(tab, "document.querySelector('iframe')?.getBoundingClientRect().width ?? 0", lambda w: w > 300)
    asked = tab.requested()
    assert asked
    assert [url for url in asked if not url.startswith((f"{address}/", "blob:"))] == []
    assert complaints(tab) == []


def test_the_settings_come_first_and_every_choice_is_seen(tab, address):
    top = "document.querySelector('{}').getBoundingClientRect().{}"
    for width in (400, 1280):
        opened_page(tab, address, width=width)
        method, image = (
            tab.run(top.format(what, "top")) for what in ("[class*=st-key-method]", "[data-testid=stImage]")
        )
        assert method < 900, "it is reached without passing the images"
        assert (method < image) or width == 1280
        cut = (
            "[...document.querySelectorAll('[data-testid=stMultiSelect] [data-tag]')].map((e) => {"
            "const whole = e.closest('[data-testid=stMultiSelectTagsContainer]').getBoundingClientRect();"
            "const own = e.getBoundingClientRect();"
            "return own.right <= whole.right && own.bottom <= whole.bottom + 1 })"
        )
        found = until(tab, cut, lambda found: len(found) == 7)  # four mixers and three levels
        assert all(found), width


def test_what_would_be_asked_outside_is_stopped(tab, address):
    opened_page(tab, address)
    tab.run("document.body.append(Object.assign(new Image(), {src: 'https://example.org/x.png'})); 0")
    until(tab, "1", lambda _: any("Content Security Policy" in each for each in tab.complaints()))


def test_a_click_on_a_knob_draws_another_version(tab, address):
    opened_page(tab, address, width=1280)
    before = until(tab, WORDS, bool)
    plus = "document.querySelector('[data-testid=stNumberInputStepUp]')"
    x, y = tab.run(
        f"(() => {{ const e = {plus}; e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect();"
        "return [b.x + b.width / 2, b.y + b.height / 2] })()"
    )
    for what in ("mousePressed", "mouseReleased"):
        tab.ask("Input.dispatchMouseEvent", type=what, x=x, y=y, button="left", clickCount=1)
    after = until(tab, WORDS, lambda words: words and words != before)
    assert after.startswith("224x224 image")


def test_an_image_is_dropped_and_an_eps_is_refused_in_words(tab, address, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)).save(tmp_path / "photo.png")
    (tmp_path / "stranger.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\nshowpage\n")
    opened_page(tab, address, width=1280)
    drop(tab, 0, tmp_path / "photo.png")
    until(tab, WORDS, lambda words: words.startswith("60x40 image"))
    opened_page(tab, address, width=1280)
    drop(tab, 0, tmp_path / "stranger.png")
    alert = "document.querySelector('[data-testid=stAlert]')?.textContent ?? ''"
    told = until(tab, alert, bool)
    assert told.startswith("stranger.png is not an image of the kind JPEG or PNG")
    assert "Traceback" not in tab.run("document.body.textContent")


def test_the_report_is_shown_and_can_t_reach_the_page(tab, address):
    opened_page(tab, address, width=1280)
    click(tab, "button[role=tab], [role=tab]", "Scorecard")
    source = until(tab, "document.querySelector('iframe')?.src ?? ''", bool)
    assert source.startswith(f"{address}/report/")
    # Of one origin, the page could look into the frame, and it at the page.
    until(tab, "document.querySelector('iframe').contentDocument === null", bool)
    tab.open(source)
    assert "How safe is a network?" in tab.run("document.body.textContent")
    assert tab.run("self.origin") == "null"
