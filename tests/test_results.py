"""Tables in README and docs/results.md are what the committed results give, word for word."""

import re
import shlex
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from ipmix.cli.main import main

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/results.md")
MARK = re.compile(r"<!-- made by: ipmix (.*?)(, the table alone)? -->\n(.*?)\n<!-- end -->", re.S)
DRAWN = re.compile(r"<!-- drawn by: ipmix (.*?) -->\n!\[[^\]]+\]\((.*?)\)")

pytestmark = pytest.mark.skipif(not (ROOT / "results" / "studies").is_dir(), reason="the results are not here")


def made(words: str, table_alone: bool, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(shlex.split(words)) == 0
    text = capsys.readouterr().out
    if table_alone:
        text = next(part for part in text.split("\n\n") if part.startswith("|"))  # differences are another table
    return re.sub(r"^#+ .*\n+", "", text).strip()


def test_tables_are_those_of_the_results(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    found = 0
    for page in PAGES:
        for words, alone, text in MARK.findall((ROOT / page).read_text(encoding="utf-8")):
            assert text.strip() == made(words, bool(alone), capsys), f"{page}: make it again by ipmix {words}"
            found += 1
    assert found >= len(PAGES)


def test_another_figure_would_be_seen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    words, alone, text = MARK.findall((ROOT / "README.md").read_text(encoding="utf-8"))[0]
    assert re.sub(r"(\d)\.(\d)", r"\2.\1", text, count=1).strip() != made(words, bool(alone), capsys)


def said_by(path: Path) -> str:
    """What an SVG's description says it shows."""
    found = re.search(r"<dc:description>(.*?)</dc:description>", path.read_text(encoding="utf-8"), re.S)
    assert found, f"{path} says nothing"
    return found[1].strip()


def test_pictures_show_the_figures_of_the_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines and letters differ between versions of matplotlib; what a picture says of itself doesn't."""
    pytest.importorskip("matplotlib", reason="draws the pictures")
    monkeypatch.chdir(ROOT)
    found = DRAWN.findall((ROOT / "docs" / "results.md").read_text(encoding="utf-8"))
    assert found
    for number, (words, image) in enumerate(found):
        again = tmp_path / f"{number}.svg"
        parts = shlex.split(words)
        parts[parts.index("--plot") + 1] = str(again)
        assert main(parts) == 0
        assert said_by(again) == said_by(ROOT / "docs" / image), f"{image}: draw it again by ipmix {words}"
    first = said_by(again)
    parts[parts.index("--seeds") + 1] = "0"
    assert main(parts) == 0
    assert said_by(again) != first, "other figures would be seen"
    capsys.readouterr()


def test_every_result_names_commit_seed_and_machine() -> None:
    from ipmix.core.json_text import read_json_object

    results = sorted((ROOT / "results" / "studies").rglob("*.json"))
    for path in results:
        result = read_json_object(path)
        assert re.fullmatch(r"[0-9a-f]{40}", result["commit"]), path
        assert path.name == f"{result['cell']}-seed{result['seed']}.json"
        assert result["hardware"]["processor"], path
        assert result["hours"]["training"] > 0, path
        assert result["command"].startswith("ipmix reproduce run "), path
    assert results


PATHS = re.compile(r"(?<![\w.])/(?:tmp|home|root|work|Users|mnt|data|opt)/")


def test_no_result_names_a_folder_of_its_machine() -> None:
    files = [path for path in (ROOT / "results").rglob("*") if path.suffix in (".md", ".json")]
    assert len(files) > 20
    assert [path for path in files if PATHS.search(path.read_text())] == []
    assert PATHS.search("python -m benchmarks methods --out /tmp/records"), "one would be seen"
