"""The page's three tabs, laid out with Streamlit. What they show is made by the other modules of this package."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import streamlit as st

import ipmix
from ipmix.explore import corrupted, scorecards, uploads, versions
from ipmix.explore.beginning import beginning
from ipmix.explore.knobs import Knob, base, in_python, knobs, made, presets

SIZES = (32, 64, 128, 224)
WIDTH = 168
"""CSS pixels of an image."""
FRAME = 1000
"""CSS pixels of the frame that shows a report."""
SEED_MOST = 2**31
"""Seeds may be larger; these fit every browser's fields."""

# Every change of one knob runs the whole page: what other tabs show is kept.
kept_severities = st.cache_data(max_entries=8, show_spinner=False)(corrupted.by_severity)
kept_family = st.cache_data(max_entries=2, show_spinner=False)(corrupted.whole_family)
kept_upload = st.cache_data(max_entries=4, show_spinner=False)(scorecards.page_of_upload)


@st.cache_data(max_entries=4, show_spinner=False)
def kept_page(path: str, stamp: tuple[float, ...]) -> str:
    """The report of results, until one of their files changes."""
    return scorecards.page_of(path)


def show() -> None:
    """The whole page, for one visitor, after one change."""
    st.set_page_config(page_title="ipmix explore", layout="wide")
    st.title("ipmix explore")
    image = _image()
    augmenting, corrupting, scoring = st.tabs(["Augment", "Corrupt", "Scorecard"])
    with augmenting, _told():
        _augment(image)
    with corrupting, _told():
        _corrupt(image)
    with scoring, _told():
        _scorecard()


@contextmanager
def _told() -> Iterator[None]:
    """A refusal is a message in the page."""
    try:
        yield
    except ipmix.InputError as error:
        st.error(_text(str(error)))


