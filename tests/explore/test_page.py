"""The page as Streamlit runs it, without a browser, and how it is served."""

import socket
from pathlib import Path

import pytest

import ipmix
from ipmix.explore import beginning as module

pytest.importorskip("streamlit", reason='the page needs pip install "ipmix[explore]"')

from streamlit.testing.v1 import AppTest

from ipmix.explore import serving

PAGE = Path(module.__file__).with_name("page.py")
PATIENCE = 120


@pytest.fixture
def page():
    shown = AppTest.from_file(str(PAGE), default_timeout=PATIENCE).run()
    assert not shown.exception
    return shown


def words(page):
    return page.code[0].value


def test_moving_a_knob_changes_the_recipe(page):
    before = words(page)
    assert before.startswith("224x224 image")
    assert page.code[1].value == "ipmix.IPMix()"
    page.slider(key="ipmix None k").set_value(1).run()
    assert words(page) != before
    assert page.code[1].value == "ipmix.IPMix(k=1)"
    assert len([line for line in words(page).splitlines() if line.startswith("  ")]) == 2, "clean and one chain"


def test_every_method_and_size_can_be_chosen(page):
    page.selectbox(key="size").set_value(32).run()
    for name in page.selectbox(key="method").options:
        chosen = next(key for key, kind in ipmix.METHODS.items() if kind.__name__ == name)
        page.selectbox(key="method").set_value(chosen).run()
        assert not page.exception, name
        assert not page.error, name
        assert words(page).startswith("32x32 image"), name


def test_settings_that_do_not_fit_are_told_in_the_page(page):
    page.slider(key="ipmix None min_ops").set_value(3)
    page.slider(key="ipmix None t").set_value(1).run()
    assert not page.exception
    assert [each.value for each in page.error] == [r"min\_ops must be at most t = 1, got 3"]


def test_results_are_shown_and_what_is_none_is_told(page, tmp_path, made_card):
    page.text_input(key="results").set_value(str(tmp_path)).run()
    assert "holds no results" in page.error[0].value
    assert not page.exception
    run = tmp_path / "run"
    ipmix.Scorecard(made_card(tmp_path / "predictions", "a network")).save(run)
    page.text_input(key="results").set_value(str(run)).run()
    assert not page.error
    (frame,) = page.get("iframe")
    assert frame.proto.src.startswith("/report/")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.org", ""])
def test_other_hosts_are_refused(host):
    with pytest.raises(ipmix.InputError, match=r"listens on 127\.0\.0\.1 only"):
        serving.serve(host, 0, browser=False)


def test_the_socket_is_this_machine_s_own_and_a_taken_port_is_told():
    with serving.listening(0) as first:
        address, port = first.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(ipmix.InputError, match=f"--port {port} can't be had"):
            serving.listening(port)
        with socket.create_connection((address, port)):
            pass


def test_the_policy_names_this_page_s_own_files_alone():
    told = serving.policy("<script>window.a = 1</script><script type=module src=x></script>")
    assert told.startswith("default-src 'none'; script-src 'self' 'sha256-")
    assert told.count("sha256-") == 1
    assert "http" not in told
    assert "unsafe-eval" not in told


def test_a_screen_is_needed_to_open_a_browser(monkeypatch):
    monkeypatch.setattr(serving.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not serving.has_screen()
    monkeypatch.setenv("DISPLAY", ":0")
    assert serving.has_screen()
