"""Every code block of README and docs/ runs here, or says why not; what it prints is what the page says."""

import re
from pathlib import Path

import numpy as np
import pytest
from code_blocks import Block, blocks_of, lines, problem, run_page
from PIL import Image

torch = pytest.importorskip("torch", reason="the train extra is not installed")

import ipmix  # noqa: E402
from ipmix import models  # noqa: E402
from ipmix.cli.main import main  # noqa: E402

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), ROOT / "benchmarks" / "README.md", *ROOT.glob("docs/**/*.md")]
)
RUN_ELSEWHERE = {"docs/extending.md": "tests/test_extending.py"}
"""Pages whose blocks a test of their own runs."""

MADE = {
    "docs/evaluating.md": (
        "results/first/scorecard.json", "results/corrupted/scorecard.json", "checks.xml", "summary.md", "both.html",
    ),
}  # fmt: skip
"""What is there after a page's blocks."""

pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="the documents are not here")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Names and files that the pages speak of: images, labels, a model; clean.npz, image.jpg, net.safetensors, ..."""
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    labels = np.arange(24) % 2
    dark = draws.integers(0, 120, (24, 16, 16, 3), dtype=np.uint8)
    images = dark + (100 * labels[:, None, None, None]).astype(np.uint8)
    np.savez("clean.npz", images=images, labels=labels)
    np.save("images.npy", images)
    np.save("labels.npy", labels)
    for name in ("image.jpg", "cat.jpg", "cup.jpg"):
        Image.fromarray(draws.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(name)
    torch.manual_seed(0)
    models.save(tmp_path / "net.safetensors", models.build("wrn-10-1", ("dark", "bright")), {"size": 16})
    return {
        "__name__": "page",
        "ipmix": ipmix,
        "torch": torch,
        "images": images,
        "labels": labels,
        "indices": np.arange(len(labels)),
        "mixing": ipmix.MixingSet.sample(),
        "model": models.load(tmp_path / "net.safetensors"),
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_run_or_marked(page: str) -> None:
    found = blocks_of(text_of(page))
    bare = re.sub(r"^ *```.*?^ *```$", "", text_of(page), flags=re.M | re.S)
    assert re.findall(r"^ {4,}(?:ipmix|python|torchrun|pip) .*$", bare, re.M) == [], "a command without a fence"
    assert len(found) == len(re.findall(r"^ *```\w*.*$", text_of(page), re.M)) / 2, "a fence that is not understood"
    if page not in RUN_ELSEWHERE:
        problems = [f"{page}, line {block.line}: {why}" for block in found if (why := problem(block, ROOT, page))]
        assert problems == []
        return
    assert page in (ROOT / RUN_ELSEWHERE[page]).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_marked_blocks_have_options_that_there_are(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = []
    for block in blocks_of(text_of(page)):
        if block.language in ("bash", "sh") and block.mark == "not run":
            wrong += [option for words in lines(block) if "ipmix" in words[:1] for option in unknown(words, capsys)]
    assert wrong == []


HELP: dict[tuple[str, ...], str] = {}


def unknown(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Options of an ``ipmix`` command that its help does not name."""
    command = tuple(words[1:3]) if words[1] in ("mixing-set", "reproduce") else tuple(words[1:2])
    if command not in HELP:
        assert main([*command, "--help"]) == 0
        HELP[command] = capsys.readouterr().out
    options = [word.split("=")[0] for word in words if word.startswith("--")]
    return [f"{' '.join(command)} {option}" for option in options if not re.search(rf"{option}\b", HELP[command])]


def runs(page: str) -> bool:
    marked = [block.mark for block in blocks_of(text_of(page)) if block.language in ("python", "bash", "sh")]
    return page not in RUN_ELSEWHERE and "" in marked


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", [page for page in PAGES if runs(page)])
def test_the_blocks_run(page: str, names: dict[str, object]) -> None:
    assert run_page(blocks_of(text_of(page)), names, main) == []
    assert [name for name in MADE.get(page, ()) if not Path(name).is_file()] == []


PAGE = """
```python
number = 6
```

<!-- not run: an example -->
```bash
ipmix train DATA --epochs 3
```

    ```python
    print(7 * number)
    ```

<!-- output -->
```text
42
```
"""


def test_a_page_is_taken_apart_and_run() -> None:
    found = blocks_of(PAGE)
    assert [(block.language, block.mark) for block in found] == [
        ("python", ""), ("bash", "not run"), ("python", ""), ("text", "output"),
    ]  # fmt: skip
    assert [block.line for block in found] == [2, 7, 11, 16]
    assert [problem(block, ROOT, "README.md") for block in found] == [""] * 4
    assert run_page(found, {}, main) == []


def test_other_output_and_errors_are_found() -> None:
    assert len(run_page(blocks_of(PAGE.replace("42", "43")), {}, main)) == 1
    assert "ZeroDivisionError" in run_page(blocks_of(PAGE.replace("7 * number", "7 / 0")), {}, main)[0]
    assert len(run_page([Block(1, "bash", "ipmix score nothing.npz\n")], {}, main)) == 1


@pytest.mark.parametrize(
    ("block", "why"),
    [
        (Block(1, "", "something\n"), "no mark"),
        (Block(1, "python", "if:\n", "not run", "a reason"), "invalid syntax"),
        (Block(1, "bash", "if true\n", "not run", "a reason"), "syntax error"),
        (Block(1, "bash", "rm -rf /\n"), "is no ipmix"),
        (Block(1, "bash", "true\n", "not run"), "says no more"),
        (Block(1, "bash", "true\n", "skip", "a reason"), "is none of"),
        (Block(1, "python", "1\n", "run by", "tests/nowhere.py"), "is no test"),
        (Block(1, "python", "1\n", "run by", "tests/test_golden.py"), "does not name"),
        (Block(1, "json", "{\n"), "Expecting"),
        (Block(1, "rust", "fn main() {}\n"), "nothing checks"),
    ],
)
def test_a_block_that_nobody_runs_is_found(block: Block, why: str) -> None:
    assert why in problem(block, ROOT, "docs/nowhere.md")


def test_an_option_that_there_is_not_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert unknown(["ipmix", "train", "DATA", "--epochs", "3"], capsys) == []
    assert unknown(["ipmix", "train", "DATA", "--epoches=3"], capsys) == ["train --epoches"]