def _text(message: str) -> str:
    """A message as plain text: what would be Markdown in it, from a file's name say, is escaped."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()<>#+-!|~$:&" else letter for letter in message)


def _image() -> np.ndarray:
    left, right = st.columns([3, 1])
    with left:
        given = st.file_uploader(
            "Drop an image", key="image", help="It stays on this machine.", max_upload_size=uploads.UPLOAD_MOST >> 20
        )
    with right:
        size = st.selectbox(
            "Longer side, pixels", SIZES, index=SIZES.index(224), key="size",
            help="Several settings go by the image's size: up to 64 pixels they are those for CIFAR.",
        )  # fmt: skip
    with _told():
        if given is not None:
            return uploads.read_upload(given.name, given.getvalue(), size)
        if beginning.image is not None:
            return uploads.read_image(beginning.image, size)
    return uploads.sample_image(size)


# --- augment ------------------------------------------------------------------------------------------------


def _augment(image: np.ndarray) -> None:
    settings, shown = st.columns([1, 3])  # on narrow screens the settings come first, and fold
    with settings:
        names = [name for name in ipmix.METHODS if name != "vanilla"]
        name = st.selectbox("Method", names, index=names.index("ipmix"), format_func=_title, key="method")
        known = presets(name)
        preset = None
        if known:
            preset = st.selectbox("Preset", (None, *known), format_func=lambda p: p or "defaults", key=f"{name} preset")
        mixing = versions.mixing_images(beginning.mixing_set)
        first = versions.first_seed(base(name, preset), image, mixing)
        where = f"{name} {image.shape[:2]}"
        seed = st.number_input("Seed", 0, SEED_MOST, first, key=f"{where} seed", help="Of everything random.")
        epoch = st.number_input("Epoch", 0, SEED_MOST, 0, key=f"{where} epoch", help="Another version in each.")
        with st.expander(f"Settings of {_title(name)}", expanded=True):
            values = {knob.name: _widget(knob, f"{name} {preset} {knob.name}") for knob in knobs(name, preset)}
    with shown, _told():
        method = made(name, preset, values)
        found = versions.version(method, image, mixing, seed=int(seed), epoch=int(epoch))
        for row in found.rows:
            st.markdown(f"**{_text(row.label)}**")
            _row(row.images, row.boxes)
        st.markdown("**The recipe**")
        st.code("\n".join(found.words), language=None, wrap_lines=True)
        st.code(in_python(method, name, preset), language="python", wrap_lines=True)
        with st.expander("The recipe as JSON"):
            for text in found.json:
                st.code(json.dumps(json.loads(text), indent=1), language="json", wrap_lines=True)


def _title(name: str) -> str:
    return ipmix.METHODS[name].__name__


def _widget(knob: Knob, key: str) -> Any:
    """The widget of a knob; its value."""
    if knob.kind == "text":
        text = "" if knob.default is None else json.dumps(knob.default)
        return st.text_input(knob.name, text, key=key, help=f"{knob.explained} Empty: chosen by itself.")
    if knob.optional and not st.checkbox(
        f"set {knob.name}", knob.default is not None, key=f"{key} set", help=knob.explained
    ):
        return None
    kinds: dict[str, Callable[[], Any]] = {
        "whole": lambda: st.slider(
            knob.name, int(knob.low), int(knob.high), _within(knob, int), key=key, help=knob.explained
        ),
        "number": lambda: st.slider(
            knob.name, float(knob.low), float(knob.high), _within(knob, float), knob.step, key=key, help=knob.explained
        ),
        "switch": lambda: st.checkbox(knob.name, bool(knob.default), key=key, help=knob.explained),
        "choice": lambda: st.selectbox(
            knob.name, knob.choices, max(0, knob.choices.index(knob.default) if knob.default in knob.choices else 0),
            key=key, help=knob.explained,
        ),
        "subset": lambda: st.multiselect(
            knob.name, knob.choices, list(knob.default), key=key, help=knob.explained, wrap=True
        ),
    }  # fmt: skip
    return kinds[knob.kind]()


def _within(knob: Knob, kind: type) -> Any:
    """Where a slider begins: at the default, or at 3 where the method chooses."""
    return kind(min(max(3 if knob.default is None else knob.default, knob.low), knob.high))


def _row(images: Sequence[tuple[str, np.ndarray]], boxes: Sequence[Any] = ()) -> None:
    with st.container(horizontal=True):
        for place, (label, image) in enumerate(images):
            box = boxes[place] if place < len(boxes) else None
            st.image(uploads.as_shown(image, box), caption=_text(label), width=WIDTH, alt=label)


# --- corrupt ------------------------------------------------------------------------------------------------


def _corrupt(image: np.ndarray) -> None:
    settings, shown = st.columns([1, 3])
    with settings:
        sets = corrupted.families()
        family = st.selectbox("Set", list(sets), key="family")
        whole = "all of them, at one severity"
        name = st.selectbox(
            "Corruption", (*sets[family], whole), format_func=lambda n: n.replace("_", " "), key="corruption"
        )
        severity = st.slider("Severity", 1, 5, 3, key="severity") if name == whole else 0
        seed = int(st.number_input("Seed", 0, SEED_MOST, 0, key="corruption seed"))
    with shown, _told():
        if name == whole:
            images = kept_family(image, family, severity, seed=seed)
        else:
            images = kept_severities(image, name, seed=seed)
        _row([("clean", image), *images])


# --- scorecard ----------------------------------------------------------------------------------------------


def _scorecard() -> None:
    begun = "" if beginning.scorecard is None else str(beginning.scorecard)
    path = st.text_input(
        "A folder of ipmix evaluate, quickstart or experiment, or a scorecard.json in it", begun, key="results"
    )
    given = st.file_uploader("or drop a scorecard.json", key="card", max_upload_size=scorecards.CARD_MOST >> 20)
    if given is not None:
        page = kept_upload(given.name, given.getvalue())
    elif path.strip():
        page = kept_page(path, scorecards.stamp(path))
    else:
        st.markdown("Its report is shown here.")
        return
    st.iframe(f"/report/{scorecards.keep(page)}", width="stretch", height=FRAME, alt="The report of these results")
