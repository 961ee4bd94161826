import json
import os

import pytest

import ipmix
from ipmix.core.json_text import json_text
from ipmix.explore import scorecards


@pytest.fixture
def saved(tmp_path, made_card):
    card = made_card(tmp_path / "predictions", "a network")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "scorecard.json").write_text(json_text(card))
    return folder


def test_the_page_is_the_report_of_the_results_made_anew(saved):
    (saved / "report.html").write_text("<script>somebody's own page</script>")
    page = scorecards.page_of(saved)
    assert "How safe is a network?" in page
    assert "somebody's own page" not in page
    assert scorecards.page_of(str(saved / "scorecard.json")) == page
    assert scorecards.page_of_upload("card.json", (saved / "scorecard.json").read_bytes()) == page


def test_several_runs_are_compared(saved, tmp_path, made_card):
    cards = {name: made_card(tmp_path / name, name, seed=seed) for seed, name in enumerate(("plain", "IPMix"))}
    (saved / "scorecard.json").unlink()
    (saved / "results.json").write_text(json_text({"runs": cards}))
    assert "Safety scorecards compared" in scorecards.page_of(saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no JSON", r"^card\.json is not JSON"), (b"{}", r"^card\.json"), (b"[" * 100_000, r"^card\.json is ")],
)
def test_what_is_no_scorecard_is_refused_by_its_name(content, message):
    with pytest.raises(ipmix.InputError, match=message) as told:
        scorecards.page_of_upload("card.json", content)
    assert "ipmix-explore" not in str(told.value)


def test_folders_without_results_are_refused(tmp_path, monkeypatch):
    with pytest.raises(ipmix.InputError, match="holds no results"):
        scorecards.page_of(tmp_path)
    with pytest.raises(ipmix.InputError, match="expected a folder"):
        scorecards.page_of("  ")
    monkeypatch.setattr(scorecards, "CARD_MOST", 10)
    with pytest.raises(ipmix.InputError, match="a scorecard has at most"):
        scorecards.page_of_upload("card.json", json.dumps({"run": {}}).encode())


def test_a_changed_file_has_another_stamp(saved, tmp_path):
    before = scorecards.stamp(saved)
    assert before
    assert scorecards.stamp(saved) == before
    os.utime(saved / "scorecard.json", (1, 1))
    assert scorecards.stamp(saved) != before
    assert scorecards.stamp(tmp_path / "nowhere") == ()


def test_only_the_last_pages_are_kept():
    names = [scorecards.keep(f"page {number}") for number in range(scorecards.KEPT + 1)]
    assert scorecards.kept(names[0]) is None
    assert [scorecards.kept(name) for name in names[1:]] == [f"page {number}" for number in range(1, len(names))]
    assert scorecards.keep("page 1") == names[1]
    assert scorecards.kept("../../etc/passwd") is None
