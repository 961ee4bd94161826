import base64
import hashlib
import html
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from ipmix.core.errors import InputError
from ipmix.report import Figure, Panel, render_page, write_page

MIXING_IMAGE = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


class Reader(HTMLParser):
    """Collects the text, and checks that tags that open also close."""

    VOID = frozenset(("meta", "link", "br", "img"))

    def __init__(self):
        super().__init__()
        self.open, self.text, self.sources = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    assert not reader.open
    return reader


def test_a_comparison_shows_everything(cards):
    panel = Panel("Images", "Some text.", [("a row", [Figure(MIXING_IMAGE, "caption one")])])
    page = render_page(cards, title="Two runs", panels=[panel], facts=[("seed", "7")], lead="A lead.")
    text = " ".join(" ".join(read(page).text).split())
    for part in (
        "Two runs", "A lead.", "plain", "IPMix", "Clean error",
        "Mean error over 2 corruptions, severities 1, 2, 3, 4, 5", "Mean flip probability over 1 perturbation",
        "Adversarial error", "Calibration error (RMS)", "better", "gaussian noise", "tilt", "a row", "caption one",
        "Does its confidence keep its word?", "seed", "7",
    ):  # fmt: skip
        assert part in text, part


def test_a_single_run_has_nothing_to_compare(cards):
    page = render_page(cards[:1], title="One run")
    assert "too close to call" not in page
    assert "At a glance" in page


def test_the_page_asks_for_nothing_outside(cards):
    page = render_page(cards, title="T", panels=[Panel("P", "", [("", [Figure(MIXING_IMAGE)])])])
    assert all(source.startswith("data:") for source in read(page).sources)
    without_namespace = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|@import|url\(|<script ", without_namespace)


def test_the_one_script_and_the_one_style_are_those_of_the_policy(cards):
    page = render_page(cards, title="T")
    for tag, rule in (("script", "script-src"), ("style", "style-src-elem")):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(found) == page.count(f"<{tag}") == 1
        digest = base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode()
        assert f"{rule} 'sha256-{digest}';" in html.unescape(page)


def test_names_with_html_are_text(tmp_path, made_card):
    nasty = "<script>alert('x')</script> & \"q\""
    card = made_card(tmp_path / "run", nasty)
    panel = Panel(nasty, nasty, [(nasty, [Figure(MIXING_IMAGE, nasty)])])
    page = render_page([card, card], title=nasty, lead=nasty, facts=[(nasty, nasty)], panels=[panel])
    assert page.count("<script") == 1, "the page's own"
    assert nasty in " ".join(read(page).text)


def test_what_could_not_be_measured_says_why(tmp_path, made_card):
    card = made_card(tmp_path / "run", "few", count=40)
    page = render_page([card], title="Few")
    assert "needs at least 100 images (one bin), got 40" in page


def test_no_answer_is_a_warning(tmp_path, made_card):
    card = made_card(tmp_path / "run", "broken")
    card["without_answer"] = {"clean": 3}
    assert "3 images have no valid answer" in render_page([card], title="Broken")


def test_verdicts_need_intervals_apart(cards):
    same = render_page([cards[0], cards[0]], title="Same")
    assert "▼ better" not in same
    assert "▲ worse" not in same
    assert "too close to call" in same
    assert "▼ better" in render_page(cards, title="Better")
    assert "▲ worse" in render_page(cards[::-1], title="Worse")


@pytest.mark.parametrize("cards", [[], [{"figures": 3}], ["text"]])
def test_something_else_is_refused(cards):
    with pytest.raises(InputError):
        render_page(cards, title="T")


def test_writing_replaces_whole_files(cards, tmp_path):
    write_page(tmp_path / "report.html", cards, title="First")
    with pytest.raises(InputError):
        write_page(tmp_path / "report.html", [], title="Second")
    assert "First" in (tmp_path / "report.html").read_text(encoding="utf-8")
