"""Files that are written: links, permissions; names of strangers in page, CSV, Markdown and terminal."""

import hashlib
import io
import json
import os
import re
import stat
from pathlib import Path

import numpy as np
import pytest
from image_bytes import png

from ipmix.core.errors import InputError, plain
from ipmix.core.files import FileLock, alone, write_text
from ipmix.data import datasets
from ipmix.evaluation.predictions import PredictionFolder
from ipmix.evaluation.scorecard import score
from ipmix.experiment.studies.study import Study, open_study
from ipmix.report import exports, page, tables
from ipmix.training.checkpoint import RunFolder

POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")


@POSIX
@pytest.mark.parametrize(
    "name", ["../out", "/tmp/out", "a/b", "a\\b", "..", ".hidden", "-rf", "", " ", "C:x", "a\nb", "a\0b"]
)
@pytest.mark.parametrize("key", ["cells", "scales"])
def test_a_study_writes_into_its_folder_alone(tmp_path: Path, name: str, key: str) -> None:
    study = tmp_path / "study.yaml"

    def opened(cell: str, scale: str) -> Study:
        cells, scales = (json.dumps({each: of}) for each, of in ((cell, {}), (scale, {"passes": {"clean": {}}})))
        study.write_text(f"title: a\nmeasures: [clean_error]\ncells: {cells}\nscales: {scales}\n")
        return open_study(str(study))

    with pytest.raises(InputError, match=rf"study\.yaml: {key}: .*name"):
        opened(*((name, "a") if key == "cells" else ("a", name)))
    assert opened("1 b", "größe.2").cells("größe.2") == ("1 b",)


def test_links_are_not_written_through(tmp_path: Path) -> None:
    theirs, place = tmp_path / "theirs", tmp_path / "place"
    theirs.write_text("precious")
    place.mkdir()
    for name in (".lock", "run.lock", "result.json", "metrics.jsonl"):
        (place / name).symlink_to(theirs)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"\.lock is a link"), alone(place):
        pass
    with pytest.raises(InputError, match="is a link"):
        FileLock(tmp_path / "dangling")
    assert not (tmp_path / "nowhere").exists()
    write_text(place / "result.json", "ours")
    assert not (place / "result.json").is_symlink()
    with pytest.raises(InputError, match="is a link"):
        RunFolder(place, {}, resume=True)
    assert theirs.read_text() == "precious"
    assert (place / ".lock").is_symlink(), "nor is it taken away"


@POSIX
def test_permissions_follow_the_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "umask", None)
        write_text(tmp_path / "a", "")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


NASTY = "=1+1|<script>![](http://evil.example/x)[a](javascript:b)`c`\x1b[31m\u202e\u200f\n@d"


def nasty_card(tmp_path: Path) -> dict:
    """The scorecard of a run with a name that tries everything."""
    labels = np.arange(20) % 2
    logits = 4 * np.eye(2, dtype=np.float32)[labels] - 2
    kept = PredictionFolder.begin(tmp_path / "predictions", {"name": NASTY})
    kept.write(0, {"labels": labels, "indices": np.arange(20), "clean": logits})
    return score(kept, samples=20)


def test_the_page_forbids_other_scripts_and_the_network(tmp_path: Path) -> None:
    text = page.render_page([nasty_card(tmp_path)], title=NASTY)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    told = policy[1].replace("&#39;", "'")
    for word in ("default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"):
        assert word in told.split("; ")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    digest = __import__("base64").b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src-elem 'sha256-{digest}'" in told.split("; ")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    digest = __import__("base64").b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in told.split("; ")
    assert text.count("<script") == 1
    assert not re.search(r"fetch|XMLHttp|import\(|innerHTML|eval|location|document\.write", script)
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert text.index("Content-Security-Policy") < text.index("<style>"), "a policy counts for what follows it"


def test_names_are_text_in_the_page(tmp_path: Path) -> None:
    text = page.render_page([nasty_card(tmp_path)], title=NASTY, lead=NASTY, facts=[(NASTY, NASTY)])
    assert text.count("<script") == 1, "the page's own"
    assert "&lt;script&gt;" in text


def test_names_are_no_formulas_in_csv(tmp_path: Path) -> None:
    card = nasty_card(tmp_path)
    for name in ("=1+1", "+1", "-1", "@a", "\t=1", "\r=1", " =1", "\x1b[1m=1", "＝1"):
        cells = [line.split(",")[0] for line in tables.to_csv([{**card, "run": {"name": name}}]).splitlines()[1:]]
        assert {cell.strip('"')[0] for cell in cells} == {"'"}, name
    assert tables.to_csv([{**card, "run": {"name": "wrn-40-4"}}]).splitlines()[1].startswith("wrn-40-4,")


def test_names_are_text_in_markdown(tmp_path: Path) -> None:
    card = nasty_card(tmp_path)
    card["measures"]["flip_probability"] = {"value": None, "interval": None, "pictures": 0, "reason": NASTY}
    for text in (tables.markdown([card]), exports.model_card(card).split("---\n", 2)[2]):
        assert r"\!" in text or r"!\[\](http\://" in text
        assert not re.search(r"(?<!\\)[\[\]`]", text)
        assert "<script" not in text
        assert not re.search(r"(?<!\\)://", text)
    assert tables.inline("www.evil.example") == r"www\.evil.example"


def test_names_control_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    tables.print_comparison([nasty_card(tmp_path)], out=out)
    (tmp_path / "train" / "a\u202eb").mkdir(parents=True)
    (tmp_path / "train" / "a\u202eb" / "a.png").write_bytes(png(np.zeros((8, 8, 3), np.uint8)))
    (tmp_path / "train" / "a\u202eb" / ".\x1b[31m.png").touch()
    datasets.tell_hidden(datasets.scan(tmp_path, "train"))
    for text in (out.getvalue(), capsys.readouterr().err, plain(NASTY)):
        assert text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u200e\u200f]", text)


CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f]")
NAME = "a\x1b[2J\u202eg\nnp"
"""Of a file or folder: it clears the screen, turns what follows and begins a line of its own."""


@POSIX
def test_names_of_files_control_no_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever a command says of what it reads and writes, also into a pipe."""
    from tests.reliability.writers import prepare

    from ipmix.cli.main import main

    prepare(tmp_path)
    read, out = tmp_path / "data", tmp_path / NAME
    brief = ("--corruptions", "none", "--no-attack", "--device", "cpu")
    commands: list[tuple[object, ...]] = [
        ("corrupt", read / "test", out / "c", "--names", "contrast", "--severities", "1"),
        ("mixing-set", "make", out / "set", "--count", "2", "--size", "16", "--mix", "ifs=1"),
        ("mixing-set", "info", out / "set"),
        ("mixing-set", "verify", out / "set"),
        ("mixing-set", "show", out / "set", "--out", out / f"{NAME}.png"),
        ("augment", read / "train" / "a" / "00.png", "--out", out / "b.png", "--method", "augmix"),
        ("score", tmp_path / "predictions.npz", "--out", out / "card", "--samples", "0"),
        ("report", out / "card", "--out", out / f"{NAME}.md"),
        ("train", out / "data", "--out", out / "run", "--model", "wrn-10-1", "--epochs", "1", "--batch-size", "6",
         "--crop-size", "16", "--device", "cpu"),
        ("evaluate", out / "run", out / "data", "--out", out / "measured", *brief),
    ]  # fmt: skip
    out.mkdir()
    (out / "data").symlink_to(read)
    for words in commands:
        capfd.readouterr()
        assert main(list(map(str, words))) == 0, capfd.readouterr()
        said = "".join(capfd.readouterr())
        assert not CONTROL.search(said), (words, said)
        assert not any(line.startswith("np") for line in said.splitlines()), (words, said)
    assert r"a\x1b[2J\u202eg\nnp" in said
